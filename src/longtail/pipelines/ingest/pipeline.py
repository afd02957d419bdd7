"""The ingest stage: one node per data set."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from longtail.parameters import Parameters
from longtail.pipelines.ingest.nodes import read_images


def create_pipeline(parameters: Parameters) -> Pipeline:
    """Create the stage for the data sets of the grid."""
    nodes = [_read(dataset) for dataset in parameters.grid.datasets]
    return Pipeline(nodes, namespace="ingest", prefix_datasets_with_namespace=False)


def _read(dataset: str) -> Node:
    return Node(
        read_images,
        inputs=[
            *(f"params:datasets.{dataset}", "params:predict"),
            *("downloads", "decoded", "confirmed", "earlier_splits"),
        ],
        outputs=[
            f"{dataset}_images",
            f"{dataset}_index",
            f"{dataset}_rejected",
            f"{dataset}_source",
        ],
        name=f"read_{dataset}",
        tags=[dataset],
    )
