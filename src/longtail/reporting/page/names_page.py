"""The page on which a person reviews predicted names: one self-contained HTML file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from longtail.naming.answers_table import DONT_KNOW, LOOKS_UNKNOWN, NO_ANIMAL, has_boxes
from longtail.naming.error_rates import names_at_each_rate
from longtail.naming.seen_before import seen_note
from longtail.nomenclature.display_names import ClassNaming
from longtail.reporting.page.templates import template
from longtail.schemas.vocabulary import ALREADY_IN, SHA256, SPECIES, TOP, YES
from longtail.wording import counted, percent

# Columns of the table of names that cards show unchanged, if the table has them.
ON_CARDS = ("file", SHA256, "answer", "rank", "why", ALREADY_IN)
IF_PRESENT = ("box", "frame", "note", "night", "timestamp", "deployment", "genus")


def most_doubtful(names: pd.DataFrame, limit: int) -> pd.DataFrame:
    """Select the readable photographs that most need a look, in the order of the table.

    Names without trust come before trusted ones, and less probable ones before others.
    """
    readable = names[names["error"] == ""]
    doubt = pd.DataFrame({"trusted": readable["trust"] == YES, "sure": _probability(readable)})
    chosen = doubt.sort_values(["trusted", "sure"], kind="stable").index[:limit]
    return readable.loc[readable.index.isin(chosen)]


def names_page(
    title: str,
    names: pd.DataFrame,
    chosen: pd.DataFrame,
    pictures: Mapping[str, str],
    originals: Mapping[str, tuple[Path, str]],
    recognizer: Mapping[str, Any],
    learnt: str = "photograph",
) -> str:
    """Write the page. It contains all its pictures and loads nothing from the network.

    The browser keeps a person's choices under a hash of the table of names, and the page saves
    them as ``corrections.csv``.

    Args:
        title: the data set's label.
        names: table of predicted names.
        chosen: rows of it that are shown.
        pictures: WebP files in base 64, by file name.
        originals: the folder or zip file of each photograph, and its path in it.
        recognizer: description of the recognizer that predicted them.
        learnt: word for an image of the data set: a photograph or an animal in one.
    """
    naming = ClassNaming.infer(recognizer["class_names"])
    higher = {rank for rank in recognizer["thresholds"] if rank != SPECIES and rank in names}
    data = {
        # The browser keeps the choices of each page apart by this key.
        "key": hashlib.sha256(names.to_csv(index=False).encode()).hexdigest()[:16],
        "species": recognizer["class_names"],
        "binomial": naming.is_binomial,
        "higher": sorted({name for rank in higher for name in names[rank].dropna() if name}),
        "records": _records(chosen, naming, learnt),
        "cards": [_card(row, originals) for row in chosen.to_dict("records")],
    }
    return template("names.html.j2").render(
        title=title,
        total=len(names),
        trusted=int((names["trust"] == YES).sum()),
        unsure=int((names["answer"] == DONT_KNOW).sum()),
        empty=int((names["answer"] == NO_ANIMAL).sum()),
        has_boxes=has_boxes(names),
        tested=_tested(recognizer["trusted_on_test"], learnt),
        on_page=len(chosen),
        readable=int((names["error"] == "").sum()),
        seen=seen_note(names[ALREADY_IN].tolist()),
        broken=names.loc[names["error"] != "", ["file", "error"]].to_dict("records"),
        rungs=names_at_each_rate(recognizer["ladder"], names),
        recognizer=recognizer,
        species=SPECIES,
        data=data,
        pictures=[pictures.get(file, "") for file in chosen["file"]],
    )


def _tested(on_test: Mapping[str, Any], learnt: str) -> str:
    """Describe the test in one sentence that needs no statistics."""
    tested = counted(on_test["images"], learnt)
    start = f"The model was tested on {tested} that it had not learned from:"
    if not on_test["trusted"]:
        return f"{start} it was sure of none of their names."
    trusted, wrong = on_test["trusted"], on_test["wrong"]
    return (
        f"{start} it was sure of {counted(trusted, 'name')}, and {wrong:,} of these "
        f"{'was' if wrong == 1 else 'were'} wrong."
    )


def _probability(names: pd.DataFrame) -> pd.Series[float]:
    return names["answer_probability"].fillna(names["probability"])


def _card(row: Mapping[Any, Any], originals: Mapping[str, tuple[Path, str]]) -> dict[str, Any]:
    """Return the script's data on one photograph, as plain values."""
    guesses = [(row[SPECIES], row["probability"])] + [
        (row[f"{SPECIES}_{place}"], row[f"probability_{place}"]) for place in range(2, TOP + 1)
    ]
    answered = row["answer_probability"]
    folder, uri = "", ""
    if original := originals.get(row["file"]):
        container, inside = original
        folder = str(container)
        uri = "" if container.is_file() else (container / inside).absolute().as_uri()
    return {
        **{column: _text(row[column]) for column in ON_CARDS},
        **{column: _text(row.get(column)) for column in IF_PRESENT},
        "trusted": row["trust"] == YES,
        "novel": row["why"] == LOOKS_UNKNOWN,
        "probability": _rounded(row["probability"] if pd.isna(answered) else answered),
        "guesses": [(name, _rounded(share)) for name, share in guesses if not pd.isna(share)],
        "folder": folder,
        "uri": uri,
    }


def _text(value: Any) -> str:
    return "" if value is None or pd.isna(value) else str(value)


def _rounded(probability: float) -> float:
    return 0.0 if pd.isna(probability) else round(float(probability), 4)


def _records(chosen: pd.DataFrame, naming: ClassNaming, learnt: str) -> dict[str, str]:
    """Return the track record of each name, by the name as the page shows it."""
    named = chosen["answer"].where(chosen["trust"] == YES, chosen[SPECIES])
    # A photograph without an animal has neither a name nor a record.
    with_name = chosen.assign(named=named)[named.notna() & (named != "")]
    first = with_name.drop_duplicates("named")
    return {naming.display(row["named"]): _record(row, learnt) for row in first.to_dict("records")}


def _record(row: Mapping[Any, Any], learnt: str) -> str:
    trained = counted(int(row["train_images"]), f"training {learnt}")
    if pd.isna(row["precision"]):
        return f"Never came first on a held-out {learnt}; {trained}."
    return (
        f"Right {percent(row['precision'])} of the times it came first on held-out {learnt}s "
        f"[{percent(row['precision_low'])}, {percent(row['precision_high'])}]; {trained}."
    )
