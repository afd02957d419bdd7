"""Small squares in place of figures, for tests that run a report and read none of its figures.

Drawing is most of the time of a small report. How figures look, and that equal data give equal
bytes, is tested in ``tests/reporting/figures`` and on the run ``full`` of ``tests/pipelines``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import pytest


@contextmanager
def sketched() -> Iterator[None]:
    """Within the block, the reports of this process have a square for each file of a figure."""
    from matplotlib.figure import Figure
    from PIL import Image

    from longtail.reporting.figures import drawing

    class Sketch:
        def __init__(self, _: Figure) -> None: ...

        def print_pdf(self, file: IO[bytes], **_: Any) -> None:
            file.write(b"%PDF-")

        def print_svg(self, file: IO[bytes], **_: Any) -> None:
            file.write(b"<svg />")

    def savefig(_: Figure, file: IO[bytes], **__: Any) -> None:
        Image.new("RGB", (8, 8)).save(file, format="png")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "draw_without_rendering", lambda _: None)
        patch.setattr(Figure, "savefig", savefig)
        patch.setattr(drawing, "FigureCanvasPdf", Sketch)
        patch.setattr(drawing, "FigureCanvasSVG", Sketch)
        yield
