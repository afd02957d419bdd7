"""The table of names of new photographs, ``names.csv``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from longtail.imbalance.subsets import UNKNOWN
from longtail.schemas.captures import capture_columns
from longtail.schemas.columns import UNIT_INTERVAL, fraction, number, table, text, with_interval
from longtail.schemas.vocabulary import (
    ALREADY_IN,
    BOX,
    BOX_CONFIDENCE,
    FRAME,
    NO,
    NOTE,
    SHA256,
    SPECIES,
    TOP,
    TRAINED_ON,
    YES,
)

DATA_SET_PARTS = (TRAINED_ON, "validation", "test", UNKNOWN)
_BEFORE_RANKS = {
    "file": text(
        "path of the photograph below the folder, or in the zip file; with #xywh= and the box"
    ),
    "answer": text(
        "name of a species or of a higher rank, don't know, or no animal", optional=True
    ),
    "rank": text("rank of the answer; empty without a trusted name", optional=True),
    "answer_probability": fraction("probability of the answer", missing=True),
    "trust": text("whether the name is trusted", one_of=(YES, NO)),
    "why": text("why the name is trusted or not"),
    SPECIES: text("most probable species", optional=True),
    "probability": fraction("its probability", missing=True),
    **{
        name: column
        for place in range(2, TOP + 1)
        for name, column in (
            (f"{SPECIES}_{place}", text(f"species of rank {place} by probability", optional=True)),
            (f"probability_{place}", fraction("its probability", missing=True)),
        )
    },
}
_AFTER_RANKS = {
    **with_interval(
        "precision",
        "share of held-out images named like this that are right",
        UNIT_INTERVAL,
        missing=True,
    ),
    "test_images": number("held-out images of what the answer names", missing=True),
    "train_images": number("training images of what the answer names", missing=True),
    "novelty": number(
        "score of unknown species: the larger, the less it looks known", missing=True
    ),
    "error": text("why the file cannot be read", optional=True),
    ALREADY_IN: text(
        "part of the data set that has the same picture", one_of=DATA_SET_PARTS, optional=True
    ),
    SHA256: text("checksum of the file; empty if it was not opened", optional=True),
    FRAME: text(
        "the photograph that the box is in; photographs of one frame are one group", optional=True
    ),
    BOX: text(
        "x, y, width and height of the animal in pixels of the upright photograph", optional=True
    ),
    BOX_CONFIDENCE: fraction("confidence of the detector", missing=True),
    NOTE: text(
        "what makes the name less certain, such as a small animal, or a copy of the file",
        optional=True,
    ),
    **capture_columns(required=True),
}
_FIXED = "|".join(map(re.escape, (*_BEFORE_RANKS, *_AFTER_RANKS)))

NAMES = table(
    "names",
    "One row per photograph, or per animal with boxes, in the order of their paths.",
    {
        **_BEFORE_RANKS,
        rf"^(?!({_FIXED})$)(?!.*_probability$).+$": text(
            "most probable genus, family or other rank above the species",
            optional=True,
            required=False,
            regex=True,
            title="<rank>",
        ),
        rf"^(?!({_FIXED})$).+_probability$": fraction(
            "its probability: the sum of the probabilities of its species",
            missing=True,
            required=False,
            regex=True,
            title="<rank>_probability",
        ),
        **_AFTER_RANKS,
    },
)


def names_columns(ranks: Sequence[str]) -> list[str]:
    """The columns of the table with some ranks above the species, in their order."""
    above = [column for rank in ranks for column in (rank, f"{rank}_probability")]
    return [*_BEFORE_RANKS, *above, *_AFTER_RANKS]
