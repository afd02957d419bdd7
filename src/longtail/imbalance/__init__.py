"""Subsets of a data set: hold-outs, imbalanced training sets, and head, middle and tail.

All of it works on labels, groups and image numbers, never on pixels.
"""
