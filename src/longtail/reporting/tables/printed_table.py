"""A table with its text, ready to be rendered as HTML or LaTeX."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from longtail.reporting.tables.layouts import TableLayout


@dataclass(frozen=True)
class PrintedValue:
    """One printed value.

    Attributes:
        text: the value.
        interval: distance from the farther end of its interval; dashes if there is none.
        deviation: standard deviation between seeds; may be empty.
        best: whether it is significantly better than all others of its column.
        differs: whether it differs significantly from softmax.
        ends: both ends of its interval; may be empty.
    """

    text: str
    interval: str = ""
    deviation: str = ""
    best: bool = False
    differs: bool = False
    ends: str = ""


@dataclass(frozen=True)
class PrintedTable:
    """A table.

    Attributes:
        number: number with the letter of its series, such as ``A.3``.
        caption: caption without the number.
        layout: columns of the table.
        rows: label and cells of each method.
        notes: sentences below the table.
        label: label by which LaTeX refers to it.
        blocks: heading of each block of rows, by the label of its first row.
    """

    number: str
    caption: str
    layout: TableLayout
    rows: tuple[tuple[str, tuple[PrintedValue, ...]], ...]
    notes: tuple[str, ...] = ()
    label: str = ""
    blocks: Mapping[str, str] = field(default_factory=dict)
