from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from longtail.evaluation.trainings import (
    FROM_CARD,
    TRIAL_COLUMNS,
    distinct_trainings,
    fingerprints_in,
    trainings_table,
)
from longtail.storage.files import write_checksum

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
    [row] = trainings_table(CARD).to_dict("records")
    assert list(row) == [*TRIAL_COLUMNS, *FROM_CARD, "parameters"]
    assert [row[name] for name in TRIAL_COLUMNS] == ["digits", "long_tailed", "vit", "ldam", 3]
    taken = set(FROM_CARD) & set(CARD)
    assert {key: row[key] for key in taken} == {key: CARD[key] for key in taken}
    assert json.loads(row["parameters"]) == CARD["parameters"]
    assert "canonical_loss" not in row


def test_what_an_older_card_lacks_is_empty() -> None:
    [row] = trainings_table(CARD).to_dict("records")
    assert {key for key in row if pd.isna(row[key])} == set(FROM_CARD) - set(CARD) | {
        "weights_sha256"
    }


def test_rows_come_in_the_order_of_the_cards() -> None:
    other = {**CARD, "trial": "digits.balanced.vit.ldam.seed10", "engine": 1}
    table = trainings_table(other, CARD)
    assert table["seed"].tolist() == [10, 3]
    assert table["train_set"].tolist() == ["balanced", "long_tailed"]


SOFTMAX = {**CARD, "fingerprint": "a", "seconds": 100.0}
CRT = {**CARD, "fingerprint": "b", "seconds": 130.0}
CRT |= {"first_stage": "a", "first_stage_seconds": 100.0}
LWS = {**CRT, "fingerprint": "c", "seconds": 120.0}


def test_a_shared_first_stage_is_one_training() -> None:
    for cards in ([SOFTMAX, CRT, LWS, LWS], [CRT, LWS]):
        seconds = distinct_trainings(trainings_table(*cards))
        assert seconds.to_dict() == {"a": 100, "b": 30, "c": 20}


def test_a_second_stage_also_names_its_first(tmp_path: Path) -> None:
    file, table = tmp_path / "card.json", tmp_path / "trainings.csv"
    for card, named in ((CRT, {"a", "b"}), (SOFTMAX, {"a"})):
        file.write_text(json.dumps(card))
        write_checksum(file, content=file)
        assert fingerprints_in(file) == named
    trainings_table(LWS, SOFTMAX).to_csv(table, index=False)
    write_checksum(table, content=table)
    assert fingerprints_in(table) == {"a", "c"}
