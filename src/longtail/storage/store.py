"""The store of finished trainings and checkpoints, by fingerprint.

A trial looks here before it trains. So equal trials are trained once, a repeated run trains
nothing again, and a killed training resumes from its last checkpoint. A changed parameter
changes the fingerprint, and so never gets an old result.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from longtail.errors import DataError
from longtail.remedies import train_again
from longtail.storage.files import (
    atomic_file,
    atomic_folder,
    damaged_file,
    has_checksum,
    locked,
    locked_if_free,
    read_checksums,
    read_texts,
    set_aside,
    sha256_of_file,
    write_checksums,
)

log = logging.getLogger(__name__)

MODEL_FILE, HISTORY_FILE, CARD_FILE = "model.safetensors", "history.csv", "card.json"
# A second copy of the small files' texts, and the checksum of the weights.
COPIES_FILE = "copies.json"

# The state of a training in the store.
State = Literal["stored", "unfinished", "damaged", "absent"]


@dataclass(frozen=True)
class Training:
    """One finished training.

    Attributes:
        model_file: file of the weights, in safetensors format.
        history: one row per epoch.
        card: origin of the training: machine, time, duration and inputs.
    """

    model_file: Path
    history: pd.DataFrame
    card: dict[str, Any]

    def weights(self) -> dict[str, Any]:
        """Load the weights as torch tensors by name."""
        from safetensors.torch import load_file

        return load_file(self.model_file)


class TrainingStore:
    """Finished trainings in a folder, one subfolder per fingerprint, and checkpoints of others."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, fingerprint: str) -> Training | None:
        """Return the training with this fingerprint, if it is stored and its weights are intact.

        Small files that are damaged are restored from their copies. A training that cannot be
        repaired is set aside, as ``<fingerprint>.damaged1`` or with the next number that is free.
        Call it within :meth:`claim`.
        """
        place = self._folder / fingerprint
        if not place.is_dir():
            return None
        if damaged := damaged_file(place):
            texts = _intact_texts(place)
            if texts is None:
                aside = set_aside(place)
                log.warning(
                    "%s is damaged: its training is done again. What is left of it is in %s, and "
                    "can be deleted",
                    *(damaged, aside),
                )
                return None
            _write_texts(place, texts)
            write_checksums(place)
            log.warning("%s was damaged, and has been restored from its copy", damaged)
        return Training(
            place / MODEL_FILE,
            pd.read_csv(place / HISTORY_FILE),
            json.loads((place / CARD_FILE).read_text(encoding="utf-8")),
        )

    def state(self, fingerprint: str) -> State:
        """Return what :meth:`find` would find. Nothing is changed, even if it is damaged.

        ``unfinished``: there is a checkpoint, from which the training resumes. ``damaged``: what is
        stored cannot be repaired.
        """
        place = self._folder / fingerprint
        if place.is_dir() and (damaged_file(place) is None or _intact_texts(place) is not None):
            return "stored"
        if self.checkpoint_file(fingerprint).is_file():
            return "unfinished"
        return "damaged" if place.is_dir() else "absent"

    def stored_at(self, fingerprint: str) -> float | None:
        """Return when a training was stored, in seconds since 1970; None if it is not stored."""
        file = self._folder / fingerprint / MODEL_FILE
        return file.stat().st_mtime if file.is_file() else None

    def cards(self) -> Iterator[dict[str, Any]]:
        """Yield the cards of all trainings, except damaged ones."""
        for file in sorted(self._folder.glob(f"*/{CARD_FILE}")):
            with suppress(FileNotFoundError):  # it has just been removed
                if has_checksum(file, read_checksums(file.parent).get(CARD_FILE, "")):
                    yield json.loads(file.read_text(encoding="utf-8"))

    def weights(self, fingerprint: str) -> Path | None:
        """Return the verified weights file of a training; None if it is not stored.

        Nothing is changed, even if it is damaged.

        Raises:
            DataError: if the weights are damaged.
        """
        file = self._folder / fingerprint / MODEL_FILE
        if not file.is_file():
            return None
        if not _weights_are_whole(file.parent):
            raise DataError(f"{file} cannot be read: it is not what was saved. {train_again()}")
        return file

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
            texts = {
                HISTORY_FILE: history.to_csv(index=False),
                CARD_FILE: json.dumps(card, indent=2),
            }
            save_file(dict(weights), draft / MODEL_FILE)
            _write_texts(draft, texts)
        self.checkpoint_file(fingerprint).unlink(missing_ok=True)
        # Read back, so that a new training and a stored one are equal to the last digit.
        found = self.find(fingerprint)
        assert found is not None  # it was renamed into place just now
        return found

    def checkpoint_file(self, fingerprint: str) -> Path:
        """Return the checkpoint of an unfinished training. Use it within :meth:`claim`."""
        return self._folder / f"{fingerprint}.checkpoint"

    def claim(self, fingerprint: str, name: str) -> AbstractContextManager[None]:
        """Lock a fingerprint: one process trains or scores it, and the others wait.

        Args:
            fingerprint: key of a training.
            name: what needs it, for the message of a process that waits.
        """
        waiting = f"{name}: another process trains or scores the same. Waiting for it"
        return locked(self._lock_file(fingerprint), waiting)

    def claim_if_free(self, fingerprint: str) -> AbstractContextManager[bool]:
        """Lock a fingerprint without waiting; yield whether it was free."""
        return locked_if_free(self._lock_file(fingerprint))

    def _lock_file(self, fingerprint: str) -> Path:
        locks = self._folder / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        return locks / f"{fingerprint}.lock"


def _weights_are_whole(place: Path) -> bool:
    """True if the weights of a training match their checksum, or its copy if that is damaged."""
    stored = (
        read_checksums(place).get(MODEL_FILE),
        read_texts(place / COPIES_FILE).get(MODEL_FILE),
    )
    return sha256_of_file(place / MODEL_FILE) in stored


def _intact_texts(place: Path) -> dict[str, str] | None:
    """Collect the small files of a training from the intact ones and their copies.

    None if its weights are damaged, or both copies of a text are.
    """
    if not (place / MODEL_FILE).is_file() or not _weights_are_whole(place):
        return None
    sums, names = read_checksums(place), (HISTORY_FILE, CARD_FILE)
    whole = {name for name, expected in sums.items() if has_checksum(place / name, expected)}
    if whole.issuperset(names):  # only the copies or the checksums are damaged
        return {name: (place / name).read_text(encoding="utf-8") for name in names}
    texts = read_texts(place / COPIES_FILE)
    if not texts.keys() >= set(names) or (sums and COPIES_FILE not in whole):
        return None
    return {name: texts[name] for name in names}


def _write_texts(place: Path, texts: Mapping[str, str]) -> None:
    """Write the small files of a training, their copies, and the checksum of its weights."""
    copies = {**texts, MODEL_FILE: sha256_of_file(place / MODEL_FILE)}
    for name, text in {**texts, COPIES_FILE: json.dumps(copies, indent=2)}.items():
        with atomic_file(place / name) as draft:
            draft.write_text(text, encoding="utf-8")
