"""Subsets of a data set: hold-outs, training sets cut by a profile, and head, middle and tail.

Everything here is about labels, groups and image numbers; no pixel is touched.
"""
