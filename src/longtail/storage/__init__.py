"""Finished trainings and their arrays on disk, and a disk that is full."""
