"""Datasets of documents: texts, LaTeX, HTML, bytes, pictures and zip archives."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

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
        """Return the source, for Kedro-Viz."""
        return HTMLPreview(f"<pre>{escape(self.load())}</pre>")


class HtmlDataset(TextDataset):
    """A self-contained ``.html`` file, previewed as itself."""

    def preview(self) -> HTMLPreview:
        """Return the page, for Kedro-Viz."""
        return HTMLPreview(self.load())


class BytesDataset(LocalVersionedDataset[bytes, bytes]):
    """The bytes of a file, such as a PDF."""

    def load(self) -> bytes:
        return self.load_path().read_bytes()

    def save(self, data: bytes) -> None:
        with self.writing() as draft:
            draft.write_bytes(data)


class PngDataset(BytesDataset):
    """The bytes of a PNG file, previewed as a picture."""

    def preview(self) -> ImagePreview:
        """Return the picture, for Kedro-Viz."""
        return ImagePreview(b64encode(self.load()).decode())


class ZipDataset(LocalVersionedDataset[dict[str, bytes], dict[str, bytes]]):
    """The files of a zip archive, by name. Equal files give an equal archive."""

    def load(self) -> dict[str, bytes]:
        with ZipFile(self.load_path()) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def save(self, data: dict[str, bytes]) -> None:
        with self.writing() as draft, ZipFile(draft, "w") as archive:
            for name, content in data.items():
                # ZipInfo has a fixed date.
                archive.writestr(ZipInfo(name), content, ZIP_DEFLATED)
