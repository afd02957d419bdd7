"""The report stage: tables per backbone and training set, figures per backbone, the documents.

::

    report.<dataset>                          verify
    report.<dataset>.<backbone>.<train set>   tabulate
    report.<dataset>.<backbone>               draw, join, compare with published results, and
                                              the backbone's section of the page
    report.<dataset>                          scores, leaders, species
    report.<dataset>.published                compare all backbones, audit
    report.<dataset>.figures                  the figures of all backbones
    report.<dataset>.latex                    the documents in LaTeX
    report.<dataset>.page                     gallery, sections, the page

Everything is made from what ``verify`` has checked, so nothing is made from stale results.

Each namespace is a box of Kedro-Viz, which draws what goes from one box to another. So a backbone's
tables leave its box as one artifact, and so do its figures.

``ARGUMENTS`` has what the arguments of the nodes' functions are in the catalog.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from kedro.pipeline import Node, Pipeline

from longtail.parameters import Parameters, Table
from longtail.pipelines.joins import concatenate, merge
from longtail.pipelines.namespace import Function, Namespace, of_dataset
from longtail.pipelines.report.nodes import documents, figures, published, tables
from longtail.pipelines.report.nodes.verification import verify, verify_novelty
from longtail.reporting.page.backbone_figures import FIGURES
from longtail.reporting.page.data_section import write_data_section
from longtail.reporting.page.gallery import select_gallery
from longtail.reporting.page.html_tables import write_section
from longtail.reporting.page.provenance_section import write_provenance_section
from longtail.reporting.page.report_page import write_page, write_results_section
from longtail.reporting.page.species_section import write_species_section
from longtail.reporting.page.summary_section import show_summary_figures, write_summary_section
from longtail.reporting.page.unknown_section import write_unknown_section
from longtail.reporting.tables.appendix import write_introduction
from longtail.reporting.tables.leaders import find_leaders
from longtail.trials import grid

# The outputs of the node ``verify``.
VERIFIED = (
    *("results", "comparisons", "trainings", "class_profile"),
    *("class_confusions", "examples"),
)
ARGUMENTS = {
    # Of other stages.
    **of_dataset("source", "index", "rejected", "subsets", "images"),
    **of_dataset("confusions", "histories", "reliability"),
    # Verified by this stage.
    **{name: f"report.{{dataset}}.{name}" for name in VERIFIED},
    "profile": "report.{dataset}.class_profile",
    # Results of this stage.
    **of_dataset("scores", "leaders", "species", "confused_pairs", "gallery"),
    **of_dataset("class_profile_figure", "overview_figure", "tail_against_head_figure"),
    **of_dataset("overall_results", "chapter", "appendix", "intervals_appendix"),
    "summary_figures": "report.{dataset}.summary_figures_section",
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
    **of_dataset("published_comparison", "published_audit"),
    "published_note": "report.{dataset}.published_note",
    "published_latex": "report.{dataset}.published_latex",
}
# The figures of all backbones.
DATA_SET_FIGURES: dict[Function, str] = {
    figures.draw_class_profile: "class_profile",
    figures.draw_overview: "overview",
    figures.draw_tail_against_head: "tail_against_head",
}


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
        if "published" in report.arguments:
            nodes += _published(report, dataset, list(by_backbone))
        nodes += _figures(report, dataset, list(by_backbone))
        nodes += _latex(report, dataset, list(by_backbone))
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
        box = Namespace(of_table, (*namespace.tags, table.train_set), report.arguments)
        in_latex = {kind: f"{of_table}.{kind}_table" for kind in tables.KINDS}
        yield box.node(
            tables.tabulate,
            [f"{of_table}.scores", *in_latex.values(), f"{of_table}.html_tables"],
            table=f"params:report.{grid.table_name(table)}.table",
        )
        named = {f"{table.train_set}_{kind}": entry for kind, entry in in_latex.items()}
        yield box.node(documents.collect, f"{of_table}.tables", "collect_tables", **named)
    for join, kind in ((concatenate, "scores"), (merge, "tables")):
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
    names = [figure.removesuffix("_figure") for figure in FIGURES]
    names += ["published"] if "published" in report.arguments else []
    files = {
        f"{figure}.{suffix}": f"{name}.{figure}_{kind}"
        for figure in names
        for suffix, kind in (("png", "figure"), ("pdf", "pdf"), ("svg", "svg"))
    }
    yield namespace.node(documents.collect, f"{name}.figures", "collect_figures", **files)
    html = {table.train_set: f"{name}.{table.train_set}.html_tables" for table in own}
    yield namespace.node(write_section, f"{name}.section", **html)


def _data_set(report: Namespace, dataset: str, backbones: list[str]) -> Iterator[Node]:
    """Tables of all backbones."""
    scores = [f"{report.name}.{backbone}.scores" for backbone in backbones]
    yield report.joined(concatenate, scores, f"{dataset}_scores", "join_scores")
    yield report.node(find_leaders, f"{dataset}_leaders")
    yield report.node(tables.tabulate_species, [f"{dataset}_species", f"{dataset}_confused_pairs"])


def _published(report: Namespace, dataset: str, backbones: list[str]) -> Iterator[Node]:
    """The comparison of all backbones with published results, and the audit of these."""
    box = replace(report, name=f"{report.name}.published")
    compared = [f"{report.name}.{b}.published_comparison" for b in backbones]
    yield box.joined(concatenate, compared, f"{dataset}_published_comparison", "join_comparisons")
    yield box.node(published.audit_published, f"{dataset}_published_audit")
    yield box.node(published.note_published, f"{report.name}.published_note")
    yield box.node(
        published.write_published,
        [f"{report.name}.published_latex", f"{report.name}.audit_section"],
        **{b: f"{report.name}.{b}.published_tables" for b in backbones},
    )


def _figures(report: Namespace, dataset: str, backbones: list[str]) -> Iterator[Node]:
    """Figures of all backbones, and the archive of all figures."""
    box = replace(report, name=f"{report.name}.figures")
    for draw, name in DATA_SET_FIGURES.items():
        yield box.node(draw, [f"{dataset}_{name}_{kind}" for kind in ("figure", "pdf", "svg")])
    drawn = {backbone: f"{report.name}.{backbone}.figures" for backbone in backbones}
    drawn |= {f"{name}.png": f"{dataset}_{name}_figure" for name in DATA_SET_FIGURES.values()}
    drawn |= {f"{name}.svg": f"{dataset}_{name}_svg" for name in DATA_SET_FIGURES.values()}
    yield box.node(documents.bundle_figures, f"{dataset}_figures", **drawn)


def _latex(report: Namespace, dataset: str, backbones: list[str]) -> Iterator[Node]:
    """The documents, and the archive of these and of all tables and figures."""
    box = replace(report, name=f"{report.name}.latex")
    in_latex = {backbone: f"{report.name}.{backbone}.tables" for backbone in backbones}
    yield box.node(write_introduction, f"{report.name}.introduction_note")
    yield box.node(documents.write_overall_results, f"{dataset}_overall_results")
    for write, output in (
        (documents.write_reading_note, f"{report.name}.reading_note"),
        (documents.write_appendix, f"{dataset}_appendix"),
        (documents.write_intervals_appendix, f"{dataset}_intervals_appendix"),
        (documents.write_chapter, f"{dataset}_chapter"),
    ):
        yield box.node(write, output, **in_latex)
    parts = {f"tables/{backbone}": entry for backbone, entry in in_latex.items()}
    parts |= {f"figures/{backbone}": f"{report.name}.{backbone}.figures" for backbone in backbones}
    parts |= {f"figures/{name}.pdf": f"{dataset}_{name}_pdf" for name in DATA_SET_FIGURES.values()}
    yield box.node(documents.bundle_latex, f"{dataset}_latex", **parts)


def _page(report: Namespace, dataset: str, backbones: list[str]) -> Iterator[Node]:
    box = replace(report, name=f"{report.name}.page")
    yield box.node(select_gallery, f"{dataset}_gallery")
    yield box.node(show_summary_figures, f"{report.name}.summary_figures_section")
    sections = {backbone: f"{report.name}.{backbone}.section" for backbone in backbones}
    written = {
        "summary": box.node(write_summary_section, f"{report.name}.summary_section"),
        "results": box.node(write_results_section, f"{report.name}.results_section", **sections),
        "species": box.node(write_species_section, f"{report.name}.species_section"),
    }
    if "novelty" in report.arguments:
        output = f"{report.name}.unknown_section"
        written["unknown"] = box.node(write_unknown_section, output)
    written["data"] = box.node(write_data_section, f"{report.name}.data_section")
    yield from written.values()
    names = [*written, *(["audit"] if "published" in report.arguments else []), "provenance"]
    yield box.node(write_provenance_section, f"{report.name}.provenance_section")
    yield box.node(
        write_page,
        f"{dataset}_report",
        **{name: f"{report.name}.{name}_section" for name in names},
    )
