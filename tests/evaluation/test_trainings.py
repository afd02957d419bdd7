from __future__ import annotations

import json
from typing import Any

import pandas as pd

from longtail.evaluation.trainings import FROM_CARD, TRIAL_COLUMNS, trainings_table

CARD: dict[str, Any] = {
    "trial": "digits.long_tailed.vit.ldam.seed3",
    "trained_by": "digits.long_tailed.vit.softmax.seed3",
    "fingerprint": "ab" * 32,
    "started": 1.5e9,
    "seconds": 12.5,
    "train_images": 369,
    "weights_sha256": None,
    "device": "CPU x86_64, 1 thread",
    "torch": "2.15.0",
    "model_parameters": 1234,
    "canonical_loss": {"focus": 0.0},
    "parameters": {"seed": 3, "recipe": {"epochs": 12}},
}


def test_a_card_is_a_row() -> None:
    [row] = trainings_table([CARD]).to_dict("records")
    assert list(row) == [*TRIAL_COLUMNS, *FROM_CARD, "parameters"]
    assert [row[name] for name in TRIAL_COLUMNS] == ["digits", "long_tailed", "vit", "ldam", 3]
    taken = set(FROM_CARD) & set(CARD)
    assert {key: row[key] for key in taken} == {key: CARD[key] for key in taken}
    assert json.loads(row["parameters"]) == CARD["parameters"]
    assert "canonical_loss" not in row


def test_what_an_older_card_lacks_is_empty() -> None:
    [row] = trainings_table([CARD]).to_dict("records")
    assert {key for key in row if pd.isna(row[key])} == set(FROM_CARD) - set(CARD) | {
        "weights_sha256"
    }


def test_rows_come_in_the_order_of_the_cards() -> None:
    other = {**CARD, "trial": "digits.balanced.vit.ldam.seed10", "engine": 1}
    table = trainings_table([other, CARD])
    assert table["seed"].tolist() == [10, 3]
    assert table["train_set"].tolist() == ["balanced", "long_tailed"]
