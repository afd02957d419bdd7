"""Atomic files, the store of trainings and arrays, and errors of a full disk."""
