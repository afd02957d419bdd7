"""What methods cost: seconds, what they share, and the size of their networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from longtail.evaluation.trainings import trainings_table
from longtail.reporting.tables.appendix import appendix
from longtail.reporting.tables.cost_table import cost_table
from longtail.reporting.tables.latex import latex
from longtail.reporting.tables.layouts import COSTS_LAYOUT
from longtail.reporting.tables.printed_table import PrintedTable
from tests.reporting.rows import compiled, make_table

SIZES = {"model_parameters": 470_004, "multiply_adds": 68_868_352}
SOFTMAX = {"fingerprint": "a", "seconds": 1000.0, **SIZES}
CRT = {"fingerprint": "b", "seconds": 1080.0, "first_stage": "a", "first_stage_seconds": 1000.0}
CRT |= SIZES
LWS = CRT | {"fingerprint": "c", "seconds": 1030.0}
RIDE = {"fingerprint": "d", "seconds": 2500.0, "model_parameters": 1_362_364}
RIDE |= {"multiply_adds": 158_534_400}

KEYS: tuple[str, ...] = ("fingerprint", "first_stage")


def trainings(*cards: tuple[str, int, dict[str, Any]]) -> pd.DataFrame:
    """The trainings of methods and seeds, whose fingerprints differ by seed."""
    found: list[dict[str, Any]] = []
    for method, seed, card in cards:
        keys = {name: f"{card[name]}{seed}" for name in KEYS if name in card}
        trial = f"toy.balanced.mobilenetv2.{method}.seed{seed}"
        found.append({**card, **keys, "trial": trial, "parameters": {}})
    return trainings_table(*found)


def texts(table: PrintedTable) -> dict[str, list[str]]:
    return {label: [cell.text for cell in cells] for label, cells in table.rows}


ALL = trainings(("softmax", 0, SOFTMAX), ("crt", 0, CRT), ("lws", 0, LWS), ("ride", 0, RIDE))


def test_a_shared_first_stage_counts_once_and_is_named() -> None:
    table = cost_table(ALL, make_table("softmax", "crt", "lws", "ride"))
    assert texts(table) == {
        "SOFTMAX": ["1,000", "--", "0.470", "68.9"],
        "CRT": ["80.0", "1,000", "0.470", "68.9"],
        "LWS": ["30.0", "1,000", "0.470", "68.9"],
        "RIDE": ["2,500", "--", "1.36", "159"],
    }
    assert table.notes == (
        "CRT and LWS start from the training of SOFTMAX.",
        "All rows together: 4 trainings, 60 min; shared trainings and first stages are counted "
        "once.",  # 1000 + 80 + 30 + 2500 s
    )
    assert table.number == "D.1"


def test_a_first_stage_of_no_row_counts_once_too() -> None:
    table = cost_table(ALL, make_table("crt", "lws"))
    assert table.notes == (
        "CRT and LWS start from the same first stage.",
        "All rows together: 3 trainings, 18 min; shared trainings and first stages are counted "
        "once.",
    )
    [total] = cost_table(ALL, make_table("lws")).notes
    assert total.startswith("All rows together: 2 trainings, 17 min")


def test_rows_of_one_training_are_named() -> None:
    post_hoc = trainings(("softmax", 0, SOFTMAX), ("adjusted", 0, SOFTMAX), ("crt", 0, CRT))
    table = cost_table(post_hoc, make_table("softmax", "adjusted", "crt"))
    assert table.notes[:2] == (
        "SOFTMAX and ADJUSTED share one training for each seed.",
        "CRT starts from the training of SOFTMAX and ADJUSTED.",
    )
    assert "2 trainings" in table.notes[2]


def test_seconds_are_means_over_seeds() -> None:
    rows = trainings(("softmax", 0, SOFTMAX), ("softmax", 1, SOFTMAX | {"seconds": 500.0}))
    table = cost_table(rows, make_table("softmax", seeds=(0, 1)))
    assert texts(table) == {"SOFTMAX": ["750", "--", "0.470", "68.9"]}
    assert table.caption == (
        "Costs of the methods for MobileNetV2 trained on the custom balanced dataset: seconds of "
        "training, and parameters and multiply-adds per image of the trained network (means of 2 "
        "seeds)."
    )
    assert table.notes[-1].startswith("All rows together: 2 trainings, 25 min")


def test_what_is_not_known_is_dashes() -> None:
    older = trainings(("softmax", 0, {k: v for k, v in SOFTMAX.items() if k != "multiply_adds"}))
    table = cost_table(older, make_table("softmax", "focal"))
    assert texts(table) == {"SOFTMAX": ["1,000", "--", "0.470", "--"], "FOCAL": ["--"] * 4}
    assert cost_table(ALL.iloc[:0], make_table("softmax")).notes == ()


def test_families_are_blocks_of_rows(tmp_path: Path) -> None:
    families = {"crt": "decoupled-training", "ride": "ensemble-learning"}
    table = cost_table(ALL, make_table("softmax", "crt", "ride", families=families))
    assert table.blocks == {"CRT": "Decoupled training", "RIDE": "Ensemble learning"}
    text = compiled(appendix("", [("MobileNetV2", latex(table))]), tmp_path)
    assert "Own stage First stage Parameters Multiply-adds" in text
    assert "Decoupled training CRT 80.0 1,000 0.470 68.9 Ensemble learning RIDE" in text


def test_headings() -> None:
    assert COSTS_LAYOUT.headings == [
        ("Seconds of training", ["Own stage", "First stage"]),
        ("Network (millions)", ["Parameters", "Multiply-adds"]),
    ]
