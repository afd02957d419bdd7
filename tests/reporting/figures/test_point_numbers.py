"""Numbers beside points: where they are, and that they cover nothing."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from longtail.reporting.figures.point_numbers import DISTANCES, MARKER, Rectangle, number_points


def numbered(points: dict[str, tuple[float, float]]) -> Axes:
    figure = Figure(figsize=(4, 4), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    figure.draw_without_rendering()
    number_points(axes, points)
    return axes


def boxes(axes: Axes) -> tuple[list[Rectangle], list[Rectangle]]:
    """The texts and the markers, in points."""
    figure = axes.figure
    texts, markers = [], []
    for text in axes.texts:
        x, y = axes.transData.transform(text.xy) * 72 / figure.dpi  # type: ignore[attr-defined]
        markers.append(Rectangle(x, y, MARKER, MARKER))
        right, up = text.get_position()
        extent = Text.get_window_extent(text)  # without the line
        width, height = extent.width * 72 / figure.dpi, extent.height * 72 / figure.dpi
        # Digits do not reach below the line, as the height of a text does.
        texts.append(Rectangle(x + right, y + up, width, 0.6 * height))
    return texts, markers


def test_a_number_is_beside_its_point_up_and_to_the_right() -> None:
    [text] = numbered({"7": (0.5, 0.5)}).texts
    assert text.get_text() == "7"
    assert text.get_position() == pytest.approx((DISTANCES[0] / 2**0.5,) * 2)
    assert text.arrow_patch is None  # type: ignore[attr-defined]


def test_numbers_of_crowded_points_do_not_overlap() -> None:
    places = 0.5 + 0.05 * np.random.default_rng(0).standard_normal((20, 2))
    axes = numbered({str(10 + i): (x, y) for i, (x, y) in enumerate(places.tolist())})
    assert [text.get_text() for text in axes.texts] == [str(10 + i) for i in range(20)]
    texts, markers = boxes(axes)
    assert not any(one.overlaps(other) for one, other in combinations(texts, 2))
    assert not any(text.overlaps(marker) for text in texts for marker in markers)
    # A line says which point a number that is further away is of.
    lines = [text.arrow_patch is not None for text in axes.texts]  # type: ignore[attr-defined]
    near = [np.hypot(*text.get_position()) < DISTANCES[0] + 1e-6 for text in axes.texts]
    assert 0 < sum(lines) < 20
    assert lines == [not is_near for is_near in near]


def test_numbers_stay_in_the_axes() -> None:
    axes = numbered({"1": (1, 1), "2": (0, 0)})
    for text in axes.texts:
        x, y = text.get_position()
        at = axes.transData.transform(text.xy) * 72 / axes.figure.dpi  # type: ignore[attr-defined]
        (left, bottom), (right, top) = axes.bbox.get_points() * 72 / axes.figure.dpi
        assert left < at[0] + x < right
        assert bottom < at[1] + y < top
