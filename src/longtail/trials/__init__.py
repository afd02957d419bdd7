"""What a trial is, which training it is, and whether stored results are its own."""
