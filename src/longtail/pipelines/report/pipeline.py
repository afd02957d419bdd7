"""The report stage: tables a backbone and training set, figures a backbone, the documents.

::

    report.<dataset>                          verify
    report.<dataset>.<backbone>.<train set>   tabulate
    report.<dataset>.<backbone>               draw, join, compare with what is published
    report.<dataset>                          profile figure, audit, appendices, page

Everything is made of what `verify` lets through, so nothing is made where results are stale.
"""

from __future__ import annotations

from itertools import groupby

from kedro.pipeline import Node, Pipeline

from longtail.grid import table_name, tables
from longtail.parameters import Parameters, Table
from longtail.pipelines.report.nodes import (
    BARE_TABLES,
    FIGURES,
    INTERVAL_TABLES,
    PUBLISHED_FIGURE,
    audit_published,
    compare_with_published,
    draw_backbone,
    draw_class_profile,
    join_rows,
    join_tables,
    tabulate,
    verify,
    write_appendix,
    write_interval_appendix,
    write_page,
    write_published_appendix,
    write_published_page,
)

# What the node ``verify`` lets through.
VERIFIED = ("results", "comparisons", "trainings", "class_profile")


def create_pipeline(parameters: Parameters) -> Pipeline:
    """The stage for the data sets, backbones and training sets of the grid."""
    parts = []
    for dataset, contents in tables(parameters).items():
        published = parameters.datasets[dataset].published
        backbones = []
        parts.append(_verification(dataset))
        for backbone, of_backbone in groupby(contents.tables, key=lambda t: t.backbone):
            own = list(of_backbone)
            parts += [_tables(table) for table in own]
            parts.append(_backbone(own, published))
            backbones.append(backbone)
        parts.append(_dataset(dataset, backbones, published))
    return Pipeline(parts)


def _verification(dataset: str) -> Pipeline:
    checked = (*VERIFIED, "source", "index", "subsets")
    return Pipeline(
        [
            Node(
                verify,
                inputs=[*(f"stored_{name}" for name in checked), "params:dataset", "params:trials"],
                outputs=list(VERIFIED),
                name="verify",
            )
        ],
        namespace=f"report.{dataset}",
        inputs={f"stored_{name}": f"{dataset}_{name}" for name in checked},
        parameters={"params:dataset": f"params:datasets.{dataset}"},
        tags=[dataset],
    )


def _tables(table: Table) -> Pipeline:
    return Pipeline(
        [
            Node(
                tabulate,
                inputs=["results", "comparisons", "params:table", "params:statistics"],
                outputs=["scores", *BARE_TABLES, *INTERVAL_TABLES],
                name="tabulate",
            )
        ],
        namespace=f"report.{table_name(table)}",
        inputs={n: f"report.{table.dataset}.{n}" for n in ("results", "comparisons")},
        parameters={"params:statistics"},
        tags=[table.dataset, table.backbone, table.train_set],
    )


def _backbone(own: list[Table], published: str | None) -> Pipeline:
    first = own[0]

    def of_tables(*kinds: str) -> dict[str, str]:
        return {
            f"{table.train_set}_{kind}": f"report.{table_name(table)}.{kind}"
            for table in own
            for kind in kinds
        }

    scores, bare, with_intervals = map(
        lambda kinds: of_tables(*kinds), (("scores",), BARE_TABLES, INTERVAL_TABLES)
    )
    unverified = ("confusions", "histories", "reliability")
    shared = {name: f"{first.dataset}_{name}" for name in unverified} | {
        name: f"report.{first.dataset}.{name}" for name in ("results", "class_profile")
    }
    nodes = [
        Node(join_rows, inputs=list(scores), outputs="scores", name="join_scores"),
        Node(join_tables, inputs=list(bare), outputs="tables", name="join_tables"),
        Node(
            join_tables,
            inputs=list(with_intervals),
            outputs="intervals_tables",
            name="join_intervals_tables",
        ),
        Node(
            draw_backbone,
            inputs=["scores", "results", *unverified, "class_profile", "params:table"],
            outputs=list(FIGURES),
            name="draw_figures",
        ),
    ]
    beside = {}
    parameters = {"params:table": f"params:report.{table_name(first)}.table"}
    if published:
        beside["published"] = f"published_{published}"
        parameters["params:dataset"] = f"params:datasets.{first.dataset}"
        nodes.append(
            Node(
                compare_with_published,
                inputs=["scores", "published", "params:dataset", "params:table"],
                outputs=["published_comparison", PUBLISHED_FIGURE[0]],
                name="compare_with_published",
            )
        )
    return Pipeline(
        nodes,
        namespace=f"report.{first.dataset}.{first.backbone}",
        inputs={
            **scores,
            **bare,
            **with_intervals,
            **beside,
            **shared,
        },
        parameters=parameters,
        tags=[first.dataset, first.backbone],
    )


def _dataset(dataset: str, backbones: list[str], published: str | None) -> Pipeline:
    def of_backbones(*names: str) -> dict[str, str]:
        return {f"{b}_{name}": f"report.{dataset}.{b}.{name}" for b in backbones for name in names}

    pictures = [*FIGURES, PUBLISHED_FIGURE[0]] if published else list(FIGURES)
    scores, figures = of_backbones("scores"), of_backbones(*pictures)
    tables, with_intervals = of_backbones("tables"), of_backbones("intervals_tables")
    beside = {"source": f"{dataset}_source"}
    made = ["scores", "class_profile_figure", "appendix", "intervals_appendix", "report"]
    document = ["class_profile", "params:dataset", "params:contents"]
    profile_figure = "class_profile_figure"
    nodes = [
        Node(join_rows, inputs=list(scores), outputs="scores", name="join_scores"),
        Node(
            draw_class_profile,
            inputs=["class_profile", "params:dataset"],
            outputs=profile_figure,
            name="draw_class_profile",
        ),
        Node(write_appendix, [*document, *tables], "appendix", name="write_appendix"),
    ]
    page = [
        *("results", "scores", "comparisons", "trainings", "source", *document),
        *("params:statistics", "params:command"),
    ]
    if published:
        comparisons = of_backbones("published_comparison")
        beside = {
            "source": f"{dataset}_source",
            "published": f"published_{published}",
            **comparisons,
        }
        made += ["published_comparison", "published_audit"]
        compared = ["published_comparison", "published_audit"]
        nodes += [
            Node(
                join_rows,
                inputs=list(comparisons),
                outputs="published_comparison",
                name="join_published_comparisons",
            ),
            Node(audit_published, ["published", "source"], "published_audit", name="audit"),
            Node(
                write_published_appendix,
                inputs=[*document, *compared, *with_intervals],
                outputs="intervals_appendix",
                name="write_intervals_appendix",
            ),
            Node(
                write_published_page,
                inputs=[*page, *compared, profile_figure, *figures],
                outputs="report",
                name="write_page",
            ),
        ]
    else:
        nodes += [
            Node(
                write_interval_appendix,
                inputs=[*document, *with_intervals],
                outputs="intervals_appendix",
                name="write_intervals_appendix",
            ),
            Node(write_page, [*page, profile_figure, *figures], "report", name="write_page"),
        ]
    return Pipeline(
        nodes,
        namespace=f"report.{dataset}",
        inputs={**beside, **scores, **tables, **with_intervals, **figures},
        outputs={name: f"{dataset}_{name}" for name in made},
        parameters={
            "params:dataset": f"params:datasets.{dataset}",
            "params:statistics": "params:statistics",
            "params:command": "params:report.command",
        },
        tags=[dataset],
    )
