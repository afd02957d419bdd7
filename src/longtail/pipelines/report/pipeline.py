"""The report stage: tables a backbone and training set, figures a backbone, the documents.

::

    report.<dataset>                          verify
    report.<dataset>.<backbone>.<train set>   tabulate
    report.<dataset>.<backbone>               draw, join, compare with what is published
    report.<dataset>                          species, gallery, profile figure, audit, appendices,
                                              page

Everything is made of what `verify` lets through, so nothing is made where results are stale.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from kedro.pipeline import Node, Pipeline

from longtail.parameters import Parameters, Table
from longtail.pipelines.report.nodes import (
    BARE_TABLES,
    INTERVAL_TABLES,
    audit_published,
    compare_with_published,
    draw_backbone,
    draw_class_profile,
    hang_gallery,
    join_rows,
    join_tables,
    tabulate,
    tabulate_species,
    verify,
    verify_novelty,
    write_appendix,
    write_interval_appendix,
    write_page,
)
from longtail.reporting.page.captions import FIGURES, PUBLISHED_FIGURES
from longtail.trials.grid import table_name, tables

# What the node ``verify`` lets through.
VERIFIED = (
    *("results", "comparisons", "trainings", "class_profile"),
    *("class_confusions", "examples"),
)
# What is verified of data sets with unknown classes alone.
NOVELTY = "novelty"
# What is made of single species.
SPECIES = ("species", "confused_pairs", "gallery")


def create_pipeline(parameters: Parameters) -> Pipeline:
    """The stage for the data sets, backbones and training sets of the grid."""
    parts = []
    for dataset, contents in tables(parameters).items():
        published = parameters.datasets[dataset].published
        has_unknown = parameters.datasets[dataset].unknown is not None
        backbones = []
        parts.append(_verification(dataset))
        if has_unknown:
            parts.append(_verification_of_novelty(dataset))
        for backbone, of_backbone in groupby(contents.tables, key=lambda t: t.backbone):
            own = list(of_backbone)
            parts += [_tables(table) for table in own]
            parts.append(_backbone(own))
            if published:
                parts.append(_published(own[0], published))
            backbones.append(backbone)
        parts.append(_species(dataset))
        parts.append(_documents(dataset, backbones, published, has_unknown=has_unknown))
        if published:
            parts.append(_audit(dataset, backbones, published))
    return Pipeline(parts)


def _made(dataset: str, *names: str) -> dict[str, str]:
    """What is made of a data set, by the names that the nodes here know it by."""
    return {
        name: f"report.{dataset}.{name}" if name in (*VERIFIED, NOVELTY) else f"{dataset}_{name}"
        for name in names
    }


def _verification(dataset: str) -> Pipeline:
    checked = (*VERIFIED, "source", "index", "subsets")
    return Pipeline(
        [
            Node(
                verify,
                inputs=[
                    *(f"stored_{name}" for name in checked),
                    *("params:dataset", "params:trials", "params:statistics"),
                ],
                outputs=list(VERIFIED),
                name="verify",
            )
        ],
        namespace=f"report.{dataset}",
        inputs={f"stored_{name}": f"{dataset}_{name}" for name in checked},
        parameters={
            "params:dataset": f"params:datasets.{dataset}",
            "params:statistics": "params:statistics",
        },
        tags=[dataset],
    )


def _verification_of_novelty(dataset: str) -> Pipeline:
    return Pipeline(
        [
            Node(
                verify_novelty,
                inputs=["stored_novelty", "results", "params:dataset", "params:statistics"],
                outputs=NOVELTY,
                name="verify_novelty",
            )
        ],
        namespace=f"report.{dataset}",
        inputs={"stored_novelty": f"{dataset}_novelty", **_made(dataset, "results")},
        parameters={
            "params:dataset": f"params:datasets.{dataset}",
            "params:statistics": "params:statistics",
        },
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
        inputs=_made(table.dataset, "results", "comparisons"),
        parameters={"params:statistics"},
        tags=[table.dataset, table.backbone, table.train_set],
    )


def _backbone(own: list[Table]) -> Pipeline:
    first = own[0]

    def of_tables(*kinds: str) -> dict[str, str]:
        return {
            f"{table.train_set}_{kind}": f"report.{table_name(table)}.{kind}"
            for table in own
            for kind in kinds
        }

    scores, bare = of_tables("scores"), of_tables(*BARE_TABLES)
    with_intervals = of_tables(*INTERVAL_TABLES)
    shared = ("results", "confusions", "histories", "reliability", "class_profile")
    return Pipeline(
        [
            Node(join_rows, list(scores), "scores", name="join_scores"),
            Node(join_tables, list(bare), "tables", name="join_tables"),
            Node(
                join_tables, list(with_intervals), "intervals_tables", name="join_intervals_tables"
            ),
            Node(
                draw_backbone,
                inputs=["scores", *shared, "params:table", "params:dataset"],
                outputs=list(FIGURES),
                name="draw_figures",
            ),
        ],
        namespace=f"report.{first.dataset}.{first.backbone}",
        inputs={**scores, **bare, **with_intervals, **_made(first.dataset, *shared)},
        parameters={
            "params:table": f"params:report.{table_name(first)}.table",
            "params:dataset": f"params:datasets.{first.dataset}",
        },
        tags=[first.dataset, first.backbone],
    )


def _species(dataset: str) -> Pipeline:
    """The tables of single species, and the photographs."""
    given = ("class_confusions", "class_profile", "examples", "results", "images", "index")
    return Pipeline(
        [
            Node(
                tabulate_species,
                inputs=["class_confusions", "class_profile", "params:statistics"],
                outputs=["species", "confused_pairs"],
                name="tabulate_species",
            ),
            Node(
                hang_gallery,
                inputs=["images", "index", "examples", "results", "class_profile"],
                outputs="gallery",
                name="hang_gallery",
            ),
        ],
        namespace=f"report.{dataset}",
        inputs=_made(dataset, *given),
        outputs=_made(dataset, *SPECIES),
        parameters={"params:statistics"},
        tags=[dataset],
    )


def _published(table: Table, published: str) -> Pipeline:
    """A backbone's results beside the published ones."""
    return Pipeline(
        [
            Node(
                compare_with_published,
                inputs=[
                    *("scores", "published"),
                    *("params:dataset", "params:table", "params:statistics"),
                ],
                outputs=["published_comparison", *PUBLISHED_FIGURES],
                name="compare_with_published",
            )
        ],
        namespace=f"report.{table.dataset}.{table.backbone}",
        inputs={
            "scores": f"report.{table.dataset}.{table.backbone}.scores",
            "published": f"published_{published}",
        },
        parameters={
            "params:dataset": f"params:datasets.{table.dataset}",
            "params:table": f"params:report.{table_name(table)}.table",
            "params:statistics": "params:statistics",
        },
        tags=[table.dataset, table.backbone],
    )


def _audit(dataset: str, backbones: list[str], published: str) -> Pipeline:
    """The comparison of all backbones with the published results, and the audit of these."""
    comparisons = _of_backbones(dataset, backbones, "published_comparison")
    return Pipeline(
        [
            Node(
                join_rows,
                inputs=list(comparisons),
                outputs="published_comparison",
                name="join_published_comparisons",
            ),
            Node(audit_published, ["published", "source"], "published_audit", name="audit"),
        ],
        namespace=f"report.{dataset}",
        inputs={
            **comparisons,
            "published": f"published_{published}",
            **_made(dataset, "source"),
        },
        outputs=_made(dataset, "published_comparison", "published_audit"),
        tags=[dataset],
    )


def _documents(
    dataset: str, backbones: list[str], published: str | None, *, has_unknown: bool
) -> Pipeline:
    pictures = [*FIGURES, *PUBLISHED_FIGURES] if published else list(FIGURES)
    scores = _of_backbones(dataset, backbones, "scores")
    tables = _of_backbones(dataset, backbones, "tables")
    with_intervals = _of_backbones(dataset, backbones, "intervals_tables")
    figures = _of_backbones(dataset, backbones, *pictures)
    tables_read = ("results", "comparisons", "trainings", *SPECIES)
    data_read = ("source", "index", "rejected", "subsets")
    given = _made(dataset, "class_profile", *tables_read, *data_read)
    optional = {}
    if published:
        optional = {"comparison": "published_comparison", "audit": "published_audit"}
        given |= _made(dataset, *optional.values())
        optional["published"] = "published"
        given["published"] = f"published_{published}"
    page_only = [NOVELTY] if has_unknown else []
    given |= _made(dataset, *page_only)
    common = {
        "profile": "class_profile",
        "dataset": "params:dataset",
        "contents": "params:contents",
    }
    printed = common | {"scores": "scores", "statistics": "params:statistics"} | optional
    made = ("scores", "class_profile_figure", "appendix", "intervals_appendix", "report")
    return Pipeline(
        [
            Node(join_rows, list(scores), "scores", name="join_scores"),
            Node(
                draw_class_profile,
                inputs=["class_profile", "params:dataset"],
                outputs="class_profile_figure",
                name="draw_class_profile",
            ),
            Node(
                write_appendix,
                inputs=common | _keywords(tables),
                outputs="appendix",
                name="write_appendix",
            ),
            Node(
                write_interval_appendix,
                inputs=printed | {f"{b}_tables": f"{b}_intervals_tables" for b in backbones},
                outputs="intervals_appendix",
                name="write_intervals_appendix",
            ),
            Node(
                write_page,
                inputs=printed
                | {"profile_figure": "class_profile_figure", "command": "params:command"}
                | {"trials": "params:trials"}
                | _keywords((*tables_read, *data_read, *page_only, *figures)),
                outputs="report",
                name="write_page",
            ),
        ],
        namespace=f"report.{dataset}",
        inputs={**given, **scores, **tables, **with_intervals, **figures},
        outputs=_made(dataset, *made),
        parameters={
            "params:dataset": f"params:datasets.{dataset}",
            "params:statistics": "params:statistics",
            "params:command": "params:report.command",
        },
        tags=[dataset],
    )


def _of_backbones(dataset: str, backbones: list[str], *names: str) -> dict[str, str]:
    """What is made of each backbone, by the name that it has beside the others'."""
    return {f"{b}_{name}": f"report.{dataset}.{b}.{name}" for b in backbones for name in names}


def _keywords(names: Iterable[str]) -> dict[str, str]:
    """Inputs of a node whose arguments are called like them."""
    return {name: name for name in names}
