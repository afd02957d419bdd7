"""A small table of names, and the recognizer that made it."""

from __future__ import annotations

from typing import Any

NAN = float("nan")
RECORD = {"precision": 0.5, "precision_low": 0.1, "precision_high": 0.9, "train_images": 6}
NEVER = {"threshold": None, "note": "no share has at most 5% wrong"}
SHEET: dict[str, Any] = {
    "name": "moths.natural.small.softmax.seed0",
    "class_names": ["noctua_comes", "noctua_fimbriata", "xestia_baja"],
    "prior_is": "all species are assumed to be equally common",
    "calibration": {"note": "calibrated"},
    "error_rate": 0.05,
    "thresholds": {"species": {"threshold": 0.8, "note": "9 are named"}, "genus": NEVER},
    "ladder": [
        {"error_rate": 0.05, "thresholds": {"species": 0.8, "genus": None}},
        {"error_rate": 0.1, "thresholds": {"species": 0.6, "genus": None}},
    ],
    "trusted_on_test": {"images": 9, "trusted": 4, "wrong": 1, "note": "4 named, 1 wrongly"},
    "unknown": {"note": "untested"},
    "test_set": "natural",
    "folds": None,
}


def row(
    file: str,
    answer: str,
    probability: float,
    why: str = "",
    rank: str = "",
    species: str = "noctua_comes",
) -> dict[str, Any]:
    """One photograph; with a rank its answer is trusted."""
    others: dict[str, Any] = {f"species_{place}": "" for place in range(2, 6)}
    others |= {f"probability_{place}": NAN for place in range(2, 6)}
    others |= {"species_2": "xestia_baja", "probability_2": round(1 - probability, 4)}
    return {
        "file": file,
        "answer": answer,
        "rank": rank,
        "answer_probability": probability if rank else NAN,
        "trust": "yes" if rank else "no",
        "why": why,
        "species": species,
        "probability": probability,
        **others,
        "genus": species.partition("_")[0],
        "genus_probability": probability,
        **RECORD,
        "error": "",
        "already_in": "",
        "sha256": f"hash of {file}",
    }


def broken(file: str) -> dict[str, Any]:
    """A file that cannot be read."""
    empty = {"trust": "no", "rank": "", "why": "", "already_in": "", "sha256": ""}
    return {"file": file, **empty, "error": "it is empty"}
