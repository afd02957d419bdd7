"""Rows of the table of names, as `predict` makes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

RECOGNIZER: dict[str, Any] = {
    "name": "moths.natural.mobilenetv2.softmax.seed0",
    "fingerprint": "0123abcd",
    "error_rate": 0.15,
    "class_names": ["noctua_pronuba", "noctua_comes", "xestia_baja", "agriopis_aurantiaria"],
    "taxonomy": {
        "noctua_pronuba": {"genus": "noctua", "order": "lepidoptera"},
        "noctua_comes": {"genus": "noctua", "order": "lepidoptera"},
        "xestia_baja": {"genus": "xestia", "order": "lepidoptera"},
        "agriopis_aurantiaria": {"genus": "agriopis", "order": "lepidoptera"},
    },
}
BY = "longtail moths.natural.mobilenetv2.softmax.seed0 0123abcd"
TRUSTED: dict[str, Any] = {
    "answer": "noctua_pronuba",
    "rank": "species",
    "answer_probability": 0.93,
    "trust": "yes",
    "why": "probability 0.930, needs 0.800",
    "species": "noctua_pronuba",
    "probability": 0.93,
    "error": "",
}
UNSURE = TRUSTED | {
    "answer": "don't know",
    "rank": "",
    "answer_probability": np.nan,
    "trust": "no",
    "species": "noctua_comes",
    "probability": 0.41,
}
GENUS = UNSURE | {"answer": "noctua", "rank": "genus", "answer_probability": 0.9, "trust": "yes"}
NO_ANIMAL = UNSURE | {"answer": "no animal", "why": "no animal found: it has no box", "species": ""}
UNREADABLE = UNSURE | {"answer": "", "species": "", "error": "cannot be read: truncated"}
EVENING = "2024-06-01T23:15:00+02:00"


def row(file: str, kind: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A photograph of one night with a time and a place."""
    capture = {
        "timestamp": EVENING,
        "night": "2024-06-01",
        "deployment": "",
        "latitude": 52.5,
        "longitude": 13.4,
        "capture_problem": "",
    }
    photograph, is_box, _ = file.partition("#")
    frame = photograph if is_box else ""
    return {
        "file": file,
        "frame": frame,
        "box": file.partition("#xywh=")[2],
        "sha256": f"sha of {photograph}",
        **(TRUSTED if kind is None else kind),
        **capture,
        **changes,
    }


def names(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(list(rows))
