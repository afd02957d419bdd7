"""The page of predicted names: one self-contained HTML file, most confident names first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from longtail.class_names import ClassNaming
from longtail.naming.answers_table import DONT_KNOW, LOOKS_UNKNOWN
from longtail.naming.error_rates import names_at_each_rate
from longtail.naming.seen_before import seen_note
from longtail.reporting.page.templates import template
from longtail.schemas.vocabulary import ALREADY_IN, SPECIES, TOP, YES
from longtail.wording import counted, percent

SHOWN_GUESSES = 3
# Headings of photographs without a trusted name.
UNLIKE, UNSURE = "Looks like none of the known species", "Not sure enough"


@dataclass(frozen=True)
class Card:
    """One photograph on the page.

    Attributes:
        file: its name.
        picture: a JPEG file in base 64; empty if the photograph can no longer be read.
        probability: of the answer.
        guesses: the most probable species and their probabilities.
        why: the reason why the answer is trusted or not.
    """

    file: str
    picture: str
    probability: float
    guesses: Sequence[tuple[str, float]]
    why: str


@dataclass(frozen=True)
class Group:
    """The photographs with one answer.

    Attributes:
        answer: the name, or a heading for photographs without a trusted name.
        record: the track record of the name as text; empty without a name.
        photographs: how many there are, on the page or not.
        cards: those on the page, most confident first.
    """

    answer: str
    record: str
    photographs: int
    cards: Sequence[Card]


def select_photographs(names: pd.DataFrame, limit: int) -> pd.DataFrame:
    """Select the photographs that the page shows.

    The same share of each kind of answer (a species, a genus, ..., none, unlike anything known),
    but at least one; of each kind the most confident.

    Args:
        names: the table of predicted names.
        limit: the largest number of photographs, except that each kind has at least one.
    """
    readable = names[names["error"] == ""]
    if len(readable) <= limit:
        return readable
    kinds = []
    for _, kind in readable.groupby(["rank", readable["why"] == LOOKS_UNKNOWN], sort=False):
        quota = max(1, limit * len(kind) // len(readable))
        certainty = kind["answer_probability"].fillna(kind["probability"])
        kinds.append(kind.loc[certainty.sort_values(ascending=False, kind="stable").index[:quota]])
    return pd.concat(kinds)


def names_page(
    title: str,
    names: pd.DataFrame,
    chosen: pd.DataFrame,
    pictures: Mapping[str, str],
    recognizer: Mapping[str, Any],
) -> str:
    """The page. It contains all its pictures and loads nothing from the network.

    Args:
        title: the data set's label.
        names: the table of predicted names.
        chosen: the rows of it that are shown.
        pictures: JPEG files in base 64, by file name.
        recognizer: the description of the recognizer that predicted them.
    """
    trusted = names[names["trust"] == YES]
    names, chosen = names.assign(group=_group_of(names)), chosen.assign(group=_group_of(chosen))
    sections = [(rank, _groups(names, chosen, pictures, rank)) for rank in recognizer["thresholds"]]
    return template("names.html.j2").render(
        title=title,
        total=len(names),
        trusted=len(trusted),
        unsure=int((names["answer"] == DONT_KNOW).sum()),
        on_page=len(chosen),
        familiar=seen_note(names[ALREADY_IN].tolist()),
        readable=int((names["error"] == "").sum()),
        sections=[(rank, groups) for rank, groups in sections if groups],
        unknown=_groups(names, chosen, pictures, ""),
        broken=names.loc[names["error"] != "", ["file", "error"]].to_dict("records"),
        rungs=names_at_each_rate(recognizer["ladder"], names),
        recognizer=recognizer,
        species=SPECIES,
        called=ClassNaming.infer(recognizer["class_names"]),
    )


def _group_of(names: pd.DataFrame) -> pd.Series[str]:
    """The heading of each photograph: its answer, or why there is none."""
    without = names["why"].map(lambda why: UNLIKE if why == LOOKS_UNKNOWN else UNSURE)
    return names["answer"].where(names["trust"] == YES, without)


def _groups(
    names: pd.DataFrame, chosen: pd.DataFrame, pictures: Mapping[str, str], rank: str
) -> list[Group]:
    """The answers of one rank (empty: "don't know"), by their most confident photograph."""
    own = chosen[(chosen["rank"] == rank) & (chosen["error"] == "")]
    counts = names.loc[(names["rank"] == rank) & (names["error"] == ""), "group"].value_counts()
    groups = []
    for answer, rows in own.groupby("group", sort=False):
        cards = [_card(row, pictures) for row in rows.to_dict("records")]
        cards.sort(key=lambda card: -card.probability)
        record = _record(rows.iloc[0]) if rank else ""
        groups.append(Group(str(answer), record, int(counts[answer]), cards))
    return sorted(groups, key=lambda group: -group.cards[0].probability)


def _card(row: Mapping[Any, Any], pictures: Mapping[str, str]) -> Card:
    answered = row["answer_probability"]
    guesses = [(row[SPECIES], row["probability"])] + [
        (row[f"{SPECIES}_{place}"], row[f"probability_{place}"]) for place in range(2, TOP + 1)
    ]
    return Card(
        file=row["file"],
        picture=pictures.get(row["file"], ""),
        probability=row["probability"] if pd.isna(answered) else answered,
        guesses=[guess for guess in guesses[:SHOWN_GUESSES] if not pd.isna(guess[1])],
        why=row["why"],
    )


def _record(row: pd.Series[Any]) -> str:
    trained = counted(int(row["train_images"]), "training photograph")
    if pd.isna(row["precision"]):
        return f"never came first on the test set; {trained}"
    return (
        f"right {percent(row['precision'])} of the times it came first on the test set "
        f"[{percent(row['precision_low'])}, {percent(row['precision_high'])}]; {trained}"
    )
