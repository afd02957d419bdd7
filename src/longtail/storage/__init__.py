"""Atomic files, the store of trainings and arrays, and error messages of full disks."""
