"""Boxes in a CSV file, one row per box."""

from __future__ import annotations

import math

from longtail.errors import DataError
from longtail.schemas.user_csv import find_columns, read_csv
from longtail.schemas.user_headers import (
    BOX_CORNER_HEADERS,
    BOX_HEADERS,
    BOX_SIZE_HEADERS,
    PHOTOGRAPH_SIZE_HEADERS,
)
from longtail.sources.boxes.annotation import Annotation, BoxValues, as_size, confidence_problem
from longtail.wording import columns_listed

# Values that are all smaller are shares: no box is so few pixels wide. Some detectors exceed 1.
LARGEST_SHARE = 2.0


def read_box_table(path: str, where: str) -> tuple[list[Annotation], dict[str, str]]:
    """The boxes of a table, and the headers by which the columns that are used were found.

    A box has the columns x, y, width, and height, or xmin, ymin, xmax, and ymax, in pixels or as
    shares of the photograph. A row without them is a photograph without a box.

    Raises:
        DataError: if it cannot be read, or a column is missing.
    """
    table = read_csv(path, where)
    header = table.columns.tolist()
    columns = find_columns(header, BOX_HEADERS, where)
    corners = find_columns(header, BOX_CORNER_HEADERS, where)
    sizes = find_columns(header, BOX_SIZE_HEADERS, where)
    of_photograph: dict[str, int] = {}
    if len(corners) == len(BOX_CORNER_HEADERS):
        place = corners
        # Beside corners, width and height are those of the photograph (Pascal VOC as a table).
        of_photograph = find_columns(header, PHOTOGRAPH_SIZE_HEADERS, where)
    else:
        place = sizes
    if "file" not in columns or len(place) < len(BOX_SIZE_HEADERS):
        raise DataError(
            f"{where}: the first line must name the columns file, and x, y, width and height or "
            f"xmin, ymin, xmax and ymax; it has {columns_listed(header)}"
        )
    used = columns | place | of_photograph
    cells = {column: table.iloc[:, at] for column, at in used.items()}
    texts = list(zip(*(cells[name] for name in place), strict=True))
    numbers = [tuple(map(_number, row)) for row in texts]
    finite = [abs(value) for row in numbers for value in row if math.isfinite(value)]
    is_relative = max(finite, default=math.inf) <= LARGEST_SHARE
    rows = []
    for at, line in enumerate(table.index):
        x, y, right, bottom = numbers[at]
        values = (x, y, right - x, bottom - y) if place is corners else (x, y, right, bottom)
        rows.append(
            _annotation(
                {name: str(column.iloc[at]) for name, column in cells.items()},
                f"line {line}",
                values if any(texts[at]) else None,
                is_relative,
            )
        )
    return rows, {column: str(header[at]) for column, at in used.items()}


def _annotation(
    cells: dict[str, str], where: str, values: BoxValues | None, is_relative: bool
) -> Annotation:
    file, category = cells["file"], cells.get("category", "")
    confidence = _number(text) if (text := cells.get("confidence", "")) else None
    problem = confidence_problem(
        text if confidence is not None and math.isnan(confidence) else confidence
    )
    if not file:
        problem = "it names no photograph"
    if problem or values is None:
        return Annotation(file, where, category=category, problem=problem)
    width, height = (_number(cells.get(f"photograph_{name}", "")) for name in ("width", "height"))
    size = as_size(width, height)
    return Annotation(file, where, values, is_relative, confidence, category, size)


def _number(text: str) -> float:
    """A number, perhaps with a decimal comma, as spreadsheets write it; NaN if it is none."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return math.nan
