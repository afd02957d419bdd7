"""The table of trainings: one row per trial, with the training that its results come from."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from longtail.errors import DataError
from longtail.parameters.trial_name import TrialName
from longtail.storage.files import verified

# The columns that identify a trial, in the order of the parts of its name.
TRIAL_COLUMNS = TrialName._fields
# Replaces the name of the trial that was trained if the predictions come from a file.
EXTERNAL = "external"
# Columns from the trial's card; older cards lack some.
FROM_CARD = (
    *("fingerprint", "trained_by", "started", "seconds"),
    *("first_stage", "first_stage_seconds", "train_images"),
    *("weights_sha256", "device", "processor", "threads", "number_format"),
    *("model_parameters", "multiply_adds"),
    *("torch", "timm", "numpy", "python", "longtail", "engine", "commit", "uncommitted_changes"),
)


def trial_names(rows: pd.DataFrame) -> pd.Series[str]:
    """The dotted name of the trial that each row is of."""
    columns = rows[list(TRIAL_COLUMNS)].itertuples(index=False, name=None)
    names = [str(TrialName(*values)) for values in columns]
    return pd.Series(names, index=rows.index, dtype=object)


def trainings_table(*cards: Mapping[str, Any]) -> pd.DataFrame:
    """Make a table with one row per card.

    Returns:
        ``TRIAL_COLUMNS``; ``FROM_CARD``, empty if a card lacks a value; and ``parameters``, those
        of the trial that was trained (``trained_by``), as JSON. ``started`` is in seconds since
        1970. ``seconds`` is the duration of the training, including its first stage if it has
        one: ``first_stage`` is its fingerprint, ``first_stage_seconds`` its duration.
    """
    rows = [
        {
            **TrialName.parse(card["trial"])._asdict(),
            **{key: card.get(key) for key in FROM_CARD},
            "parameters": json.dumps(card["parameters"], sort_keys=True),
        }
        for card in cards
    ]
    return pd.DataFrame(rows, columns=[*TRIAL_COLUMNS, *FROM_CARD, "parameters"])


def is_external(rows: pd.DataFrame) -> pd.Series[bool]:
    """True for rows of results or trainings whose predictions come from a file."""
    return rows["trained_by"] == EXTERNAL


def distinct_trainings(trainings: pd.DataFrame) -> pd.Series[float]:
    """Return the seconds of each training by fingerprint; first stages count as trainings."""
    distinct = (
        trainings[~is_external(trainings)].drop_duplicates("fingerprint").set_index("fingerprint")
    )
    later = distinct.dropna(subset="first_stage")
    first = later.set_index("first_stage")["first_stage_seconds"]
    seconds = distinct["seconds"].sub(distinct["first_stage_seconds"].fillna(0))
    every = pd.concat([seconds, first])
    return every[~every.index.duplicated()]


def fingerprints_in(file: Path) -> set[str]:
    """Return the fingerprints of the trainings in a card (JSON) or a table of trainings (CSV).

    A training that starts from another one also names the other one.

    Raises:
        DataError: if the file is damaged, or cannot be read.
    """
    try:
        text = verified(file).read_text(encoding="utf-8")
        if file.suffix == ".csv":
            return set().union(*map(_fingerprints, csv.DictReader(text.splitlines())))
        return _fingerprints(json.loads(text))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file} does not say which training it is of ({error}). A "
            f"killed run may have left it half written: if so, remove {file.parent}"
        ) from None


def _fingerprints(card: Mapping[str, Any]) -> set[str]:
    first = card.get("first_stage")
    return {str(card["fingerprint"]), *([str(first)] if first else [])}
