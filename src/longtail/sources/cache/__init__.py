"""Decoded images on the disk."""
