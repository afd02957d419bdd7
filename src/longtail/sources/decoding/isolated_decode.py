"""Decoding in a separate process, for files that may crash the process that decodes them.

Decoders are C libraries, and a damaged file can crash them. Files that are being decoded are marked
in a file that outlives the process (:class:`DecodingMarkers`). The next run decodes those that are
still marked in a separate process (:func:`decode_in_subprocess`), so that a crash ends only that.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import queue
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from longtail.interruption import end_with_parent
from longtail.provenance import usable_cores
from longtail.sources.decoding.decode import (
    Decoded,
    DecodeLimits,
    Rejection,
    try_decode_together,
)
from longtail.sources.files import ImageFileRef
from longtail.storage.files import atomic_file

DIGEST_BYTES = 32


class DecodingMarkers:
    """Marks of the files that are being decoded: one of fixed size per core, in a file.

    They are written without waiting for the disk, which takes microseconds: what a process has
    written stays when it crashes.
    """

    def __init__(self, file: Path) -> None:
        left = file.read_bytes() if file.exists() else b""
        digests = (left[at : at + DIGEST_BYTES] for at in range(0, len(left), DIGEST_BYTES))
        # Files that were being decoded when a process crashed. Their marks stay, since this process
        # may end before it decodes them.
        self._left = {digest for digest in digests if any(digest)}
        slots = usable_cores()
        with atomic_file(file) as draft:
            draft.write_bytes(bytes(slots * DIGEST_BYTES) + b"".join(sorted(self._left)))
        self._descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        for slot in range(slots):
            self._free.put(slot)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def crashed_before(self, file: ImageFileRef) -> bool:
        """Whether a process crashed while it decoded that file."""
        return _digest(file) in self._left

    @contextmanager
    def marked(self, file: ImageFileRef) -> Iterator[None]:
        """Mark a file while the block runs. Threads may share the markers."""
        slot = self._free.get()
        try:
            os.pwrite(self._descriptor, _digest(file), slot * DIGEST_BYTES)
            yield
        finally:
            os.pwrite(self._descriptor, bytes(DIGEST_BYTES), slot * DIGEST_BYTES)
            self._free.put(slot)


def decode_in_subprocess(
    file: ImageFileRef, image_size: int, limits: DecodeLimits
) -> Decoded | Rejection:
    """Decode a file in a separate process; a file that crashes it is rejected."""
    ended = subprocess.run(
        [sys.executable, "-c", f"import {__name__} as isolated; isolated.answer_parent()"],
        input=pickle.dumps((file, image_size, limits)),
        stdout=subprocess.PIPE,
        check=False,
    )
    if ended.returncode == 0:
        return pickle.loads(ended.stdout)
    if ended.returncode < 0:
        how = f"by signal {signal.Signals(-ended.returncode).name}"
    else:
        how = f"with exit code {ended.returncode}"
    return Rejection(
        f"crashed the process that decoded it, twice (the last time {how})", permanent=True
    )


def _digest(file: ImageFileRef) -> bytes:
    return hashlib.sha256(file.identity).digest()


def answer_parent() -> None:
    """Decode the file that the standard input names, in the process of `decode_in_subprocess`."""
    end_with_parent()
    file, image_size, limits = pickle.loads(sys.stdin.buffer.read())
    [result] = try_decode_together([file], image_size, limits)
    sys.stdout.buffer.write(pickle.dumps(result))
