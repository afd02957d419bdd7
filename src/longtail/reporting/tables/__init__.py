"""The numbers of the report, in print, HTML and LaTeX."""
