"""Which old versions and trainings are kept, why, and how the others are removed."""
