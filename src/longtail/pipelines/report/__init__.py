"""From results to tables, figures, the appendix and the page."""

from longtail.pipelines.report.pipeline import create_pipeline

__all__ = ["create_pipeline"]
