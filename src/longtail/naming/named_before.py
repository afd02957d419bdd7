"""What was found out about photographs before, so that only new ones are computed."""

from __future__ import annotations

import hashlib
import json
import logging
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from longtail.arrays import Float32Array
from longtail.storage.array_store import KEY_DIGITS
from longtail.storage.files import atomic_file
from longtail.storage.write_errors import write_errors_explained

log = logging.getLogger(__name__)


class Named(NamedTuple):
    """What was found out about a photograph.

    Attributes:
        logits: logits, (classes,), and the similarity to learnt photographs if that is compared.
        part: part of the data set that contains it; empty if none does.
        note: reason why its name is less certain; empty if there is none.
    """

    logits: Float32Array
    part: str
    note: str


class NamedBefore:
    """What one recognizer has computed for photographs, by the content of their files.

    A damaged file is reported, and its photographs are computed again.

    Args:
        folder: folder of the files, one per recognizer.
        determinants: all that logits and parts of the data set depend on except the photographs,
            as plain values.
    """

    def __init__(self, folder: Path, determinants: Mapping[str, Any]) -> None:
        text = json.dumps(determinants, sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]
        self._file = folder / f"{key}.npz"
        self._known = _read(self._file)

    def find(self, content: str) -> Named | None:
        """What is known of a photograph; None if it is new."""
        return self._known.get(content)

    def add(self, contents: Sequence[str], found: Sequence[Named]) -> None:
        """Remember photographs.

        Args:
            contents: key of the content of each; those without a key are not stored.
            found: results for each.
        """
        pairs = zip(contents, found, strict=True)
        self._known |= {content: values for content, values in pairs if content}

    def save(self) -> None:
        """Write what is known.

        Raises:
            WriteError: if it cannot be written, for example if the disk is full.
        """
        if not self._known:
            return
        logits, parts, notes = zip(*self._known.values(), strict=True)
        contents = np.array(list(self._known))
        with (
            write_errors_explained(self._file),
            atomic_file(self._file) as draft,
            draft.open("wb") as content,
        ):
            np.savez(
                content,
                contents=contents,
                logits=np.stack(logits),
                parts=np.array(parts),
                notes=np.array(notes),
            )


def _read(file: Path) -> dict[str, Named]:
    if not file.is_file():
        return {}
    try:
        with file.open("rb") as content, np.load(content) as stored:
            columns = [stored[name] for name in ("contents", "logits", "parts", "notes")]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("%s is damaged (%s): its photographs are named again", file, error)
        return {}
    return {
        str(content): Named(logits, str(part), str(note))
        for content, logits, part, note in zip(*columns, strict=True)
    }
