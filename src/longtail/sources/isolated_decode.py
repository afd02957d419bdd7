"""Decoding in a process of its own, for files that may end the process that decodes them.

Decoders are libraries in C, and a damaged file can crash them. What is being decoded is noted in
a file that outlives the process (:class:`InHand`); the next run decodes what it finds there apart
(:func:`decode_apart`), so that such a file ends its own process and nothing else.
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

from longtail.provenance import usable_cores
from longtail.sources.decode import Decoded, Refusal, attempt
from longtail.sources.files import ImageFileRef
from longtail.storage.files import atomic_file

DIGEST_BYTES = 32


class InHand:
    """Which files are being decoded: a note of fixed size a core, in a file.

    It is written without waiting for the disk, which costs microseconds: what a process has
    written stays when it crashes.

    Args:
        file: where.
    """

    def __init__(self, file: Path) -> None:
        left = file.read_bytes() if file.exists() else b""
        digests = (left[at : at + DIGEST_BYTES] for at in range(0, len(left), DIGEST_BYTES))
        # Of files that were in hand when a process ended without a word. They are noted for good:
        # this process may end before it comes to them.
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

    def was_left(self, file: ImageFileRef) -> bool:
        """Whether a process ended while it decoded that file."""
        return _digest(file) in self._left

    @contextmanager
    def holding(self, file: ImageFileRef) -> Iterator[None]:
        """Note that a file is being decoded, until the block is left. Threads may share this."""
        slot = self._free.get()
        try:
            os.pwrite(self._descriptor, _digest(file), slot * DIGEST_BYTES)
            yield
        finally:
            os.pwrite(self._descriptor, bytes(DIGEST_BYTES), slot * DIGEST_BYTES)
            self._free.put(slot)


def decode_apart(file: ImageFileRef, image_size: int) -> Decoded | Refusal:
    """Decode a file in a process of its own; what ends that process is a reason to refuse it."""
    ended = subprocess.run(
        [sys.executable, "-c", f"import {__name__} as apart; apart.answer()"],
        input=pickle.dumps((file, image_size)),
        stdout=subprocess.PIPE,
        check=False,
    )
    if ended.returncode == 0:
        result: Decoded | Refusal = pickle.loads(ended.stdout)
        return result
    if ended.returncode < 0:
        how = f"by signal {signal.Signals(-ended.returncode).name}"
    else:
        how = f"with exit code {ended.returncode}"
    return Refusal(f"ended the process that read it, twice (the last time {how})", lasting=True)


def _digest(file: ImageFileRef) -> bytes:
    return hashlib.sha256(file.identity).digest()


def answer() -> None:
    """Attempt the file that the standard input names, in the process of :func:`decode_apart`."""
    sys.stdout.buffer.write(pickle.dumps(attempt(*pickle.loads(sys.stdin.buffer.read()))))
