"""The predict stage: select and describe a trial, name new photographs, and draw a gallery.

::

    select ──> describe ──> recognizer ─┐
    list ──> photographs ──┬────────────┴─> name ──> answers ─┐
    deployments ───────────┴──────────> locate ──> captures ──┴─> join ──> names
    names ──> publish ──> camtrap_dp, occurrences, left_out, nights
    names ──> copy ──> names_xlsx or names_semicolons, if one is wanted
    names ──> draw ──> names_page
"""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from longtail.parameters import Parameters
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


def create_pipeline(parameters: Parameters) -> Pipeline:
    """The stage for the data set of ``predict.dataset``."""
    dataset = dataset_of(parameters)
    nodes = [*_describe(dataset), *_name(dataset)]
    if parameters.predict.spreadsheet is not None:
        nodes.append(_copy(dataset, parameters.predict.spreadsheet))
    return _stage(nodes, dataset)


def create_description(parameters: Parameters) -> Pipeline:
    """The part of the stage that needs no new photographs."""
    dataset = dataset_of(parameters)
    return _stage(_describe(dataset), dataset)


def _stage(nodes: list[Node], dataset: str) -> Pipeline:
    return Pipeline(
        nodes, tags=[dataset], namespace="predict", prefix_datasets_with_namespace=False
    )


def _of(dataset: str, *names: str) -> dict[str, str]:
    """Inputs of a node that are data sets called as they are."""
    return {name: f"{dataset}_{name}" for name in names}


def _describe(dataset: str) -> list[Node]:
    return [
        Node(
            select_trial,
            inputs={
                **_of(dataset, "results", "trainings", "source", "index", "subsets"),
                "predict": "params:predict",
                "compute": "params:compute",
            },
            outputs=f"{dataset}_chosen_trial",
            name=f"select_{dataset}",
        ),
        Node(
            describe_recognizer,
            inputs={
                "chosen": f"{dataset}_chosen_trial",
                **_of(dataset, "images", "index", "subsets"),
                "profile": f"{dataset}_class_profile",
                "store": "trial_store",
                "predict": "params:predict",
            },
            outputs=f"{dataset}_recognizer",
            name=f"describe_{dataset}",
        ),
    ]


def _name(dataset: str) -> list[Node]:
    return [
        Node(
            list_deployments,
            inputs="params:predict",
            outputs=f"{dataset}_deployments",
            name=f"deployments_{dataset}",
        ),
        Node(
            list_photographs,
            inputs=["params:predict", f"params:datasets.{dataset}", f"{dataset}_source"],
            outputs=f"{dataset}_photographs",
            name=f"list_{dataset}",
        ),
        Node(
            name_photographs,
            inputs={
                **_of(dataset, "recognizer", "photographs", "images", "subsets"),
                "store": "trial_store",
                "named_before": "named_before",
                "predict": "params:predict",
                "compute": "params:compute",
            },
            outputs=f"{dataset}_answers",
            name=f"name_{dataset}",
        ),
        Node(
            read_time_and_place,
            inputs=[f"{dataset}_photographs", f"{dataset}_deployments", "params:predict"],
            outputs=f"{dataset}_captures",
            name=f"locate_{dataset}",
        ),
        Node(
            with_captures,
            inputs=[f"{dataset}_answers", f"{dataset}_captures"],
            outputs=f"{dataset}_names",
            name=f"join_{dataset}",
        ),
        Node(
            publish_records,
            inputs={
                **_of(dataset, "names", "recognizer", "photographs", "deployments"),
                "predict": "params:predict",
                "dataset": f"params:datasets.{dataset}",
            },
            outputs=[
                f"{dataset}_{name}"
                for name in ("camtrap_dp", "occurrences", "left_out", "nights", "nights_figure")
            ],
            name=f"publish_{dataset}",
        ),
        Node(
            draw_gallery,
            inputs={
                **_of(dataset, "names", "recognizer", "photographs"),
                "predict": "params:predict",
                "dataset": f"params:datasets.{dataset}",
            },
            outputs=f"{dataset}_names_page",
            name=f"draw_{dataset}",
        ),
    ]


def _copy(dataset: str, spreadsheet: str) -> Node:
    return Node(
        copy_for_spreadsheet,
        inputs=f"{dataset}_names",
        outputs=f"{dataset}_names_{spreadsheet}",
        name=f"copy_{dataset}",
    )


def dataset_of(parameters: Parameters) -> str:
    """The name of the data set to predict species of: by default the first of the grid."""
    return parameters.predict.dataset or parameters.grid.datasets[0]
