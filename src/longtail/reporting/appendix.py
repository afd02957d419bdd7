"""The appendix: all tables of a data set as one LaTeX document."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from longtail.imbalance import GROUPS
from longtail.parameters import TrainSet
from longtail.reporting.latex import escaped
from longtail.reporting.layouts import TRAIN_SETS
from longtail.reporting.notes import LOSS_NOTE

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
) -> str:
    """The thesis' tables as a document that compiles with pdflatex as it is.

    Args:
        title: the data set's name.
        profile: its class profile.
        train_sets: those that the tables are of.
        sections: each backbone's label and its LaTeX tables.
    """
    return _document(introduction(title, profile, train_sets), _subsections(sections))


def appendix_with_intervals(
    title: str,
    profile: pd.DataFrame,
    train_sets: Sequence[TrainSet],
    reading: str,
    sections: Sequence[tuple[str, str]],
    published_tables: str = "",
    audit: str = "",
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
    """
    body = [_subsections(sections)]
    if published_tables:
        body += [r"\subsection{Beside the published results}", published_tables, r"\clearpage"]
    if audit:
        body += [r"\subsection{The published tables, audited by their own numbers}", audit]
    intro = introduction(title, profile, train_sets)
    return _document(f"{intro}\n\n{reading}", "\n".join(body))


def introduction(title: str, profile: pd.DataFrame, train_sets: Sequence[TrainSet]) -> str:
    """How many images there are of what, and how to read the figures."""
    trained = ", ".join(_training_images(profile, name) for name in train_sets)
    groups = profile.groupby("group")["test_long_tailed"].sum()
    sizes = {
        "balanced": profile["test_balanced"].sum(),
        "long-tailed": profile["test_long_tailed"].sum(),
        **{group: groups[group] for group in GROUPS},
    }
    listed = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    return (
        f"{title}: {len(profile)} classes; training images: {trained}; test images: {listed}. "
        f"One image of the tail test set is worth {100 / groups['tail']:.1f} points of its "
        f"accuracy. {LOSS_NOTE}"
    )


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
