"""The store of finished trainings and checkpoints, by fingerprint.

A trial looks here before it trains. So equal trials are trained once, a repeated run trains
nothing again, a killed training is resumed from its last checkpoint, and a changed parameter,
which changes the fingerprint, never gets an old result.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from longtail.storage.files import atomic_folder, damaged_file

log = logging.getLogger(__name__)

MODEL_FILE, HISTORY_FILE, CARD_FILE = "model.safetensors", "history.csv", "card.json"


@dataclass(frozen=True)
class Training:
    """One finished training.

    Attributes:
        model_file: the weights, as a safetensors file.
        history: one row per epoch.
        card: where, when, for how long and from what it was trained.
    """

    model_file: Path
    history: pd.DataFrame
    card: dict[str, Any]


class TrialStore:
    """Finished trainings in a folder, one subfolder per fingerprint, and checkpoints of others."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, fingerprint: str) -> Training | None:
        """The training with this fingerprint, if it is stored and not damaged.

        A damaged training is reported and removed. Call it within :meth:`claim`.
        """
        place = self._folder / fingerprint
        if not place.is_dir():
            return None
        if damaged := damaged_file(place):
            log.warning("%s is damaged: its training is done again", damaged)
            shutil.rmtree(place)
            return None
        return Training(
            place / MODEL_FILE,
            pd.read_csv(place / HISTORY_FILE),
            json.loads((place / CARD_FILE).read_text(encoding="utf-8")),
        )

    def add(
        self,
        fingerprint: str,
        weights: Mapping[str, Any],
        history: pd.DataFrame,
        card: Mapping[str, Any],
    ) -> Training:
        """Store a training atomically.

        Call it within :meth:`claim`.

        Args:
            fingerprint: its key, which is not in the store yet.
            weights: torch tensors by name.
            history: one row per epoch.
            card: plain values.
        """
        from safetensors.torch import save_file

        with atomic_folder(self._folder / fingerprint) as draft:
            save_file(dict(weights), draft / MODEL_FILE)
            history.to_csv(draft / HISTORY_FILE, index=False)
            (draft / CARD_FILE).write_text(json.dumps(card, indent=2), encoding="utf-8")
        self.checkpoint_file(fingerprint).unlink(missing_ok=True)
        # Read back, so that a new training and a stored one are equal to the last digit.
        found = self.find(fingerprint)
        assert found is not None  # it was renamed into place just now
        return found

    def checkpoint_file(self, fingerprint: str) -> Path:
        """The checkpoint of an unfinished training. Use it within :meth:`claim`."""
        return self._folder / f"{fingerprint}.checkpoint"

    @contextmanager
    def claim(self, fingerprint: str) -> Iterator[None]:
        """Lock a fingerprint: one process trains it, and the others wait."""
        with self._lock(fingerprint):
            yield

    @contextmanager
    def claim_if_free(self, fingerprint: str) -> Iterator[bool]:
        """Lock a fingerprint without waiting; yields whether it was free."""
        lock = self._lock(fingerprint)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def _lock(self, fingerprint: str) -> FileLock:
        locks = self._folder / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        return FileLock(locks / f"{fingerprint}.lock")
