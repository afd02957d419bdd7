"""HTML pages: the report, the species pages and the page of names."""
