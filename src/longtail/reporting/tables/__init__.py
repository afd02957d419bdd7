"""The tables of the report, their text, and the appendices in LaTeX."""
