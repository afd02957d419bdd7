"""Trials whose predictions are read from a file, not made by a training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from longtail.errors import DataError
from longtail.parameters import Trial
from longtail.parameters.external import PLACEHOLDERS
from longtail.project import from_root, located
from longtail.storage.files import sha256_of_file


def external_file(trial: Trial) -> str:
    """The path of the predictions of an external trial, as the parameters give it."""
    external = trial.method.external
    assert external is not None
    names = (trial.dataset, trial.train_set, trial.backbone.name, str(trial.seed))
    path = external.path
    for key, name in zip(PLACEHOLDERS, names, strict=True):
        path = path.replace(f"{{{key}}}", name)
    return path


def external_key(trial: Trial) -> str:
    """The key of the file of an external trial, and the file, for messages."""
    return f"methods.{trial.method.name}.external.path: {external_file(trial)}"


def check_external_files(trials: Iterable[Trial]) -> None:
    """Refuse files that do not exist.

    Raises:
        DataError: naming the key of each, and the file.
    """
    missing = dict.fromkeys(
        f"{external_key(trial)}: there is no such file{from_root(external_file(trial))}"
        for trial in trials
        if not located(external_file(trial)).is_file()
    )
    if missing:
        raise DataError("\n".join(missing))


def external_fingerprint(trial: Trial, pixels_sha256: str) -> str:
    """The hash of the content of the predictions, what they are, and the data set they are of.

    Raises:
        DataError: if there is no such file.
    """
    check_external_files([trial])
    assert trial.method.external is not None
    determinants = {
        "file": sha256_of_file(located(external_file(trial))),
        "values": trial.method.external.values,
        "pixels": pixels_sha256,
    }
    return hashlib.sha256(json.dumps(determinants, sort_keys=True).encode()).hexdigest()
