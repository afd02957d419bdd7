"""Documentation of a schema: its columns as a table in Markdown."""

from __future__ import annotations

import pandera.pandas as pa

from longtail.schemas.columns import TextOrEmpty
from longtail.schemas.validation import type_in_words


def as_markdown(schema: pa.DataFrameSchema) -> str:
    """Write a table of columns: name, type, whether cells may be empty, meaning, valid values."""
    lines = ["| column | type | may be empty | meaning |", "| --- | --- | --- | --- |"]
    for name, column in schema.columns.items():
        shown = column.title or name
        empty = column.nullable or isinstance(column.dtype, TextOrEmpty)
        of_type = type_in_words(column)
        valid = [str(check.error) for check in column.checks if check.error != of_type]
        meaning = "; ".join([str(column.description), *valid])
        if not column.required:
            meaning += "; the column may be missing"
        cells = [f"`{shown}`", of_type.removeprefix("a "), "yes" if empty else "no", meaning]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
