"""Predictions of trained models, their evaluation and their export."""
