"""The export stage: the recognizer of a data set in one file."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from longtail.pipelines.export.nodes import export_recognizer


def create_pipeline(dataset: str) -> Pipeline:
    """The stage for the data set whose species are named."""
    node = Node(
        export_recognizer,
        inputs=[f"{dataset}_recognizer", "trial_store"],
        outputs=f"{dataset}_exported",
        name=f"export_{dataset}",
        tags=[dataset],
    )
    return Pipeline([node], namespace="export", prefix_datasets_with_namespace=False)
