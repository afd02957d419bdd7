"""Trials on the workers of a Dask cluster. Light: Dask's workers import it."""
