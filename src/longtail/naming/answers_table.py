"""The table of names: for each photograph a species, a higher rank, or "don't know"."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from longtail.arrays import FloatArray
from longtail.naming.decision_rule import NOT_NAMED, Decision, DecisionRule
from longtail.naming.taxonomy import NO_GROUP, Rank
from longtail.schemas.vocabulary import (
    ALREADY_IN,
    BOX_COLUMNS,
    CAPTURE_COLUMNS,
    FRAME,
    NO,
    SHA256,
    SPECIES,
    TOP,
    YES,
)
from longtail.wording import counted, decimal

DONT_KNOW = "don't know"
NO_ANIMAL = "no animal"
CANNOT_BE_READ, BAD_BOX = "the file cannot be read", "the box cannot be used"
NO_BOX = "it has no box that can be used"
LOOKS_UNKNOWN = "looks like none of the known species"
# How many reasons why files cannot be read are logged.
LOGGED_REASONS = 5

log = logging.getLogger(__name__)


def columns_of(rule: DecisionRule) -> list[str]:
    """The columns of the table of names that the logits of a photograph determine."""
    from longtail.schemas.named_photographs import names_columns

    columns = names_columns([rank.name for rank in rule.ranks[1:]])
    others = {ALREADY_IN, SHA256, *BOX_COLUMNS, *CAPTURE_COLUMNS}
    return [column for column in columns if column not in others]


def names_table(
    rule: DecisionRule,
    files: Sequence[str],
    logits: FloatArray,
    similarity: FloatArray | None = None,
) -> pd.DataFrame:
    """One row per photograph, with the columns of :func:`columns_of`.

    Args:
        rule: decision rule of the recognizer.
        files: names of the photographs.
        logits: logits of the photographs, (photographs, classes).
        similarity: argument of :meth:`longtail.naming.novelty_scores.NoveltyScore.of`.
    """
    decision = rule.decide(logits, similarity)
    scores, probabilities = rule.novelty_score.of(logits, similarity), decision.probabilities
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP]
    rows = []
    for row, file in enumerate(files):
        answer = _answer(rule, decision, row)
        values: dict[str, Any] = {"file": file, **answer, "novelty": scores[row], "error": ""}
        for place, label in enumerate(order[row], start=1):
            if probabilities[row, label] > 0:
                end = "" if place == 1 else f"_{place}"
                values[f"{SPECIES}{end}"] = rule.class_names[label]
                values[f"probability{end}"] = probabilities[row, label]
        values |= _ranks_above(rule, decision, row)
        rows.append(values)
    return pd.DataFrame(rows, columns=columns_of(rule))


def photograph_files(names: pd.DataFrame) -> pd.Series[str]:
    """The photograph of each row of the table of names: of an animal, the one it was cut from."""
    return names["file"].where(names[FRAME] == "", names[FRAME])


def unreadable_row(file: str, reason: str, why: str = CANNOT_BE_READ) -> dict[str, str]:
    """The row of a file or of a box that cannot be used; its other cells are empty."""
    return {"file": file, "trust": NO, "why": why, "error": reason}


def row_without_animal(file: str, reason: str) -> dict[str, str]:
    """The row of a photograph in which no animal was found."""
    why = f"no animal found: {reason}"
    return {"file": file, "answer": NO_ANIMAL, "rank": "", "trust": NO, "why": why, "error": ""}


def has_boxes(table: pd.DataFrame) -> bool:
    """Whether the rows of a table of names are of animals in photographs."""
    return FRAME in table and bool((table[FRAME] != "").any())


def log_names(table: pd.DataFrame) -> None:
    """Log how many photographs, or animals in them, are named, and why others cannot be used."""
    broken = table.loc[table["error"] != "", ["file", "error"]]
    empty = int((table["answer"] == NO_ANIMAL).sum())
    of_boxes = has_boxes(table)
    log.info(
        '%s: %s named and trusted, %s "%s", %s %s%s',
        counted(len(table), "row" if of_boxes else "photograph"),
        f"{(table['trust'] == YES).sum():,}",
        f"{(table['answer'] == DONT_KNOW).sum():,}",
        DONT_KNOW,
        f"{len(broken):,}",
        "with an error" if of_boxes else "unreadable",
        f", {empty:,} without an animal" if empty else "",
    )
    reasons = Counter(broken["error"]).most_common()
    for reason, files in reasons[:LOGGED_REASONS]:
        first = broken.loc[broken["error"] == reason, "file"].iloc[0]
        others = f" and {counted(files - 1, 'other')}" if files > 1 else ""
        log.warning("'%s'%s: %s", first, others, reason)
    if len(reasons) > LOGGED_REASONS:
        others = counted(len(reasons) - LOGGED_REASONS, "other reason")
        log.warning("%s: see 'error' in names.csv", others)


def _ranks_above(rule: DecisionRule, decision: Decision, row: int) -> dict[str, Any]:
    """The columns of the ranks above the species of one photograph.

    Above the rank that names it they are those of the name, so that none contradicts it; otherwise
    the most probable ones. They are empty where the taxonomy has none.
    """
    place, probabilities = int(decision.named_by[row]), decision.probabilities[row]
    values: dict[str, Any] = {}
    for above, (rank, best) in enumerate(zip(rule.ranks, decision.best, strict=True)):
        group, probability = int(best.group[row]), best.probability[row]
        if 0 <= place < above:
            of_name = rule.ranks[place].group_of == decision.best[place].group[row]
            of_best, group = group, rank.group_within(of_name, probabilities)
            if group != of_best:
                probability = probabilities[rank.group_of == group].sum()
        if above > 0 and group != NO_GROUP and probability > 0:
            values |= {rank.name: rank.groups[group], f"{rank.name}_probability": probability}
    return values


def _answer(rule: DecisionRule, decision: Decision, row: int) -> dict[str, Any]:
    """The columns of the answer to one photograph."""
    place = int(decision.named_by[row])
    # If no rank is sure, the track record is that of the most probable species.
    shown = max(place, 0)
    rank, best = rule.ranks[shown], decision.best[shown]
    name, probability = rank.groups[best.group[row]], float(best.probability[row])
    record = _record(rule.records[rank.name][name])
    if place == NOT_NAMED:
        return {
            "answer": DONT_KNOW,
            "rank": "",
            "answer_probability": np.nan,
            "trust": NO,
            "why": _why_not(rule, decision, row),
            **record,
        }
    threshold = rule.thresholds[rank.name]
    assert threshold is not None  # it names the photograph
    why = f"probability {decimal(probability)}, needs {decimal(threshold)}"
    if place > 0:
        why += f"; no {' or '.join(below.name for below in rule.ranks[:place])} is sure"
    return {
        "answer": name,
        "rank": rank.name,
        "answer_probability": probability,
        "trust": YES,
        "why": why,
        **record,
    }


def _why_not(rule: DecisionRule, decision: Decision, row: int) -> str:
    """Why no name of one photograph is trusted."""
    if decision.is_novel[row]:
        return LOOKS_UNKNOWN
    return "; ".join(
        f"{rank.name} {decimal(float(best.probability[row]))}, {_needed(rule, rank)}"
        if best.has_group[row]
        else f"no {rank.name} is known of what is most probable"
        for rank, best in zip(rule.ranks, decision.best, strict=True)
    )


def _needed(rule: DecisionRule, rank: Rank) -> str:
    threshold = rule.thresholds[rank.name]
    return "no threshold is certified" if threshold is None else f"needs {decimal(threshold)}"


def _record(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "precision": record["precision"],
        "precision_low": record["low"],
        "precision_high": record["high"],
        "test_images": record["test_images"],
        "train_images": record["train_images"],
    }
