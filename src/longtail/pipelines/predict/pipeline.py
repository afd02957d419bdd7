"""The predict stage: select and describe a trial, name new photographs, and draw a gallery.

::

    select ──> describe ──> recognizer ─┐
    list ──> photographs ──┬────────────┴─> name ──> answers ─┐
    deployments ───────────┴──────────> locate ──> captures ──┴─> join ──> names
    names ──> publish ──> camtrap_dp, occurrences, left_out, nights
    names ──> copy ──> names_xlsx or names_semicolons, if one is wanted
    names ──> draw ──> names_page

``PREDICT_ARGUMENTS`` has what the arguments of the nodes' functions are in the catalog.
"""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from longtail.parameters import Parameters
from longtail.pipelines.namespace import Function, Namespace, of_dataset
from longtail.pipelines.predict.name_photographs import name_photographs
from longtail.pipelines.predict.nodes import (
    copy_for_spreadsheet,
    describe_recognizer,
    draw_gallery,
    list_deployments,
    list_photographs,
    publish_records,
    read_time_and_place,
    select_trial,
)
from longtail.records.captures import with_captures

PREDICT_ARGUMENTS = {
    # Of other stages.
    **of_dataset("source", "images", "index", "subsets", "results", "trainings"),
    "profile": "{dataset}_class_profile",
    "store": "trial_store",
    # Results of this stage.
    "chosen": "{dataset}_chosen_trial",
    **of_dataset("recognizer", "names_in_tables", "photographs", "deployments"),
    **of_dataset("answers", "captures", "names"),
    "named_before": "named_before",
    # Parameters.
    "dataset": "params:datasets.{dataset}",
    "predict": "params:predict",
    "compute": "params:compute",
}
# The nodes: names, functions and outputs. Those that describe need no new photographs.
Steps = dict[str, tuple[Function, tuple[str, ...]]]
DESCRIBING: Steps = {
    "select": (select_trial, ("chosen_trial",)),
    "describe": (describe_recognizer, ("recognizer", "names_in_tables")),
}
RECORDS = ("camtrap_dp", "occurrences", "left_out", "nights", "nights_figure")
NAMING: Steps = {
    "deployments": (list_deployments, ("deployments",)),
    "list": (list_photographs, ("photographs",)),
    "name": (name_photographs, ("answers",)),
    "locate": (read_time_and_place, ("captures",)),
    "join": (with_captures, ("names",)),
    "draw": (draw_gallery, ("names_page",)),
    "publish": (publish_records, RECORDS),
}


def create_pipeline(parameters: Parameters) -> Pipeline:
    """The stage for the data set of ``predict.dataset``."""
    dataset = dataset_of(parameters)
    box = _namespace(dataset)
    nodes = _nodes(box, dataset, DESCRIBING | NAMING)
    if (spreadsheet := parameters.predict.spreadsheet) is not None:
        copied = f"{dataset}_names_{spreadsheet}"
        nodes.append(box.node(copy_for_spreadsheet, copied, f"copy_{dataset}"))
    return Pipeline(nodes)


def create_description(parameters: Parameters) -> Pipeline:
    """The part of the stage that needs no new photographs."""
    dataset = dataset_of(parameters)
    return Pipeline(_nodes(_namespace(dataset), dataset, DESCRIBING))


def _namespace(dataset: str) -> Namespace:
    arguments = {name: entry.format(dataset=dataset) for name, entry in PREDICT_ARGUMENTS.items()}
    return Namespace("predict", (dataset,), arguments)


def _nodes(box: Namespace, dataset: str, steps: Steps) -> list[Node]:
    nodes = []
    for name, (function, parts) in steps.items():
        first, *others = (f"{dataset}_{part}" for part in parts)
        nodes.append(box.node(function, [first, *others] if others else first, f"{name}_{dataset}"))
    return nodes


def dataset_of(parameters: Parameters) -> str:
    """The name of the data set to predict species of: by default the first of the grid."""
    return parameters.predict.dataset or parameters.grid.datasets[0]
