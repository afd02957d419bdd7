"""The export stage: one file with the recognizer of a data set."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from longtail.pipelines.export.nodes import export_recognizer


def create_pipeline(dataset: str) -> Pipeline:
    """Create the stage for one data set."""
    node = Node(
        export_recognizer,
        inputs=[f"{dataset}_recognizer", "trial_store"],
        outputs=f"{dataset}_exported",
        name=f"export_{dataset}",
        tags=[dataset],
    )
    return Pipeline([node], namespace="export", prefix_datasets_with_namespace=False)
