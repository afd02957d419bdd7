"""The imbalance stage: one node per data set."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from longtail.parameters import Parameters
from longtail.pipelines.imbalance.nodes import cut_subsets


def create_pipeline(parameters: Parameters) -> Pipeline:
    """Create the stage for the data sets of the grid."""
    nodes = [
        Node(
            cut_subsets,
            inputs=[f"{dataset}_index", f"params:datasets.{dataset}"],
            outputs=[f"{dataset}_subsets", f"{dataset}_class_profile"],
            name=f"cut_{dataset}",
            tags=[dataset],
        )
        for dataset in parameters.grid.datasets
    ]
    return Pipeline(nodes, namespace="imbalance", prefix_datasets_with_namespace=False)
