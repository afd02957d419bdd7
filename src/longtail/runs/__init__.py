"""Runs as a whole: their files, trainings and stages, and what MLflow records of them."""
