"""The report stage: tables per backbone and training set, figures per backbone, the documents.

::

    report.<dataset>                          verify
    report.<dataset>.<backbone>.<train set>   tabulate
    report.<dataset>.<backbone>               draw, join, compare with published results, and
                                              the backbone's section of the page
    report.<dataset>                          species, gallery, audit, the other sections,
                                              the documents in LaTeX, the page

Everything is made from what ``verify`` has checked, so nothing is made from stale results.

``ARGUMENTS`` has what the arguments of the nodes' functions are in the catalog.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from kedro.pipeline import Node, Pipeline

from longtail.parameters import Parameters, Table
from longtail.pipelines.namespace import Namespace
from longtail.pipelines.report.nodes import documents, figures, page, published, tables
from longtail.pipelines.report.nodes.verification import verify, verify_novelty
from longtail.reporting.page.backbone_figures import FIGURES
from longtail.reporting.page.summary_section import show_summary_figures
from longtail.reporting.page.tables import write_section
from longtail.trials import grid

# The outputs of the node ``verify``.
VERIFIED = (
    *("results", "comparisons", "trainings", "class_profile"),
    *("class_confusions", "examples"),
)
ARGUMENTS = {
    # Of other stages.
    **{name: f"{{dataset}}_{name}" for name in ("source", "index", "rejected", "subsets")},
    **{name: f"{{dataset}}_{name}" for name in ("images", "confusions", "histories")},
    "reliability": "{dataset}_reliability",
    # Verified by this stage.
    **{name: f"report.{{dataset}}.{name}" for name in VERIFIED},
    "profile": "report.{dataset}.class_profile",
    # Results of this stage.
    **{name: f"{{dataset}}_{name}" for name in ("scores", "leaders", "species")},
    **{name: f"{{dataset}}_{name}" for name in ("confused_pairs", "gallery")},
    **{name: f"{{dataset}}_{name}" for name in ("class_profile_figure", "overview_figure")},
    "tail_against_head_figure": "{dataset}_tail_against_head_figure",
    "summary_figures": "report.{dataset}.summary_figures_section",
    **{name: f"{{dataset}}_{name}" for name in ("overall_results", "chapter", "appendix")},
    "intervals_appendix": "{dataset}_intervals_appendix",
    "introduction_note": "report.{dataset}.introduction_note",
    "reading_note": "report.{dataset}.reading_note",
    # Parameters.
    "dataset": "params:datasets.{dataset}",
    "contents": "params:report.{dataset}.contents",
    "trials": "params:report.{dataset}.trials",
    "statistics": "params:statistics",
    "command": "params:report.command",
}
# Only of data sets with unknown classes, and with published results.
NOVELTY_ARGUMENTS = {"novelty": "report.{dataset}.novelty"}
PUBLISHED_ARGUMENTS = {
    "published": "published_{published}",
    "published_comparison": "{dataset}_published_comparison",
    "published_audit": "{dataset}_published_audit",
    "published_note": "report.{dataset}.published_note",
    "published_latex": "report.{dataset}.published_latex",
}
# The figures of all backbones.
DATA_SET_FIGURES = ("class_profile", "overview", "tail_against_head")


def create_pipeline(parameters: Parameters) -> Pipeline:
    """The stage for the data sets, backbones and training sets of the grid."""
    nodes: list[Node] = []
    for dataset, contents in grid.tables(parameters).items():
        options = parameters.datasets[dataset]
        present = {
            **ARGUMENTS,
            **(NOVELTY_ARGUMENTS if options.unknown is not None else {}),
            **(PUBLISHED_ARGUMENTS if options.published else {}),
        }
        values = {"dataset": dataset, "published": options.published}
        arguments = {name: entry.format(**values) for name, entry in present.items()}
        report = Namespace(f"report.{dataset}", (dataset,), arguments)
        by_backbone = {
            backbone: list(own) for backbone, own in groupby(contents.tables, lambda t: t.backbone)
        }
        nodes += _verification(report, dataset)
        for own in by_backbone.values():
            nodes += _backbone(report, own)
        nodes += _data_set(report, dataset, list(by_backbone))
        nodes += _latex(report, dataset, list(by_backbone))
        nodes += _archives(report, dataset, contents.tables)
        nodes += _page(report, dataset, list(by_backbone))
    return Pipeline(nodes)


def _verification(report: Namespace, dataset: str) -> Iterator[Node]:
    yield report.node(
        verify,
        [f"{report.name}.{name}" for name in VERIFIED],
        **{name: f"{dataset}_{name}" for name in (*VERIFIED, "source", "index", "subsets")},
    )
    if "novelty" in report.arguments:
        verified = report.arguments["novelty"]
        yield report.node(verify_novelty, verified, novelty=f"{dataset}_novelty")


def _backbone(report: Namespace, own: Sequence[Table]) -> Iterator[Node]:
    """A backbone's tables, figures and section of the page."""
    first = own[0]
    name = f"{report.name}.{first.backbone}"
    of_backbone = {
        "scores": f"{name}.scores",
        "table": f"params:report.{grid.table_name(first)}.table",
        "html_figures": f"{name}.html_figures",
    }
    if "published" in report.arguments:
        of_backbone["published_html"] = f"{name}.published_html"
    namespace = Namespace(name, (*report.tags, first.backbone), {**report.arguments, **of_backbone})
    for table in own:
        of_table = f"{name}.{table.train_set}"
        outputs = ["scores", *(f"{kind}_table" for kind in tables.KINDS), "tables", "html_tables"]
        yield Namespace(of_table, (*namespace.tags, table.train_set), report.arguments).node(
            tables.tabulate,
            [f"{of_table}.{output}" for output in outputs],
            table=f"params:report.{grid.table_name(table)}.table",
        )
    for join, kind in ((tables.join_rows, "scores"), (tables.join_tables, "tables")):
        parts = [f"{name}.{table.train_set}.{kind}" for table in own]
        yield namespace.joined(join, parts, f"{name}.{kind}", f"join_{kind}")
    drawn = [f"{name}.{figure}" for figure in FIGURES]
    pdf, svg = ([f.replace("_figure", f"_{kind}") for f in drawn] for kind in ("pdf", "svg"))
    yield namespace.node(figures.draw_figures, [*drawn, *pdf, *svg, f"{name}.html_figures"])
    if "published" in report.arguments:
        compared = ("comparison", "figure", "pdf", "svg", "tables", "html")
        yield namespace.node(
            published.compare_with_published, [f"{name}.published_{part}" for part in compared]
        )
    html = {table.train_set: f"{name}.{table.train_set}.html_tables" for table in own}
    yield namespace.node(write_section, f"{name}.section", **html)


def _data_set(report: Namespace, dataset: str, backbones: list[str]) -> Iterator[Node]:
    """Tables and figures of all backbones."""
    scores = [f"{report.name}.{backbone}.scores" for backbone in backbones]
    yield report.joined(tables.join_rows, scores, f"{dataset}_scores", "join_scores")
    yield report.node(tables.find_leaders, f"{dataset}_leaders")
    yield report.node(tables.tabulate_species, [f"{dataset}_species", f"{dataset}_confused_pairs"])
    yield report.node(figures.select_gallery, f"{dataset}_gallery")
    for draw, name in (
        (figures.draw_class_profile, "class_profile"),
        (figures.draw_overview, "overview"),
        (figures.draw_tail_against_head, "tail_against_head"),
    ):
        yield report.node(draw, [f"{dataset}_{name}_{kind}" for kind in ("figure", "pdf", "svg")])
    if "published" in report.arguments:
        compared = [f"{report.name}.{b}.published_comparison" for b in backbones]
        yield report.joined(
            tables.join_rows, compared, f"{dataset}_published_comparison", "join_comparisons"
        )
        yield report.node(published.audit_published, f"{dataset}_published_audit")
        yield report.node(published.note_published, f"{report.name}.published_note")
        yield report.node(
            published.write_published,
            [f"{report.name}.published_latex", f"{report.name}.audit_section"],
            **{b: f"{report.name}.{b}.published_tables" for b in backbones},
        )


def _latex(report: Namespace, dataset: str, backbones: list[str]) -> Iterator[Node]:
    in_latex = {backbone: f"{report.name}.{backbone}.tables" for backbone in backbones}
    yield report.node(documents.write_introduction, f"{report.name}.introduction_note")
    yield report.node(documents.write_overall_results, f"{dataset}_overall_results")
    for write, output in (
        (documents.write_reading_note, f"{report.name}.reading_note"),
        (documents.write_appendix, f"{dataset}_appendix"),
        (documents.write_intervals_appendix, f"{dataset}_intervals_appendix"),
        (documents.write_chapter, f"{dataset}_chapter"),
    ):
        yield report.node(write, output, **in_latex)


def _archives(report: Namespace, dataset: str, own: Sequence[Table]) -> Iterator[Node]:
    """All tables and figures, so that nothing that the stage makes is left beside them."""
    names = [figure.removesuffix("_figure") for figure in FIGURES]
    names += ["published"] if "published" in report.arguments else []
    backbones = dict.fromkeys(table.backbone for table in own)
    drawn = {f"{b}_{name}": f"{report.name}.{b}.{name}" for b in backbones for name in names}
    drawn |= {name: f"{dataset}_{name}" for name in DATA_SET_FIGURES}
    in_latex = {
        f"{table.backbone}_{table.train_set}_{kind}": (
            f"{report.name}.{table.backbone}.{table.train_set}.{kind}_table"
        )
        for table in own
        for kind in tables.KINDS
    }
    pdf = {name: f"{figure}_pdf" for name, figure in drawn.items()}
    yield report.node(documents.bundle_latex, f"{dataset}_latex", **in_latex, **pdf)
    png = {f"{name}.png": f"{figure}_figure" for name, figure in drawn.items()}
    svg = {f"{name}.svg": f"{figure}_svg" for name, figure in drawn.items()}
    yield report.node(documents.bundle_figures, f"{dataset}_figures", **png, **svg)


def _page(report: Namespace, dataset: str, backbones: list[str]) -> Iterator[Node]:
    yield report.node(show_summary_figures, f"{report.name}.summary_figures_section")
    sections = {backbone: f"{report.name}.{backbone}.section" for backbone in backbones}
    written = {
        "summary": report.node(page.write_summary_section, f"{report.name}.summary_section"),
        "results": report.node(
            page.write_results_section, f"{report.name}.results_section", **sections
        ),
        "species": report.node(page.write_species_section, f"{report.name}.species_section"),
    }
    if "novelty" in report.arguments:
        output = f"{report.name}.unknown_section"
        written["unknown"] = report.node(page.write_unknown_section, output)
    written["data"] = report.node(page.write_data_section, f"{report.name}.data_section")
    yield from written.values()
    names = [*written, *(["audit"] if "published" in report.arguments else []), "provenance"]
    yield report.node(page.write_provenance_section, f"{report.name}.provenance_section")
    yield report.node(
        page.write_page,
        f"{dataset}_report",
        **{name: f"{report.name}.{name}_section" for name in names},
    )
