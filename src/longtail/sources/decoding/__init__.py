"""Decoding of image files, each to an upright RGB square."""
