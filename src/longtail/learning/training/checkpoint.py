"""The state of a training on disk, from which a killed training resumes."""

from __future__ import annotations

import io
import logging
import pickle
import time
from pathlib import Path
from typing import Any

import torch

from longtail.storage.files import atomic_file, flush_to_disk

log = logging.getLogger(__name__)

# Saving takes at most this fraction of the time, unless saving once a minute takes more.
MAX_FRACTION_OF_TIME = 0.02
MAX_INTERVAL_S = 60.0


class Checkpoint:
    """The last saved state of a training, in one file that is replaced atomically.

    Args:
        file: the path; its folder must exist.
        trial: the name of the trial, for the log.
    """

    def __init__(self, file: Path, trial: str) -> None:
        self.file, self.trial = file, trial
        self._saved_at, self._cost_s = time.monotonic(), 0.0

    def load(self) -> dict[str, Any] | None:
        """The last saved state, on the CPU; None if it is missing or damaged."""
        if not self.file.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.file, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
            reason = str(error).partition("\n")[0]
            log.warning("%s: starts again, since %s is damaged (%s)", self.trial, self.file, reason)
            return None
        return state

    def is_due(self) -> bool:
        """Whether it is time to save, depending on how long the last save took."""
        interval = min(self._cost_s / MAX_FRACTION_OF_TIME, MAX_INTERVAL_S)
        return time.monotonic() - self._saved_at >= interval

    def save(self, state: dict[str, Any]) -> None:
        """Replace the saved state.

        Args:
            state: tensors and plain values in dicts and lists.

        Raises:
            OSError: for example if the disk is full; the previous state is still in the file.
        """
        start = time.monotonic()
        # Serialised in memory first: torch's own writer hides the reason when the disk is full.
        content = io.BytesIO()
        torch.save(state, content)
        with atomic_file(self.file) as draft:
            draft.write_bytes(content.getbuffer())
            flush_to_disk(draft)
        self._saved_at = time.monotonic()
        self._cost_s = self._saved_at - start
