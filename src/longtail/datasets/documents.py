"""Text that Kedro-Viz can show: LaTeX as its source, HTML as a page."""

from __future__ import annotations

from base64 import b64encode
from html import escape

from longtail.datasets.base import LocalVersionedDataset
from longtail.kedro_internals import HTMLPreview, ImagePreview


class TextDataset(LocalVersionedDataset[str, str]):
    """A text file in UTF-8."""

    def load(self) -> str:
        return self.load_path().read_text(encoding="utf-8")

    def save(self, data: str) -> None:
        with self.writing() as draft:
            draft.write_text(data, encoding="utf-8")


class LatexDataset(TextDataset):
    """A ``.tex`` file, previewed as its source."""

    def preview(self) -> HTMLPreview:
        """The source, for Kedro-Viz."""
        return HTMLPreview(f"<pre>{escape(self.load())}</pre>")


class HtmlDataset(TextDataset):
    """A self-contained ``.html`` file, previewed as itself."""

    def preview(self) -> HTMLPreview:
        """The page, for Kedro-Viz."""
        return HTMLPreview(self.load())


class PngDataset(LocalVersionedDataset[bytes, bytes]):
    """A PNG file as its bytes."""

    def load(self) -> bytes:
        return self.load_path().read_bytes()

    def save(self, data: bytes) -> None:
        with self.writing() as draft:
            draft.write_bytes(data)

    def preview(self) -> ImagePreview:
        """The figure, for Kedro-Viz."""
        return ImagePreview(b64encode(self.load()).decode())
