"""Published results: the tables, comparisons with our results, and an audit."""
