"""How training images are varied, on whole batches."""
