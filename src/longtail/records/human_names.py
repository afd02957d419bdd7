"""Names that people gave to photographs, in place of the model's."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pandas as pd

from longtail.naming.answers_table import NO_ANIMAL
from longtail.naming.name_matching import ClassMatcher, canonical_key
from longtail.nomenclature.scientific_names import EPITHET_FORM, GENUS_FORM, looks_latin, plain_name
from longtail.nomenclature.vocabulary import HYBRID, QUALIFIERS, UNNAMED
from longtail.records.identifications import ANIMAL_KIND, BLANK, HUMAN, UNKNOWN_KIND, scientific
from longtail.schemas.vocabulary import BOX, FRAME, SPECIES
from longtail.sources.corrections import NOT_KNOWN, Correction
from longtail.sources.images import Rejected
from longtail.wording import capitalized, counted, first_names, is_or_are

CORRECTIONS_KEY = "predict.corrections"
# The endings of names above the genus (ICZN article 29.2, ICN article 18.1).
ENDINGS = {"idae": "family", "aceae": "family", "inae": "subfamily"}
# Marks in a name that make it doubtful, or not that of a species.
DOUBTS = frozenset({*QUALIFIERS.values(), *UNNAMED.values()})
# The form of a canonical name: a genus with a capital letter, then epithets and marks without one;
# anything may follow "sp.", and a parent of a hybrid may have a genus of its own.
_GENUS = rf"(?![a-z]){GENUS_FORM}"
_NAME = rf"{_GENUS}( (?!\S*[A-Z]){EPITHET_FORM}\.?)*"
_SCIENTIFIC = re.compile(rf"{_NAME}( {HYBRID} {_NAME})*|{_GENUS} {re.escape(UNNAMED['sp'])} .*")

log = logging.getLogger(__name__)


def with_human_names(
    identified: pd.DataFrame,
    corrections: Sequence[Correction],
    recognizer: Mapping[str, Any],
    listed: Sequence[str] = (),
    rejected: Sequence[Rejected] = (),
) -> tuple[pd.DataFrame, list[Rejected]]:
    """Use the identifications of people if there are any, and those of the model otherwise.

    A correction belongs to the file with its checksum, or else with its name, and to its box. If a
    file cannot be read and has no checksum, its name suffices, if only one correction has it.
    Names that are nearly a class are logged, and kept.

    Args:
        identified: table of :func:`longtail.records.identifications.identifications`.
        corrections: corrections that people agree on.
        recognizer: recognizer whose ``class_names`` and ``taxonomy`` tell the rank of a name.
        listed: names in tables of the user; the genera of scientific ones are known.
        rejected: rows of the tables of corrections that cannot be used.

    Returns:
        The same columns; rows that a person has named have the method ``human``, no probability,
        and ``by`` and ``when`` of the correction. And the corrections that cannot be used,
        ``rejected`` ones first, with the reason. Such rows keep the name of the model.
    """
    said = {row.photograph: row for row in corrections}
    of_model: list[dict[Any, Any]] = identified.to_dict("records")
    of_rows = _corrections_of_rows(of_model, said)
    known, used, reasons = KnownNames.of(recognizer, listed), {}, {}
    for correction in filter(None, of_rows):
        named = _named(correction, known)
        if isinstance(named, str):
            reasons[correction.photograph] = named
        else:
            used[correction.photograph] = named
    of_photograph = _rows_of_photographs(of_model)
    for key in said.keys() - used.keys() - reasons.keys():
        if reason := _mistake(said[key], of_photograph):
            reasons[key] = reason
    of_people = sum(row is not None and row.photograph in used for row in of_rows)
    _log_counts(
        (of_people, len(of_rows)),
        len(rejected) + len(reasons),
        len(said) - len(used) - len(reasons),
    )
    known.log_nearly([said[key].name for key in said if key in used and said[key].name])
    rows = [
        {**row, **used.get(correction.photograph, {})} if correction else row
        for row, correction in zip(of_model, of_rows, strict=True)
    ]
    table = pd.DataFrame(rows, columns=identified.columns, index=identified.index)
    unpublished = [said[key].rejected(reasons[key]) for key in said if key in reasons]
    return table, [*rejected, *unpublished]


def _corrections_of_rows(
    rows: Sequence[dict[Any, Any]], said: Mapping[tuple[str, str], Correction]
) -> list[Correction | None]:
    """Return the correction of each row, if there is one: see :func:`with_human_names`."""
    checksums = {row["sha256"] for row in rows} - {""}
    by_file: dict[tuple[str, str], list[Correction]] = defaultdict(list)
    for correction in said.values():
        if correction.sha256 not in checksums:
            by_file[correction.file, correction.box].append(correction)
    found: list[Correction | None] = []
    for row in rows:
        checksum, place = row["sha256"], (row[FRAME] or row["file"], row[BOX])
        of_row = said.get((checksum, row[BOX])) or said.get(place)
        if of_row is None and not checksum and len(by_file[place]) == 1:
            [of_row] = by_file[place]
        found.append(of_row)
    return found


def _rows_of_photographs(rows: Sequence[dict[Any, Any]]) -> Mapping[str, list[dict[Any, Any]]]:
    """Return the rows of each photograph, by its checksum and by its name."""
    found: dict[str, list[dict[Any, Any]]] = defaultdict(list)
    for row in rows:
        for key in filter(None, (row["sha256"], row[FRAME] or row["file"])):
            found[key].append(row)
    return dict(found)


def _mistake(said: Correction, of_photograph: Mapping[str, list[dict[Any, Any]]]) -> str:
    """Return why a correction fits no row; empty if it is of another photograph."""
    rows = of_photograph.get(said.sha256) or of_photograph.get(said.file)
    if rows is None:
        return ""
    if said.sha256 and rows[0]["sha256"] not in ("", said.sha256):
        return "has changed since it was named, or is another photograph with the same name"
    if said.box in {row[BOX] for row in rows}:
        return "another row names this photograph, or one with the same name"
    if not said.box:
        return "the animals of the photograph are in boxes: give the box of the one that is named"
    try:
        said.box_values()
    except ValueError as reason:
        return str(reason)
    return f"no animal was found in the box '{said.box}' of the photograph"


def _log_counts(named: tuple[int, int], mistakes: int, others: int) -> None:
    """Log how many rows of the table of names were named by a person."""
    rows, total = named
    parts = [
        f"{rows:,} of {counted(total, 'row')} of names.csv {is_or_are(rows)} named by a person"
    ]
    if mistakes:
        parts.append(f"{counted(mistakes, 'correction')} cannot be used, see left_out.csv")
    if others:
        parts.append(f"{counted(others, 'correction is', 'corrections are')} of other photographs")
    log.info("%s: %s", CORRECTIONS_KEY, "; ".join(parts))


@dataclass(frozen=True)
class KnownNames:
    """The names that the model knows.

    Attributes:
        classes: classes of the model.
        rank_of: rank of each group above them, by its scientific name.
        genera: genera of the species in tables of the user.
    """

    classes: ClassMatcher
    rank_of: Mapping[str, str]
    genera: frozenset[str] = frozenset()

    @classmethod
    def of(cls, recognizer: Mapping[str, Any], names: Sequence[str]) -> KnownNames:
        """Collect the names of a recognizer, and the genera of clearly scientific names."""
        rank_of = {
            scientific(group): rank
            for groups in recognizer["taxonomy"].values()
            for rank, group in groups.items()
            if group
        }
        alone = cls(ClassMatcher(recognizer["class_names"]), rank_of)
        words = (alone.words(capitalized(name)) for name in names)
        return replace(alone, genera=frozenset(parts[0] for parts in words if len(parts) > 1))

    def rank(self, name: str) -> str:
        """Return the rank of a name of one word; if it is not known, by its ending, or a genus."""
        endings = (rank for end, rank in ENDINGS.items() if name.endswith(end))
        return self.rank_of.get(name) or next(endings, "genus")

    def words(self, text: str) -> list[str]:
        """Return the words of a scientific name in canonical form; none if it is no such name.

        English names of two words have the form of scientific ones ("Red admiral"). A genus that
        the model or a table of the user knows, a Latin ending of the epithet, or an author tells
        them apart.
        """
        words = scientific(text).split()
        if _SCIENTIFIC.fullmatch(" ".join(words)) is None:
            return []
        is_capital = plain_name(text)[0].isupper()
        is_known = words[0] in self.rank_of or words[0] in self.genera
        if is_known or (len(words) == 1 and is_capital):
            return words
        is_scientific = (
            words[1:2] == [UNNAMED["sp"]]
            or looks_latin(" ".join(word for word in words if word not in DOUBTS))
            or len(plain_name(text).split()) > len(words)  # an author follows
        )
        return words if is_capital and is_scientific else []

    def log_nearly(self, names: Sequence[str]) -> None:
        """Warn of names that are not a class, but nearly one."""
        near = [pair for name in dict.fromkeys(names) for pair in self.classes.misspelt([name])]
        if near:
            pairs = [f"'{name}' (the nearest class is '{other}')" for name, other in near]
            log.warning(
                "%s: published as given, but nearly a class: %s",
                CORRECTIONS_KEY,
                ", ".join(first_names(pairs)),
            )


def _named(said: Correction, known: KnownNames) -> dict[str, Any] | str:
    """Return a person's name in the columns of identifications; or why it cannot be used."""
    kind, taxon = ANIMAL_KIND, ("", "", "")
    if said.qualifier in (NO_ANIMAL, NOT_KNOWN):
        kind = BLANK if said.qualifier == NO_ANIMAL else UNKNOWN_KIND
    elif found := _taxon(said, known):
        taxon = found
    else:
        return f"'{said.name}' is no scientific name (if it is one, write it with its author)"
    name, rank, remark = taxon
    return {
        "kind": kind,
        "scientific_name": name,
        "taxon_rank": rank,
        "probability": float("nan"),
        "method": HUMAN,
        "by": said.by or "not stated",
        "when": _time(said.when),
        "remark": remark,
    }


def _taxon(said: Correction, known: KnownNames) -> tuple[str, str, str] | None:
    """Return name, rank and remark of a person's name; None if it is no scientific name."""
    if not said.qualifier and (labels := known.classes.labels(said.name)):
        of_class = known.classes.class_names[labels[0]]
        # A subspecies that the person names is kept.
        is_same = canonical_key(of_class) == canonical_key(said.name)
        return scientific(of_class if is_same else said.name), SPECIES, ""
    # With a qualifier, a name without a capital letter counts, too: the page writes names of
    # groups as the data set does.
    words = known.words(capitalized(said.name) if said.qualifier else said.name)
    if said.qualifier and not words and known.classes.labels(said.name):
        words = scientific(said.name).split()
    if not words:
        return None
    doubt = said.qualifier or next((word for word in words if word in DOUBTS), "")
    whole = " ".join(words)
    if doubt in UNNAMED.values():
        is_more = whole not in (words[0], f"{words[0]} {doubt}")
        return words[0], known.rank(words[0]), whole if is_more else ""
    if doubt:  # not sure of the species: only the genus is
        species = " ".join(word for word in words if word != doubt)
        return words[0], known.rank(words[0]), f"{doubt} {species}"
    return whole, known.rank(whole) if len(words) == 1 else SPECIES, ""


def _time(when: str) -> str:
    """Return a time in seconds with an offset, as Camtrap DP requires; empty if it is none."""
    try:
        time = datetime.fromisoformat(when)
    except ValueError:
        return ""
    return time.isoformat(timespec="seconds") if time.tzinfo else ""
