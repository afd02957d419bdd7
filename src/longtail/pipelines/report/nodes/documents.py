"""Nodes that write the documents in LaTeX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

import pandas as pd

from longtail.imbalance.group_sizes import has_groups
from longtail.parameters import Contents, Statistics, Table
from longtail.reporting.tables.appendix import appendix
from longtail.reporting.tables.chapter import chapter, overall_results
from longtail.reporting.tables.latex import BOLD, STAR
from longtail.reporting.tables.layouts import BODY_LAYOUT, COSTS_LAYOUT, LAYOUTS, THESIS_LAYOUTS
from longtail.reporting.tables.leaders import leader_paragraphs, noise_note
from longtail.reporting.tables.result_tables import latex_label
from longtail.reporting.tables.table_notes import reading_note

# The LaTeX tables of each backbone by ``<training set>_<kind>``.
Tables = Mapping[str, str]
# The figures of each backbone by the names of their files, as PNG, PDF and SVG.
Figures = Mapping[str, bytes]


def write_reading_note(
    scores: pd.DataFrame, statistics: Statistics, contents: Contents, **backbones: Tables
) -> str:
    """How to read the tables with intervals, with the marks that occur in any of them."""
    text = "".join(table for tables in backbones.values() for table in tables.values())
    return reading_note(
        scores,
        statistics,
        has_stars=STAR in text,
        has_bold=BOLD in text,
        draw_per_seed=contents.tables[0].draw_per_seed,
    )


def write_appendix(introduction_note: str, contents: Contents, **backbones: Tables) -> str:
    """All tables in the thesis' layout as one document that pdflatex compiles."""
    kinds = [layout.kind for layout in THESIS_LAYOUTS]
    return appendix(introduction_note, _sections(contents, backbones, kinds))


def write_intervals_appendix(
    introduction_note: str,
    reading_note: str,
    contents: Contents,
    published_latex: str = "",
    **backbones: Tables,
) -> str:
    """All tables with intervals and the costs as one document, with published results if any."""
    kinds = [*(f"{layout.kind}_intervals" for layout in LAYOUTS), COSTS_LAYOUT.kind]
    text = "\n\n".join([introduction_note, reading_note])
    return appendix(text, _sections(contents, backbones, kinds), published_latex)


def write_overall_results(leaders: pd.DataFrame, contents: Contents, statistics: Statistics) -> str:
    """Section 5.1: which methods are best for the tail and overall."""
    return overall_results(noise_note(statistics), leader_paragraphs(leaders, contents))


def write_chapter(
    overall_results: str, profile: pd.DataFrame, contents: Contents, **backbones: Tables
) -> str:
    """The chapter of results of the thesis' body, with the tables 5.1, 5.2, ..."""
    return chapter(
        overall_results,
        [
            (
                label,
                [
                    (
                        latex_label(table, BODY_LAYOUT.kind),
                        backbones[table.backbone][f"{table.train_set}_{BODY_LAYOUT.kind}"],
                    )
                    for table in own
                ],
            )
            for label, own in _by_backbone(contents)
        ],
        has_groups=has_groups(profile),
    )


def collect(**parts: str | bytes) -> dict[str, str | bytes]:
    """Tables or figures by their names as one, so that others read one artifact of them."""
    return parts


def bundle_latex(
    overall_results: str,
    chapter: str,
    appendix: str,
    intervals_appendix: str,
    **parts: Tables | Figures | bytes,
) -> dict[str, bytes]:
    """All documents, tables and figures for LaTeX by the names of their files.

    Args:
        overall_results: section 5.1.
        chapter: chapter with the tables of the thesis' body.
        appendix: appendix in the thesis' layout.
        intervals_appendix: appendix with intervals.
        parts: the tables and the figures of each backbone, and other figures, by their paths.
    """
    files = {
        "overall_results.tex": overall_results,
        "chapter.tex": chapter,
        "appendix.tex": appendix,
        "appendix_intervals.tex": intervals_appendix,
    }
    figures = {}
    for path, part in _single_parts(parts).items():
        if isinstance(part, str):
            files[f"{path}.tex"] = part
        elif path.endswith(".pdf"):
            figures[path] = part
    return {name: text.encode() for name, text in files.items()} | figures


def bundle_figures(**parts: Figures | bytes) -> dict[str, bytes]:
    """All figures as PNG and SVG by the names of their files, for slides and pages.

    Args:
        parts: the figures of each backbone, and other figures, by the names of their files.
    """
    files = _single_parts(parts)
    return {
        name: figure
        for suffix in (".png", ".svg")
        for name, figure in files.items()
        if isinstance(figure, bytes) and name.endswith(suffix)
    }


def _single_parts(parts: Mapping[str, Tables | Figures | bytes]) -> dict[str, str | bytes]:
    """Each table and figure; the name of a backbone's begins with that of the backbone."""
    single: dict[str, str | bytes] = {}
    for name, part in parts.items():
        if isinstance(part, bytes):
            single[name] = part
        else:
            single |= {f"{name}_{own}": content for own, content in part.items()}
    return single


def _by_backbone(contents: Contents) -> Iterator[tuple[str, list[Table]]]:
    """The label and the tables of each backbone, in order."""
    for _, own in groupby(contents.tables, lambda table: table.backbone):
        tables = list(own)
        yield tables[0].backbone_label, tables


def _sections(
    contents: Contents, backbones: Mapping[str, Tables], kinds: list[str]
) -> list[tuple[str, str]]:
    """The label of each backbone and its tables of some kinds."""
    return [
        (
            label,
            "\n".join(
                backbones[table.backbone][f"{table.train_set}_{kind}"]
                for table in own
                for kind in kinds
            ),
        )
        for label, own in _by_backbone(contents)
    ]
