"""Kedro-Viz shows each pipeline with its layers in order."""

from __future__ import annotations

from collections import defaultdict
from itertools import accumulate
from types import SimpleNamespace
from typing import Any

import pytest
from kedro.pipeline import Pipeline
from kedro_viz.services.layers import sort_layers

from tests.pipelines.support import catalog, pipelines

# Named as the folders of the data, so that Kedro-Viz, which sorts what it cannot tell, sorts them.
LAYERS = ["01_raw", "03_primary", "06_models", "07_model_output", "08_reporting"]


def layer_of(dataset: str, entries: Any) -> str | None:
    entry = entries.get(dataset)
    if dataset.startswith("params:") or entry is None:
        return None
    layer = entry.metadata["kedro-viz"]["layer"]
    assert layer in LAYERS, dataset
    return str(layer)


def sorted_layers(pipeline: Pipeline, layers: dict[str, str | None]) -> list[str]:
    """The layers of a pipeline, in the order in which Kedro-Viz shows them."""
    children = defaultdict[str, set[str]](set)
    for node in pipeline.nodes:
        children[node.name] |= set(node.outputs)
        for name in node.inputs:
            children[name].add(node.name)
    names = {*layers, *children, *(node.name for node in pipeline.nodes)}
    nodes: Any = {name: SimpleNamespace(layer=layers.get(name)) for name in names}
    shown = {layers[name] for name in pipeline.datasets()}
    found = sort_layers(nodes, {name: children[name] for name in names})
    return [layer for layer in found if layer in shown]


@pytest.mark.parametrize("environment", ["test", "thesis", "moths"])
def test_the_layers_of_every_pipeline_are_in_order(environment: str) -> None:
    entries, registered = catalog(environment), pipelines(environment)
    every = set().union(*(pipeline.datasets() for pipeline in registered.values()))
    layers = {name: layer_of(name, entries) for name in every}
    for name, pipeline in registered.items():
        found = sorted_layers(pipeline, layers)
        assert found, name
        assert found == [layer for layer in LAYERS if layer in found], name


@pytest.mark.parametrize("environment", ["test", "thesis", "moths"])
def test_the_folded_stage_shows_its_documents_only(environment: str) -> None:
    """What no other node of the stage reads is drawn beside its box, in one row."""
    for name in pipelines(environment)["report"].outputs():
        assert name.endswith(("_latex", "_figures", "_report")), name


def boxes(pipeline: Pipeline) -> set[str]:
    """All namespaces, each of which is a box."""
    namespaces = {str(node.namespace) for node in pipeline.nodes}
    return {box for name in namespaces for box in accumulate(name.split("."), "{}.{}".format)}


def shown_in(box: str, pipeline: Pipeline) -> set[str]:
    """What Kedro-Viz draws in a box that is opened: boxes and nodes, and what connects them."""
    users = defaultdict[str, set[str]](set)
    for node in pipeline.nodes:
        if f"{node.namespace}.".startswith(f"{box}."):
            inner = str(node.namespace).removeprefix(box).split(".")
            item = f"{box}.{inner[1]}" if len(inner) > 1 else node.name
            for dataset in node.outputs + node.inputs:
                users[dataset].add(item)
    connecting = {name for name in users.keys() - pipeline.inputs() if len(users[name]) > 1}
    return set().union(*users.values()) | connecting


@pytest.mark.parametrize("environment", ["test", "thesis", "moths"])
def test_a_box_of_the_report_has_no_more_than_a_person_can_read(environment: str) -> None:
    """The thesis has four backbones, and results to compare with."""
    report = pipelines(environment)["report"]
    for box in boxes(report):
        assert len(shown_in(box, report)) <= 60, (box, sorted(shown_in(box, report)))
