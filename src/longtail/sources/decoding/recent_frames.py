"""Photographs that were decoded last, for the next of their boxes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future

from longtail.arrays import UInt8Array
from longtail.sources.decoding.decode import DecodeLimits, decode
from longtail.sources.files import ImageFileRef

# Threads take boxes in order, so one is in use, and the next one begins meanwhile.
KEPT_FRAMES = 2


class RecentFrames:
    """Decodes each photograph once for all its boxes, if they are asked for one after another.

    Threads that ask for the same photograph wait for the first one to decode it.
    """

    def __init__(self, limits: DecodeLimits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, Future[UInt8Array]] = OrderedDict()

    def of(self, file: ImageFileRef) -> UInt8Array:
        """The whole photograph of a box, upright.

        Raises:
            ValueError: with the reason why the file cannot be used.
        """
        key = file.frame.identity
        with self._lock:
            frame = self._kept.get(key)
            is_first = frame is None
            if frame is None:
                frame = self._kept[key] = Future()
                if len(self._kept) > KEPT_FRAMES:
                    self._kept.popitem(last=False)
        if is_first:
            try:
                frame.set_result(decode(file.frame, None, self._limits))
            except BaseException as error:  # it is raised again in each thread that waits
                frame.set_exception(error)
        return frame.result()
