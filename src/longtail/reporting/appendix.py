"""The appendix: all tables of a data set as one LaTeX document."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from longtail.imbalance import GROUPS
from longtail.reporting.tables import escaped

PREAMBLE = r"""\documentclass[a4paper,10pt]{article}
\usepackage[utf8]{inputenc}
\usepackage{booktabs}
\usepackage{graphicx}
\usepackage[margin=2cm]{geometry}
\usepackage{caption}
\begin{document}
\appendix
\renewcommand{\thetable}{A.\arabic{table}}
\section{Results}
"""

LOSS_NOTE = (
    "The loss is the criterion that the row was trained with, evaluated on the test set; it "
    "cannot be compared between rows of different losses. F1 is averaged over classes, weighted "
    "by their test images. The best value of each column is bold; few test images make many "
    "such differences noise."
)


def appendix(title: str, profile: pd.DataFrame, sections: Sequence[tuple[str, str]]) -> str:
    """A document that compiles with pdflatex as it is.

    Args:
        title: the data set's name.
        profile: its class profile.
        sections: each backbone's label and its LaTeX tables.
    """
    balanced, cut = profile["train_balanced"].sum(), profile["train_long_tailed"].sum()
    groups = profile.groupby("group")["test_long_tailed"].sum()
    sizes = {
        "balanced": profile["test_balanced"].sum(),
        "long-tailed": profile["test_long_tailed"].sum(),
        **{group: groups[group] for group in GROUPS},
    }
    listed = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    intro = (
        f"{title}: {len(profile)} classes; training images: balanced {balanced:,}, long-tailed "
        f"{cut:,} ({profile['train_long_tailed'].max()} to {profile['train_long_tailed'].min()} "
        f"a class); test images: {listed}. {LOSS_NOTE}"
    )
    body = [PREAMBLE, escaped(intro) + "\n"]
    for label, tables in sections:
        body += [rf"\subsection{{{escaped(label)}}}" + "\n", tables, "\\clearpage\n"]
    return "\n".join(body) + "\\end{document}\n"
