"""The training loop, from a trial to its weights."""
