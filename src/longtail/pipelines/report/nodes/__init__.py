"""Nodes of the report stage, by what they make."""
