"""A training's state on disk, so that a killed training goes on from where it was."""

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

# Saving takes at most this share of the time, but for trainings whose state is so large that
# saving it once a minute takes more.
SHARE_OF_TIME = 0.02
LONGEST_PAUSE_S = 60.0


class Checkpoint:
    """One training's last saved state, in one file that is replaced as a whole.

    Whenever the process dies, the file holds the state after some epoch, entirely.

    Args:
        file: where; its folder exists.
        trial: the name of whose training it is, for the log.
    """

    def __init__(self, file: Path, trial: str) -> None:
        self.file, self.trial = file, trial
        self._saved_at, self._cost_s = time.monotonic(), 0.0

    def load(self) -> dict[str, Any] | None:
        """The last saved state, on the CPU, or None where there is none that can be read."""
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
        """Whether it is time to save, going by how long saving took."""
        pause = min(self._cost_s / SHARE_OF_TIME, LONGEST_PAUSE_S)
        return time.monotonic() - self._saved_at >= pause

    def save(self, state: dict[str, Any]) -> None:
        """Replace the saved state.

        Args:
            state: tensors and plain values in dicts and lists.

        Raises:
            OSError: if the disk is full, for instance; the state saved before is still there.
        """
        start = time.monotonic()
        # By way of memory: torch explains a full disk only when Python writes the file.
        content = io.BytesIO()
        torch.save(state, content)
        with atomic_file(self.file) as draft:
            draft.write_bytes(content.getbuffer())
            flush_to_disk(draft)
        self._saved_at = time.monotonic()
        self._cost_s = self._saved_at - start
