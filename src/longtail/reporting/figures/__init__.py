"""Figures, as PNG bytes."""
