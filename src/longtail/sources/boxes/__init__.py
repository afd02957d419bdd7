"""Boxes around animals, as detectors write them, and the squares that are cut by them."""
