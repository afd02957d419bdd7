"""Where the catalog stores what in the data folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.io.catalog_config_resolver import CatalogConfigResolver

from longtail.catalog import LongtailCatalog

# Artifacts that contain fingerprints of trainings.
CARDS = ("card.json", "trainings.csv", "recognizer.json")
STORE = "trial_store"
FIELD = re.compile(r"\{[^}]*\}")


class Layout:
    """The paths of the catalog's versioned datasets, relative to the data folder.

    Args:
        project: the folder that the catalog's relative paths start from.
        data: the data folder.
        entries: the catalog's configuration, by name or pattern of names.
    """

    def __init__(self, project: Path, data: Path, entries: Mapping[str, Any]) -> None:
        self._project, self.data = project, project / data
        self._resolver = CatalogConfigResolver(
            dict(entries), default_runtime_patterns=LongtailCatalog.default_runtime_patterns
        )
        versioned = [
            entry["filepath"]
            for name, entry in entries.items()
            if not name.startswith("_") and entry.get("versioned")
        ]
        paths = filter(None, map(self._relative, versioned))
        # By path with fields: what matches the paths that it stands for.
        self._entries = {
            path: re.compile("[^/]+".join(map(re.escape, FIELD.split(path))))
            for path in sorted(paths)
        }

    def holds_artifacts(self) -> bool:
        """Whether the data folder has a folder that artifacts are stored in."""
        return any((self.data / path.split("/")[0]).is_dir() for path in self._entries)

    @property
    def store(self) -> str:
        """The folder of trainings."""
        path = self.path_of(STORE)
        assert path is not None  # the catalog has it
        return path

    def path_of(self, name: str) -> str | None:
        """The folder of a dataset's versions; None if it is not in the data folder."""
        path = self._resolver.resolve_pattern(name).get("filepath")
        return None if path is None else self._relative(path)

    def entry_of(self, path: str) -> str | None:
        """The entry whose versions are stored at a path, as its path with fields."""
        return next((entry for entry, fits in self._entries.items() if fits.fullmatch(path)), None)

    def may_hide_cards(self, link: str) -> bool:
        """Whether cards or tables of trainings may be stored behind a symbolic link."""
        folders = {
            entry.partition("/")[0] for entry in self._entries if entry.rpartition("/")[2] in CARDS
        }
        return link.partition("/")[0] in folders

    def _relative(self, path: str) -> str | None:
        absolute = self._project / path
        if not absolute.is_relative_to(self.data):
            return None
        return absolute.relative_to(self.data).as_posix()
