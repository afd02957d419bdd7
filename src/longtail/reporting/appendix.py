"""The appendix: all tables of a data set as one LaTeX document."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from longtail.imbalance import GROUPS
from longtail.reporting.latex import escaped
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


def appendix(title: str, profile: pd.DataFrame, sections: Sequence[tuple[str, str]]) -> str:
    """The thesis' tables as a document that compiles with pdflatex as it is.

    Args:
        title: the data set's name.
        profile: its class profile.
        sections: each backbone's label and its LaTeX tables.
    """
    return _document(introduction(title, profile), _subsections(sections))


def appendix_with_intervals(
    title: str,
    profile: pd.DataFrame,
    reading: str,
    sections: Sequence[tuple[str, str]],
    published_tables: str = "",
    audit: str = "",
) -> str:
    """The tables with intervals and marks, ours beside the published ones, and the latter's audit.

    Args:
        title: the data set's name.
        profile: its class profile.
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
    return _document(f"{introduction(title, profile)}\n\n{reading}", "\n".join(body))


def introduction(title: str, profile: pd.DataFrame) -> str:
    """How many images there are of what, and how to read the figures."""
    balanced, cut = profile["train_balanced"].sum(), profile["train_long_tailed"].sum()
    groups = profile.groupby("group")["test_long_tailed"].sum()
    sizes = {
        "balanced": profile["test_balanced"].sum(),
        "long-tailed": profile["test_long_tailed"].sum(),
        **{group: groups[group] for group in GROUPS},
    }
    listed = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    return (
        f"{title}: {len(profile)} classes; training images: balanced {balanced:,}, long-tailed "
        f"{cut:,} ({profile['train_long_tailed'].max()} to {profile['train_long_tailed'].min()} "
        f"a class); test images: {listed}. One image of the tail test set is worth "
        f"{100 / groups['tail']:.1f} points of its accuracy. {LOSS_NOTE}"
    )


def _subsections(sections: Sequence[tuple[str, str]]) -> str:
    parts = []
    for label, tables in sections:
        parts += [rf"\subsection{{{escaped(label)}}}" + "\n", tables, "\\clearpage\n"]
    return "\n".join(parts)


def _document(intro: str, body: str) -> str:
    return "\n".join([PREAMBLE, escaped(intro) + "\n", body]) + "\\end{document}\n"
