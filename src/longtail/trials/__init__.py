"""What a trial is, which training it needs, and whether stored results belong to it."""
