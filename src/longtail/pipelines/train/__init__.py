"""From subsets to results: fit, evaluate and score each trial, and gather all results."""

from longtail.pipelines.train.pipeline import create_pipeline

__all__ = ["create_pipeline"]
