"""Figures as PNG files."""

from __future__ import annotations

from base64 import b64encode

from kedro_datasets._typing import ImagePreview

from longtail.datasets.base import LocalVersionedDataset


class PngDataset(LocalVersionedDataset[bytes, bytes]):
    """A PNG file as its bytes."""

    def load(self) -> bytes:
        return self.load_path().read_bytes()

    def save(self, data: bytes) -> None:
        with self.replacing() as draft:
            draft.write_bytes(data)

    def preview(self) -> ImagePreview:
        """The figure, for Kedro-Viz."""
        return ImagePreview(b64encode(self.load()).decode())
