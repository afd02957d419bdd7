"""From logits to names: the species or a rank above it that is sure, or "don't know"."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from longtail.naming.novelty_threshold import novelty
from longtail.naming.priors import posteriors, prior_shift
from longtail.naming.taxonomy import Rank, rank_of, ranks_of
from longtail.wording import counted, decimal

Floats = npt.NDArray[np.floating]

SPECIES = "species"
DONT_KNOW = "don't know"
YES, NO = "yes", "no"
TOP = 5
# How many reasons why files cannot be read are told.
REASONS = 5
RECORD_COLUMNS = ("precision", "precision_low", "precision_high", "test_images", "train_images")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sheet:
    """What of a recognizer's sheet names photographs, as arrays.

    Attributes:
        class_names: in the order of the logits.
        temperature: that the logits are divided by.
        assumed: the prior that they assume.
        prior: the stated one.
        ranks: the species, and the ranks above them.
        thresholds: of the ranks' probabilities; None where a rank is never sure.
        strange_above: the largest novelty of what counts as known; None if that is not known.
        records: of each rank and name, see :func:`longtail.naming.track_record.track_record`.
    """

    class_names: tuple[str, ...]
    temperature: float
    assumed: npt.NDArray[np.float64]
    prior: npt.NDArray[np.float64]
    ranks: tuple[Rank, ...]
    thresholds: Mapping[str, float | None]
    strange_above: float | None
    records: Mapping[str, Mapping[str, Mapping[str, Any]]]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Read the plain values of a sheet."""
        names = tuple(values["class_names"])
        species = Rank(SPECIES, names, np.arange(len(names)))
        taxonomy = values["taxonomy"]
        above = [rank_of(name, taxonomy, names) for name in ranks_of(taxonomy)]
        return cls(
            class_names=names,
            temperature=values["temperature"],
            assumed=np.array(values["assumed_prior"], dtype=np.float64),
            prior=np.array(values["prior"], dtype=np.float64),
            ranks=(species, *above),
            thresholds={rank: of["threshold"] for rank, of in values["thresholds"].items()},
            strange_above=values["unknown"]["threshold"],
            records={SPECIES: values["track_record"], **values["track_record_above"]},
        )

    @property
    def shift(self) -> npt.NDArray[np.float64]:
        """What is added to calibrated logits before the softmax, of shape (classes,)."""
        return prior_shift(self.assumed, self.prior)

    def posteriors(self, logits: Floats) -> npt.NDArray[np.float64]:
        """Calibrated probabilities under the stated prior, (images, classes)."""
        return posteriors(logits, self.temperature, self.assumed, self.prior)

    def is_strange(self, logits: Floats) -> npt.NDArray[np.bool_]:
        """Whether each photograph looks like none of the known species."""
        if self.strange_above is None:
            return np.zeros(len(logits), dtype=bool)
        return novelty(logits) > self.strange_above


def columns_of(sheet: Sheet) -> list[str]:
    """The columns of the table of names."""
    top = [f"{what}_{place}" for place in range(2, TOP + 1) for what in (SPECIES, "probability")]
    above = [
        column for rank in sheet.ranks[1:] for column in (rank.name, f"{rank.name}_probability")
    ]
    return [
        *("file", "answer", "rank", "answer_probability", "trust", "why"),
        *(SPECIES, "probability"),
        *top,
        *above,
        *RECORD_COLUMNS,
        *("novelty", "error"),
    ]


def name_all(sheet: Sheet, files: Sequence[str], logits: Floats) -> pd.DataFrame:
    """A row a photograph, with the columns of :func:`columns_of`.

    Args:
        sheet: of the recognizer.
        files: what the photographs are called.
        logits: (photographs, classes).
    """
    probabilities = sheet.posteriors(logits)
    scores, strange = novelty(logits), sheet.is_strange(logits)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP]
    rolled = [rank.roll_up(probabilities) for rank in sheet.ranks]
    rows = []
    for row, file in enumerate(files):
        best = [
            (rank, int(own[row].argmax()), float(own[row].max()))
            for rank, own in zip(sheet.ranks, rolled, strict=True)
            if rank.groups
        ]
        answer = _answer(sheet, best, bool(strange[row]))
        values: dict[str, Any] = {"file": file, **answer, "novelty": scores[row], "error": ""}
        for place, label in enumerate(order[row], start=1):
            if probabilities[row, label] > 0:
                end = "" if place == 1 else f"_{place}"
                values[f"{SPECIES}{end}"] = sheet.class_names[label]
                values[f"probability{end}"] = probabilities[row, label]
        for rank, group, probability in best[1:]:
            values[rank.name] = rank.groups[group]
            values[f"{rank.name}_probability"] = probability
        rows.append(values)
    return pd.DataFrame(rows, columns=columns_of(sheet))


def unreadable(sheet: Sheet, file: str, reason: str) -> pd.DataFrame:
    """The row of a file that is no photograph."""
    values = {"file": file, "trust": NO, "why": "the file cannot be read", "error": reason}
    return pd.DataFrame([values], columns=columns_of(sheet))


def tell_of_names(table: pd.DataFrame) -> None:
    """Say how many photographs are named, and why files cannot be read."""
    broken = table.loc[table["error"] != "", ["file", "error"]]
    log.info(
        '%s: %s named and trusted, %s "%s", %s unreadable',
        counted(len(table), "photograph"),
        f"{(table['trust'] == YES).sum():,}",
        f"{(table['answer'] == DONT_KNOW).sum():,}",
        DONT_KNOW,
        f"{len(broken):,}",
    )
    reasons = Counter(broken["error"]).most_common()
    for reason, files in reasons[:REASONS]:
        first = broken.loc[broken["error"] == reason, "file"].iloc[0]
        others = f" and {counted(files - 1, 'other')}" if files > 1 else ""
        log.warning("'%s'%s: %s", first, others, reason)
    if len(reasons) > REASONS:
        log.warning("%s more: see 'error' in names.csv", counted(len(reasons) - REASONS, "reason"))


def _answer(
    sheet: Sheet, best: Sequence[tuple[Rank, int, float]], is_strange: bool
) -> dict[str, Any]:
    """What is said of one photograph, by column."""
    why = []
    if is_strange:
        why.append("looks like none of the known species")
    else:
        for rank, group, probability in best:
            threshold = sheet.thresholds[rank.name]
            if threshold is not None and probability >= threshold:
                name = rank.groups[group]
                lower = f"; no {' or '.join(r.name for r in _below(sheet, rank))} is sure"
                return {
                    "answer": name,
                    "rank": rank.name,
                    "answer_probability": probability,
                    "trust": YES,
                    "why": f"probability {decimal(probability)}, needs {decimal(threshold)}"
                    + (lower if rank.name != SPECIES else ""),
                    **_record(sheet.records[rank.name][name]),
                }
            needed = (
                "no threshold is certified" if threshold is None else f"needs {decimal(threshold)}"
            )
            why.append(f"{rank.name} {decimal(probability)}, {needed}")
    rank, group, _ = best[0]
    return {
        "answer": DONT_KNOW,
        "rank": "",
        "answer_probability": np.nan,
        "trust": NO,
        "why": "; ".join(why),
        **_record(sheet.records[rank.name][rank.groups[group]]),
    }


def _below(sheet: Sheet, rank: Rank) -> list[Rank]:
    names = [own.name for own in sheet.ranks]
    return list(sheet.ranks[: names.index(rank.name)])


def _record(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "precision": record["precision"],
        "precision_low": record["low"],
        "precision_high": record["high"],
        "test_images": record["test_images"],
        "train_images": record["train_images"],
    }
