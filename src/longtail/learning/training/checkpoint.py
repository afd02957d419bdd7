"""The state of a training on disk, from which a killed training resumes."""

from __future__ import annotations

import hashlib
import io
import logging
import pickle
import time
from pathlib import Path
from typing import Any

import torch

from longtail.storage.files import atomic_file, flush_to_disk
from longtail.wording import first_line

log = logging.getLogger(__name__)

# Saving takes at most this fraction of the time, unless saving once a minute takes more.
MAX_FRACTION_OF_TIME = 0.02
MAX_INTERVAL_S = 60.0
# The mark between the state and its SHA-256 at the end of the file.
MARK = b"\nsha256 "
END = len(MARK) + 64


class Checkpoint:
    """The last saved state of a training, in one file that is replaced atomically.

    The file ends with the checksum of everything before it.

    Args:
        file: path of the file; its folder must exist.
        trial: name of the trial, for the log.

    Attributes:
        started: start of the training, in seconds since 1970; that of its first part, if it was
            resumed.
    """

    def __init__(self, file: Path, trial: str) -> None:
        self.file, self.trial = file, trial
        self.started = time.time()
        self._saved_started, self._saved_s = self.started, 0.0
        self._earlier_s, self._opened_at = 0.0, time.monotonic()
        self._saved_at, self._cost_s = self._opened_at, 0.0

    @property
    def seconds(self) -> float:
        """Duration of the training until now, with its earlier parts up to their last save."""
        return self._earlier_s + time.monotonic() - self._opened_at

    def load(self) -> dict[str, Any] | None:
        """Load the last saved state, on the CPU; None if it is missing or damaged."""
        if not self.file.exists():
            return None
        try:
            content = io.BytesIO(_without_checksum(self.file.read_bytes()))
            saved: dict[str, Any] = torch.load(content, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
            message = "%s: starts again, since %s is damaged (%s)"
            log.warning(message, self.trial, self.file, first_line(error))
            return None
        self._saved_started, self._saved_s = saved["started"], saved["seconds"]
        return saved["state"]

    def resume_clock(self) -> None:
        """Add the time of the parts before the loaded state, from which the training resumes."""
        self.started, self._earlier_s = self._saved_started, self._saved_s

    def is_due(self) -> bool:
        """True if it is time to save, depending on how long the last save took."""
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
        torch.save({"state": state, "started": self.started, "seconds": self.seconds}, content)
        checksum = hashlib.sha256(content.getbuffer()).hexdigest()
        content.write(MARK + checksum.encode())
        with atomic_file(self.file) as draft:
            draft.write_bytes(content.getbuffer())
            flush_to_disk(draft)
        self._saved_at = time.monotonic()
        self._cost_s = self._saved_at - start


def _without_checksum(content: bytes) -> bytes:
    """Verify and return the saved state.

    Raises:
        ValueError: if it does not match its checksum.
    """
    state, end = content[:-END], content[-END:]
    if end != MARK + hashlib.sha256(state).hexdigest().encode():
        raise ValueError("it does not match its checksum")
    return state
