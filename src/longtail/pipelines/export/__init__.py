"""From a trained trial to one file that predicts without this project."""

from longtail.pipelines.export.pipeline import create_pipeline

__all__ = ["create_pipeline"]
