from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from longtail.reporting.figures import drawing


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures behind the files, for a look at what they show."""
    seen: list[Figure] = []
    draw = drawing.picture

    def keep(figure: Figure) -> drawing.Picture:
        seen.append(figure)
        return draw(figure)

    monkeypatch.setattr(drawing, "picture", keep)
    return seen
