"""The appendix: all tables of a data set as one LaTeX document."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from longtail.imbalance.group_sizes import equal_groups_note, has_groups
from longtail.imbalance.profiles import GROUPS
from longtail.parameters import Contents, TrainSet
from longtail.reporting.tables.latex import escaped
from longtail.reporting.tables.layouts import TRAIN_SET_LABELS
from longtail.reporting.tables.table_notes import LOSS_NOTE

# Definitions of groups and test sets for data that are long-tailed by nature.
MEANINGS = {
    "natural": "The data are long-tailed by nature: head, middle and tail are defined by the "
    "natural training images, and are parts of all test images. The balanced test set has as many "
    "images of each class as the smallest class has, and the long-tailed one is cut by the "
    "profile. "
}
LATEX_PACKAGES = r"""\usepackage[utf8]{inputenc}
\IfFileExists{lmodern.sty}{\usepackage[T1]{fontenc}\usepackage{lmodern}}{}
\usepackage{booktabs}
\usepackage{graphicx}
\usepackage[margin=2cm]{geometry}
\usepackage{caption}
\setlength{\emergencystretch}{3em}
% Tables stay where they are, since there is no text for them to float in.
\makeatletter
\renewenvironment{table}[1][]
  {\par\medskip\noindent\begin{minipage}{\textwidth}\def\@captype{table}\tablesize}
  {\end{minipage}\par\bigskip}
\makeatother
\newcommand{\tablesize}{}
\raggedbottom
"""
APPENDIX_PREAMBLE = rf"""\documentclass[a4paper,10pt]{{article}}
{LATEX_PACKAGES}\newcommand{{\thesisnumbers}}{{}}
\renewcommand{{\tablesize}}{{\small\renewcommand{{\arraystretch}}{{0.85}}}}
\captionsetup{{font=small,skip=5pt}}
\begin{{document}}
\appendix
\renewcommand{{\thetable}}{{A.\arabic{{table}}}}
\section{{Results}}
"""


def appendix(introduction: str, sections: Sequence[tuple[str, str]], ending: str = "") -> str:
    """Write a document that compiles with pdflatex.

    Args:
        introduction: plain text of :func:`write_introduction`.
        sections: label of each backbone, and its LaTeX tables.
        ending: LaTeX text after the sections; may be empty.
    """
    parts = []
    for label, tables in sections:
        parts += [rf"\subsection{{{escaped(label)}}}" + "\n", tables]
    body = "\n".join(["\n".join(parts), *filter(None, [ending])])
    return "\n".join([APPENDIX_PREAMBLE, escaped(introduction) + "\n", body]) + "\\end{document}\n"


def write_introduction(profile: pd.DataFrame, contents: Contents) -> str:
    """Describe the numbers of images, and how to read the tables.

    Args:
        profile: class profile of the data set.
        contents: tables, whose training sets are described.
    """
    grouped_by, train_sets = contents.grouped_by, [table.train_set for table in contents.tables]
    trained = ", ".join(_training_images(profile, name) for name in dict.fromkeys(train_sets))
    groups = profile.groupby("group")[f"test_{grouped_by}"].sum()
    unequal = {"natural": profile["test_natural"].sum()} if has_natural_test_set(profile) else {}
    sizes = {
        **unequal,
        "balanced": profile["test_balanced"].sum(),
        "long-tailed": profile["test_long_tailed"].sum(),
        **{group: groups[group] for group in GROUPS if group in groups},
    }
    listed = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    note = equal_groups_note(profile, grouped_by, "class", "classes")
    alike = f"{note} " if note else ""
    of_groups = (
        f"{MEANINGS.get(grouped_by, '')}{alike}"
        f"One image of the tail test set is worth {100 / groups['tail']:.1f} points of its "
        f"accuracy."
        if has_groups(profile)
        else note
    )
    return (
        f"{contents.label}: {len(profile)} classes; training images: {trained}; test images: "
        f"{listed}. {of_groups} {LOSS_NOTE}"
    )


def has_natural_test_set(profile: pd.DataFrame) -> bool:
    """True if classes have unequal numbers of test images, so that there is a natural test set."""
    return bool(profile["test_natural"].nunique() > 1)


def _training_images(profile: pd.DataFrame, train_set: TrainSet) -> str:
    counts = profile[f"train_{train_set}"]
    of_a_class = f" ({counts.max()} to {counts.min()} per class)" if counts.nunique() > 1 else ""
    return f"{TRAIN_SET_LABELS[train_set]} {counts.sum():,}{of_a_class}"
