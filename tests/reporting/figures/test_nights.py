"""The figure of nights by species."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from longtail.reporting.figures import drawing
from longtail.reporting.figures.nights import LARGEST_CIRCLE, nights_figure

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


@pytest.mark.parametrize("nights", [1, 3, 60, 148, 365])
def test_the_largest_circle_of_the_first_and_the_last_night_is_inside_the_axes(
    nights: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    picture = drawing.picture

    def kept(figure: Figure) -> drawing.Picture:
        drawn.append(figure)
        return picture(figure)

    monkeypatch.setattr(drawing, "picture", kept)
    dates = pd.date_range("2024-06-01", periods=nights).strftime("%Y-%m-%d")
    shape([(date, "Noctua pronuba (a name of usual length)", 1, 0, 9) for date in dates])
    axes = drawn[0].axes[0]
    frame, first = axes.get_window_extent(), axes.transData.transform((0, 0))[0]
    last = axes.transData.transform((nights - 1, 0))[0]
    radius = np.sqrt(LARGEST_CIRCLE) / 2 / 72 * drawn[0].dpi
    assert first - radius > frame.x0
    assert last + radius < frame.x1
