"""Files whose content is made in memory."""

from __future__ import annotations

from pathlib import Path

from longtail.datasets.base import LocalVersionedDataset


class ContentDataset(LocalVersionedDataset[bytes, Path]):
    """A file that is saved as bytes, and handed on by its path to what reads such files."""

    def load(self) -> Path:
        return self.load_path()

    def save(self, data: bytes) -> None:
        with self.replacing() as draft:
            draft.write_bytes(data)
