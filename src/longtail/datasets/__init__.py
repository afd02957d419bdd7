"""Kedro datasets that kedro-datasets lacks: arrays, figures, LaTeX, files and folders."""
