"""The report stage: tables per backbone and training set, figures per backbone, the documents.

::

    report.<dataset>                          verify
    report.<dataset>.<backbone>.<train set>   tabulate
    report.<dataset>.<backbone>               draw, join, compare with published results, and
                                              the backbone's section of the page
    report.<dataset>                          species, gallery, audit, the other sections,
                                              the appendices, the page

Everything is made from what ``verify`` has checked, so nothing is made from stale results.
"""

from __future__ import annotations

from functools import partial
from itertools import groupby

from kedro.pipeline import Node, Pipeline

from longtail.parameters import Parameters, Table
from longtail.pipelines.report.nodes.documents import (
    write_appendix,
    write_data_section,
    write_figures,
    write_introduction,
    write_page,
    write_provenance_section,
    write_reading_note,
    write_results_section,
    write_species_section,
    write_unknown_section,
)
from longtail.pipelines.report.nodes.figures import (
    draw_backbone,
    draw_class_profile,
    select_gallery,
)
from longtail.pipelines.report.nodes.published import (
    audit_published,
    compare_with_published,
    note_published,
    write_published,
)
from longtail.pipelines.report.nodes.tables import (
    BARE_TABLES,
    INTERVAL_TABLES,
    join_rows,
    join_tables,
    tabulate,
    tabulate_species,
)
from longtail.pipelines.report.nodes.verification import verify, verify_novelty
from longtail.reporting.page.backbone_figures import FIGURES
from longtail.trials.grid import table_name, tables

# The outputs of the node ``verify``.
VERIFIED = (
    *("results", "comparisons", "trainings", "class_profile"),
    *("class_confusions", "examples"),
)
STATISTICS = "params:statistics"


def create_pipeline(parameters: Parameters) -> Pipeline:
    """The stage for the data sets, backbones and training sets of the grid."""
    nodes = []
    for dataset, contents in tables(parameters).items():
        options = parameters.datasets[dataset]
        published = f"published_{options.published}" if options.published else None
        has_unknown = options.unknown is not None
        by_backbone = {
            backbone: list(own) for backbone, own in groupby(contents.tables, lambda t: t.backbone)
        }
        nodes += [_verification(dataset), *_species(dataset)]
        for own in by_backbone.values():
            nodes += [*map(_tabulation, own), *_backbone(own, published)]
        if has_unknown:
            nodes += _unknown(dataset)
        if published:
            nodes += _published(dataset, list(by_backbone), published)
        nodes += _appendices(dataset, list(by_backbone), published)
        nodes += _page(dataset, list(by_backbone), published, has_unknown=has_unknown)
    return Pipeline(nodes)


def _verification(dataset: str) -> Node:
    own = f"report.{dataset}"
    return Node(
        verify,
        inputs={
            **_parameters(dataset, "dataset", "trials", "statistics"),
            **{name: f"{dataset}_{name}" for name in (*VERIFIED, "source", "index", "subsets")},
        },
        outputs=[f"{own}.{name}" for name in VERIFIED],
        name="verify",
        namespace=own,
        tags=[dataset],
    )


def _species(dataset: str) -> list[Node]:
    """The tables of single species, the photographs, and their section of the page."""
    own = f"report.{dataset}"
    node = partial(Node, namespace=own, tags=[dataset])
    return [
        node(
            tabulate_species,
            [f"{own}.class_confusions", f"{own}.class_profile", STATISTICS],
            [f"{dataset}_species", f"{dataset}_confused_pairs"],
            name="tabulate_species",
        ),
        node(
            select_gallery,
            {
                **{name: f"{dataset}_{name}" for name in ("images", "index")},
                **{name: f"{own}.{name}" for name in ("examples", "results")},
                "profile": f"{own}.class_profile",
            },
            f"{dataset}_gallery",
            name="select_gallery",
        ),
        node(
            write_species_section,
            {
                "results": f"{own}.results",
                **{name: f"{dataset}_{name}" for name in ("species", "confused_pairs", "gallery")},
                **_parameters(dataset, "contents", "trials"),
            },
            f"{own}.species_section",
            name="write_species_section",
        ),
    ]


def _tabulation(table: Table) -> Node:
    own, dataset = f"report.{table_name(table)}", f"report.{table.dataset}"
    outputs = ("scores", *BARE_TABLES, *INTERVAL_TABLES, "html_tables")
    return Node(
        tabulate,
        [f"{dataset}.results", f"{dataset}.comparisons", f"params:{own}.table", STATISTICS],
        [f"{own}.{name}" for name in outputs],
        name="tabulate",
        namespace=own,
        tags=[table.dataset, table.backbone, table.train_set],
    )


def _backbone(tables: list[Table], published: str | None) -> list[Node]:
    """A backbone's tables, figures and section of the page."""
    dataset, backbone = tables[0].dataset, tables[0].backbone
    own, of_dataset = f"report.{dataset}.{backbone}", f"report.{dataset}"
    node = partial(Node, namespace=own, tags=[dataset, backbone])
    scores, profile = f"{own}.scores", f"{of_dataset}.class_profile"
    options = {
        **_parameters(dataset, "dataset"),
        "table": f"params:report.{table_name(tables[0])}.table",
    }

    def of_tables(*kinds: str) -> list[str]:
        return [f"report.{table_name(table)}.{kind}" for table in tables for kind in kinds]

    joined = {
        "tables": of_tables(*BARE_TABLES),
        "intervals_tables": of_tables(*INTERVAL_TABLES),
        "html_tables": of_tables("html_tables"),
    }
    figures = [f"{own}.{figure}" for figure in FIGURES]
    nodes = [
        node(join_rows, of_tables("scores"), scores, name="join_scores"),
        *(
            node(join_tables, single, f"{own}.{name}", name=f"join_{name}")
            for name, single in joined.items()
        ),
        node(
            draw_backbone,
            {
                "scores": scores,
                "results": f"{of_dataset}.results",
                **{n: f"{dataset}_{n}" for n in ("confusions", "histories", "reliability")},
                "profile": profile,
                **options,
            },
            figures,
            name="draw_figures",
        ),
        node(
            write_figures,
            {"profile": profile, **options, **dict(zip(FIGURES, figures, strict=True))},
            f"{own}.html_figures",
            name="write_figures",
        ),
    ]
    parts = [f"{own}.html_figures", f"{own}.html_tables"]
    if published:
        compared = ("comparison", "figure", "tables", "html")
        nodes.append(
            node(
                compare_with_published,
                {
                    "scores": scores,
                    "published": published,
                    **options,
                    **_parameters(dataset, "contents", "statistics"),
                },
                [f"{own}.published_{name}" for name in compared],
                name="compare_with_published",
            )
        )
        parts.append(f"{own}.published_html")
    nodes.append(node(join_tables, parts, f"{own}.section", name="join_section"))
    return nodes


def _unknown(dataset: str) -> list[Node]:
    """The scores of unknown classes, and their section of the page."""
    own = f"report.{dataset}"
    node = partial(Node, namespace=own, tags=[dataset])
    return [
        node(
            verify_novelty,
            {
                "novelty": f"{dataset}_novelty",
                "results": f"{own}.results",
                **_parameters(dataset, "dataset", "statistics"),
            },
            f"{own}.novelty",
            name="verify_novelty",
        ),
        node(
            write_unknown_section,
            {
                **{name: f"{own}.{name}" for name in ("novelty", "results")},
                "index": f"{dataset}_index",
                "profile": f"{own}.class_profile",
                **_parameters(dataset, "contents"),
            },
            f"{own}.unknown_section",
            name="write_unknown_section",
        ),
    ]


def _published(dataset: str, backbones: list[str], published: str) -> list[Node]:
    """The comparison of all backbones with the published results, and the audit of these."""
    own, comparison = f"report.{dataset}", f"{dataset}_published_comparison"
    audit, note = f"{dataset}_published_audit", f"{own}.published_note"
    node = partial(Node, namespace=own, tags=[dataset])
    return [
        node(
            join_rows,
            [f"{own}.{backbone}.published_comparison" for backbone in backbones],
            comparison,
            name="join_published_comparisons",
        ),
        node(audit_published, [published, f"{dataset}_source"], audit, name="audit"),
        node(
            note_published,
            {
                "published": published,
                "comparison": comparison,
                **_parameters(dataset, "dataset"),
            },
            note,
            name="note_published",
        ),
        node(
            write_published,
            [comparison, audit, note, *(f"{own}.{b}.published_tables" for b in backbones)],
            [f"{own}.published_latex", f"{own}.audit_section"],
            name="write_published",
        ),
    ]


def _appendices(dataset: str, backbones: list[str], published: str | None) -> list[Node]:
    own = f"report.{dataset}"
    node = partial(Node, namespace=own, tags=[dataset])
    with_intervals = [f"{own}.{backbone}.intervals_tables" for backbone in backbones]
    common = {
        "introduction": f"{own}.introduction_note",
        **_parameters(dataset, "contents"),
    }
    intervals_only = {"reading": f"{own}.reading_note"}
    if published:
        intervals_only["published"] = f"{own}.published_latex"
    return [
        node(
            join_rows,
            [f"{own}.{backbone}.scores" for backbone in backbones],
            f"{dataset}_scores",
            name="join_scores",
        ),
        node(
            write_introduction,
            {
                "profile": f"{own}.class_profile",
                **_parameters(dataset, "dataset", "contents"),
            },
            f"{own}.introduction_note",
            name="write_introduction",
        ),
        node(
            write_reading_note,
            [f"{dataset}_scores", STATISTICS, *with_intervals],
            f"{own}.reading_note",
            name="write_reading_note",
        ),
        node(
            write_appendix,
            {**common, **{f"{b}_tables": f"{own}.{b}.tables" for b in backbones}},
            f"{dataset}_appendix",
            name="write_appendix",
        ),
        node(
            write_appendix,
            {
                **common,
                **intervals_only,
                **{f"{b}_tables": f"{own}.{b}.intervals_tables" for b in backbones},
            },
            f"{dataset}_intervals_appendix",
            name="write_intervals_appendix",
        ),
    ]


def _page(
    dataset: str, backbones: list[str], published: str | None, *, has_unknown: bool
) -> list[Node]:
    own, profile = f"report.{dataset}", f"report.{dataset}.class_profile"
    node = partial(Node, namespace=own, tags=[dataset])
    note = {"published": f"{own}.published_note"} if published else {}
    sections = ["data", "results", "species"]
    sections += ["unknown"] if has_unknown else []
    sections += ["audit"] if published else []
    sections.append("provenance")
    return [
        node(
            draw_class_profile,
            {"profile": profile, **_parameters(dataset, "dataset")},
            f"{dataset}_class_profile_figure",
            name="draw_class_profile",
        ),
        node(
            write_data_section,
            {
                **{n: f"{dataset}_{n}" for n in ("source", "index", "rejected", "subsets")},
                "profile": profile,
                "profile_figure": f"{dataset}_class_profile_figure",
                **_parameters(dataset, "dataset"),
            },
            f"{own}.data_section",
            name="write_data_section",
        ),
        node(
            write_provenance_section,
            {
                "trainings": f"{own}.trainings",
                **{name: f"{dataset}_{name}" for name in ("source", "index")},
                **_parameters(dataset, "dataset", "statistics", "command"),
            },
            f"{own}.provenance_section",
            name="write_provenance_section",
        ),
        node(
            write_results_section,
            {
                **_parameters(dataset, "contents"),
                "reading": f"{own}.reading_note",
                **note,
                **{f"{b}_section": f"{own}.{b}.section" for b in backbones},
            },
            f"{own}.results_section",
            name="write_results_section",
        ),
        node(
            write_page,
            [profile, f"params:datasets.{dataset}", *(f"{own}.{n}_section" for n in sections)],
            f"{dataset}_report",
            name="write_page",
        ),
    ]


def _parameters(dataset: str, *names: str) -> dict[str, str]:
    """The parameters of a data set's report, by the arguments of the nodes."""
    known = {
        "dataset": f"params:datasets.{dataset}",
        "contents": f"params:report.{dataset}.contents",
        "trials": f"params:report.{dataset}.trials",
        "statistics": STATISTICS,
        "command": "params:report.command",
    }
    return {name: known[name] for name in names}
