"""Kedro datasets for what kedro-datasets has none: arrays, figures, LaTeX, files, folders."""
