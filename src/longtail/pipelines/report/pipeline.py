"""The report stage: tables a backbone and training set, figures a backbone, two documents.

::

    report.<dataset>                          verify
    report.<dataset>.<backbone>.<train set>   tabulate
    report.<dataset>.<backbone>               draw, join
    report.<dataset>                          profile figure, appendix, page

Everything is made of what `verify` lets through, so nothing is made where results are stale.
"""

from __future__ import annotations

from itertools import groupby

from kedro.pipeline import Node, Pipeline

from longtail.grid import table_name, tables
from longtail.parameters import Parameters, Table
from longtail.pipelines.report.nodes import (
    FIGURES,
    draw_backbone,
    draw_class_profile,
    join_scores,
    join_tables,
    tabulate,
    verify,
    write_appendix,
    write_page,
)

# What the node ``verify`` lets through.
VERIFIED = ("results", "class_profile")


def create_pipeline(parameters: Parameters) -> Pipeline:
    """The stage for the data sets, backbones and training sets of the grid."""
    parts = []
    for dataset, contents in tables(parameters).items():
        backbones = []
        parts.append(_verification(dataset))
        for backbone, of_backbone in groupby(contents.tables, key=lambda t: t.backbone):
            own = list(of_backbone)
            parts += [_tables(table) for table in own]
            parts.append(_backbone(own))
            backbones.append(backbone)
        parts.append(_dataset(dataset, backbones))
    return Pipeline(parts)


def _verification(dataset: str) -> Pipeline:
    stored = ("results", "trainings", "source", "index", "subsets", "class_profile")
    return Pipeline(
        [
            Node(
                verify,
                inputs=[*(f"stored_{name}" for name in stored), "params:dataset", "params:trials"],
                outputs=list(VERIFIED),
                name="verify",
            )
        ],
        namespace=f"report.{dataset}",
        inputs={f"stored_{name}": f"{dataset}_{name}" for name in stored},
        parameters={"params:dataset": f"params:datasets.{dataset}"},
        tags=[dataset],
    )


def _tables(table: Table) -> Pipeline:
    return Pipeline(
        [
            Node(
                tabulate,
                inputs=["results", "params:table"],
                outputs=["scores", "acc1_table", "full_table"],
                name="tabulate",
            )
        ],
        namespace=f"report.{table_name(table)}",
        inputs={"results": f"report.{table.dataset}.results"},
        tags=[table.dataset, table.backbone, table.train_set],
    )


def _backbone(own: list[Table]) -> Pipeline:
    first = own[0]
    parts = {
        f"{table.train_set}_{kind}": f"report.{table_name(table)}.{kind}_table"
        for table in own
        for kind in ("acc1", "full")
    }
    scores = {f"{t.train_set}_scores": f"report.{table_name(t)}.scores" for t in own}
    shared = {
        name: f"report.{first.dataset}.{name}" if name in VERIFIED else f"{first.dataset}_{name}"
        for name in ("results", "confusions", "histories", "class_profile")
    }
    return Pipeline(
        [
            Node(join_scores, inputs=list(scores), outputs="scores", name="join_scores"),
            Node(join_tables, inputs=list(parts), outputs="tables", name="join_tables"),
            Node(
                draw_backbone,
                inputs=[*shared, "params:table"],
                outputs=list(FIGURES),
                name="draw_figures",
            ),
        ],
        namespace=f"report.{first.dataset}.{first.backbone}",
        inputs={**parts, **scores, **shared},
        parameters={"params:table": f"params:report.{table_name(first)}.table"},
        tags=[first.dataset, first.backbone],
    )


def _dataset(dataset: str, backbones: list[str]) -> Pipeline:
    tables = {f"{b}_tables": f"report.{dataset}.{b}.tables" for b in backbones}
    figures = {f"{b}_{f}": f"report.{dataset}.{b}.{f}" for b in backbones for f in FIGURES}
    scores = {f"{b}_scores": f"report.{dataset}.{b}.scores" for b in backbones}
    made = ("scores", "class_profile_figure", "appendix", "report")
    return Pipeline(
        [
            Node(join_scores, inputs=list(scores), outputs="scores", name="join_scores"),
            Node(
                draw_class_profile,
                inputs=["class_profile", "params:dataset"],
                outputs="class_profile_figure",
                name="draw_class_profile",
            ),
            Node(
                write_appendix,
                inputs=["class_profile", "params:dataset", "params:contents", *tables],
                outputs="appendix",
                name="write_appendix",
            ),
            Node(
                write_page,
                inputs=[
                    *VERIFIED,
                    "params:dataset",
                    "params:contents",
                    "class_profile_figure",
                    *figures,
                ],
                outputs="report",
                name="write_page",
            ),
        ],
        namespace=f"report.{dataset}",
        inputs={**scores, **tables, **figures},
        outputs={name: f"{dataset}_{name}" for name in made},
        parameters={"params:dataset": f"params:datasets.{dataset}"},
        tags=[dataset],
    )
