"""The stages that a run has left out."""

from __future__ import annotations

from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline

# The stages of the pipeline `full`, in order.
STAGES = ("ingest", "imbalance", "train", "report")


def read_after(pipeline: Pipeline) -> set[str]:
    """What a run has made that nodes read which it has left out."""
    ran = {node.name for node in pipeline.nodes}
    left_out = (node for node in pipelines["full"].nodes if node.name not in ran)
    return pipeline.all_outputs() & {name for node in left_out for name in node.inputs}


def stages_after(pipeline: Pipeline) -> list[str]:
    """The stages with nodes that a run has left out although it has made their inputs.

    Args:
        pipeline: the pipeline of the run, a part of the registered ones.
    """
    full, ran = pipelines["full"], {node.name for node in pipeline.nodes}
    made_inputs = pipeline.all_outputs() & {name for node in full.nodes for name in node.inputs}
    if len(ran) == len(full.nodes) or not made_inputs:
        return []
    left_out = {node.name for node in full.from_inputs(*made_inputs).nodes} - ran
    return [
        stage for stage in STAGES if any(node.name in left_out for node in pipelines[stage].nodes)
    ]
