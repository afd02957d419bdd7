from __future__ import annotations

import io

import pytest
from matplotlib.figure import Figure

from longtail.reporting.figures import drawing


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures behind the files, for a look at what they show; drawn once, as pixels."""
    seen: list[Figure] = []

    def keep(figure: Figure) -> drawing.Picture:
        seen.append(figure)
        png = io.BytesIO()
        figure.savefig(png, format="png")
        return drawing.Picture(png.getvalue(), b"", b"")

    monkeypatch.setattr(drawing, "picture", keep)
    return seen
