"""Augmentation of training images, on whole batches."""
