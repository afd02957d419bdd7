"""Long-tailed image recognition, from images to a thesis' tables."""

__version__ = "0.1.0"
