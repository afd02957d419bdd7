"""The table of trainings: one row a trial, which training its results are of, and how that went."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

# What names a trial, in the order of the parts of its name.
NAMES = ("dataset", "train_set", "backbone", "method", "seed")
# What is taken over from a trial's card; older cards lack some of it.
FROM_CARD = (
    *("fingerprint", "trained_by", "reused", "started", "seconds", "train_images"),
    *("weights_sha256", "device", "processor", "threads", "model_parameters"),
    *("torch", "timm", "numpy", "python", "longtail", "engine", "commit", "uncommitted_changes"),
)


def trainings_table(cards: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """A row a card.

    Returns:
        The names of the trial; what ``FROM_CARD`` names, empty where a card lacks it (``started``
        is in seconds since 1970, ``seconds`` what the training took); and ``parameters``, those
        of the trial that was trained (``trained_by``), as JSON.
    """
    rows = [
        {
            **_names(card["trial"]),
            **{key: card.get(key) for key in FROM_CARD},
            "parameters": json.dumps(card["parameters"], sort_keys=True),
        }
        for card in cards
    ]
    return pd.DataFrame(rows, columns=[*NAMES, *FROM_CARD, "parameters"])


def _names(trial: str) -> dict[str, Any]:
    *names, seed = trial.split(".")
    return dict(zip(NAMES, (*names, int(seed.removeprefix("seed"))), strict=True))
