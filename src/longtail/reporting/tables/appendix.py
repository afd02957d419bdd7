"""The appendix: all tables of a data set as one LaTeX document."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from longtail.imbalance import GROUPS, likeness_note
from longtail.parameters import TrainSet
from longtail.reporting.tables.latex import escaped
from longtail.reporting.tables.layouts import TRAIN_SETS
from longtail.reporting.tables.notes import LOSS_NOTE

# What is said of the test sets of data that are long-tailed by nature.
MEANINGS = {
    "natural": "The data are long-tailed by nature: head, middle and tail are by the natural "
    "training images, and parts of all test images. The balanced test set has as many images of "
    "each class as the smallest has, and the long-tailed one is cut by the profile. "
}
PREAMBLE = r"""\documentclass[a4paper,10pt]{article}
\usepackage[utf8]{inputenc}
\usepackage{booktabs}
\usepackage{graphicx}
\usepackage[margin=2cm]{geometry}
\usepackage{caption}
\setlength{\emergencystretch}{3em}
\setcounter{totalnumber}{8}
\renewcommand{\textfraction}{0.05}
\begin{document}
\appendix
\renewcommand{\thetable}{A.\arabic{table}}
\section{Results}
"""


def appendix(
    title: str,
    profile: pd.DataFrame,
    train_sets: Sequence[TrainSet],
    sections: Sequence[tuple[str, str]],
    grouped_by: TrainSet = "long_tailed",
) -> str:
    """The thesis' tables as a document that compiles with pdflatex as it is.

    Args:
        title: the data set's name.
        profile: its class profile.
        train_sets: those that the tables are of.
        sections: each backbone's label and its LaTeX tables.
        grouped_by: see :func:`introduction`.
    """
    return _document(introduction(title, profile, train_sets, grouped_by), _subsections(sections))


def appendix_with_intervals(
    title: str,
    profile: pd.DataFrame,
    train_sets: Sequence[TrainSet],
    reading: str,
    sections: Sequence[tuple[str, str]],
    published_tables: str = "",
    audit: str = "",
    grouped_by: TrainSet = "long_tailed",
) -> str:
    """The tables with intervals and marks, ours beside the published ones, and the latter's audit.

    Args:
        title: the data set's name.
        profile: its class profile.
        train_sets: those that the tables are of.
        reading: how the tables are to be read.
        sections: each backbone's label and its LaTeX tables.
        published_tables: LaTeX tables of ours beside published results; may be empty.
        audit: LaTeX text on the published tables; may be empty.
        grouped_by: see :func:`introduction`.
    """
    body = [_subsections(sections)]
    if published_tables:
        body += [r"\subsection{Beside the published results}", published_tables, r"\clearpage"]
    if audit:
        body += [r"\subsection{The published tables, audited by their own numbers}", audit]
    intro = introduction(title, profile, train_sets, grouped_by)
    return _document(f"{intro}\n\n{reading}", "\n".join(body))


def introduction(
    title: str,
    profile: pd.DataFrame,
    train_sets: Sequence[TrainSet],
    grouped_by: TrainSet = "long_tailed",
) -> str:
    """How many images there are of what, and how to read the figures.

    Head, middle and tail are by ``grouped_by``'s training images, and parts of its test set.
    """
    trained = ", ".join(_training_images(profile, name) for name in train_sets)
    groups = profile.groupby("group")[f"test_{grouped_by}"].sum()
    unequal = {"natural": profile["test_natural"].sum()} if has_natural_test_set(profile) else {}
    sizes = {
        **unequal,
        "balanced": profile["test_balanced"].sum(),
        "long-tailed": profile["test_long_tailed"].sum(),
        **{group: groups[group] for group in GROUPS},
    }
    listed = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    note = likeness_note(profile, grouped_by, "class", "classes")
    alike = f"{note} " if note else ""
    return (
        f"{title}: {len(profile)} classes; training images: {trained}; test images: {listed}. "
        f"{MEANINGS.get(grouped_by, '')}{alike}"
        f"One image of the tail test set is worth {100 / groups['tail']:.1f} points of its "
        f"accuracy. {LOSS_NOTE}"
    )


def has_natural_test_set(profile: pd.DataFrame) -> bool:
    """Whether classes have unequal numbers of test images, so that not all are balanced."""
    return bool(profile["test_natural"].nunique() > 1)


def _training_images(profile: pd.DataFrame, train_set: TrainSet) -> str:
    counts = profile[f"train_{train_set}"]
    of_a_class = f" ({counts.max()} to {counts.min()} a class)" if counts.nunique() > 1 else ""
    return f"{TRAIN_SETS[train_set]} {counts.sum():,}{of_a_class}"


def _subsections(sections: Sequence[tuple[str, str]]) -> str:
    parts = []
    for label, tables in sections:
        parts += [rf"\subsection{{{escaped(label)}}}" + "\n", tables, "\\clearpage\n"]
    return "\n".join(parts)


def _document(intro: str, body: str) -> str:
    return "\n".join([PREAMBLE, escaped(intro) + "\n", body]) + "\\end{document}\n"
