"""What is kept of old versions and trainings, why, and how the rest goes."""
