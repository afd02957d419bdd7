"""The ingest stage: one node a data set, and one a pretrained backbone."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from longtail.parameters import Parameters
from longtail.pipelines.ingest.nodes import fetch_weights, read_images


def create_pipeline(parameters: Parameters) -> Pipeline:
    """The stage for the data sets and backbones of the grid."""
    grid = parameters.grid
    pretrained = [name for name in grid.backbones if parameters.backbones[name].pretrained]
    nodes = [_read(name) for name in grid.datasets] + [_fetch(name) for name in pretrained]
    return Pipeline(nodes, namespace="ingest", prefix_datasets_with_namespace=False)


def _read(dataset: str) -> Node:
    return Node(
        read_images,
        inputs=[f"params:datasets.{dataset}", "downloads"],
        outputs=[
            f"{dataset}_images",
            f"{dataset}_index",
            f"{dataset}_rejected",
            f"{dataset}_source",
        ],
        name=f"read_{dataset}",
        tags=[dataset],
    )


def _fetch(backbone: str) -> Node:
    return Node(
        fetch_weights,
        inputs=[f"params:backbones.{backbone}"],
        outputs=f"{backbone}_weights",
        name=f"fetch_{backbone}_weights",
        tags=[backbone],
    )
