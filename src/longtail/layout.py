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
        self._entries = {path: re.compile(_expression(path)) for path in sorted(paths)}

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
        """Whether cards or tables of trainings can be stored at or below a path."""
        return any(
            _leads_to(link.split("/"), [*folders, card, "{version}", card])
            for *folders, file in (entry.split("/") for entry in self._entries)
            for card in CARDS
            if re.fullmatch(_expression(file), card)
        )

    def _relative(self, path: str) -> str | None:
        absolute = self._project / path
        if not absolute.is_relative_to(self.data):
            return None
        return absolute.relative_to(self.data).as_posix()


def _expression(path: str) -> str:
    """A regular expression for the paths that a path with fields matches."""
    return "[^/]+".join(map(re.escape, FIELD.split(path)))


def _leads_to(parts: list[str], steps: list[str]) -> bool:
    """Whether a path matches the first steps of a path with fields, or all of them."""
    fits = zip(steps, parts, strict=False)
    return len(parts) <= len(steps) and all(
        re.fullmatch(_expression(step), part) for step, part in fits
    )
