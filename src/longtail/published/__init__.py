"""Published results: the tables, ours beside them, and what they show about themselves."""
