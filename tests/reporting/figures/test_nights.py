"""The figure of nights by species."""

from __future__ import annotations

import io

import pandas as pd
from PIL import Image

from longtail.reporting.figures.nights import nights_figure

COLUMNS = ["night", "species", "trusted", "checked", "all"]


def shape(rows: list[tuple[str, str, int, int, int]]) -> tuple[int, int]:
    png = nights_figure(pd.DataFrame(rows, columns=COLUMNS)).png
    with Image.open(io.BytesIO(png)) as image:
        return image.size


def test_a_figure_has_room_for_its_species_and_nights() -> None:
    one = ("2024-06-01", "Noctua pronuba", 1, 0, 2)
    width, height = shape([one])
    wider, _ = shape([one, ("2024-06-30", "Noctua pronuba", 1, 1, 1)])
    _, higher = shape([one, *(("2024-06-01", f"Noctua {n}", 0, 0, 1) for n in range(20))])
    assert wider > width
    assert higher > height
    _, cut = shape([one, *(("2024-06-01", f"Noctua {n:02}", 0, 0, 1) for n in range(90))])
    _, most = shape([one, *(("2024-06-01", f"Noctua {n:02}", 0, 0, 1) for n in range(29))])
    assert cut == most


def test_photographs_without_a_night_or_a_name_are_not_drawn() -> None:
    nothing = shape([])
    assert shape([("", "Noctua pronuba", 1, 0, 1), ("2024-06-01", "", 0, 1, 1)]) == nothing
