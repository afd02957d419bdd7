"""The chapter of results of the thesis' body: section 5.1 in words, and tables 5.1 to 5.8."""

from __future__ import annotations

from collections.abc import Sequence

from longtail.reporting.tables.appendix import LATEX_PACKAGES
from longtail.reporting.tables.latex import escaped

CHAPTER_PREAMBLE = rf"""\documentclass[a4paper,10pt]{{report}}
{LATEX_PACKAGES}\captionsetup{{font=small,skip=5pt}}
\newcommand{{\thesisnumbers}}{{}}
\begin{{document}}
\setcounter{{chapter}}{{4}}
\chapter{{Results and Analysis}}
"""


def overall_results(note: str, paragraphs: Sequence[tuple[str, str]]) -> str:
    r"""Write section 5.1 in LaTeX, for ``\input``.

    Args:
        note: plain text on how methods are compared.
        paragraphs: paragraphs of :func:`longtail.reporting.tables.leaders.leader_paragraphs`.
    """
    named = [rf"\paragraph{{{escaped(label)}.}} {escaped(text)}" for label, text in paragraphs]
    return "\n\n".join([r"\section{Overall Results}", *named, escaped(note)]) + "\n"


def chapter(
    overall: str,
    backbones: Sequence[tuple[str, Sequence[tuple[str, str]]]],
    *,
    has_groups: bool = True,
) -> str:
    """Write a document that compiles with pdflatex.

    Args:
        overall: text of :func:`overall_results`.
        backbones: label of each backbone and, for each training set, the table and the label by
            which LaTeX refers to it.
        has_groups: whether the tables have columns of head, middle and tail.
    """
    heading = "Head, Middle, and Tail Class Performance" if has_groups else "Accuracies"
    parts = [CHAPTER_PREAMBLE, overall, rf"\section{{{heading}}}" + "\n"]
    for name, tables in backbones:
        parts.append(rf"\subsection{{{escaped(name)}}}" + "\n")
        for label, table in tables:
            sentence = rf"Table~\ref{{{label}}} shows the top-1 accuracies of {escaped(name)}."
            parts += [rf"\noindent {sentence}\par\nopagebreak", table]
    return "\n".join(parts) + "\\end{document}\n"
