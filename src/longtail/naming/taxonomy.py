"""Ranks above the species, such as genus and family, for photographs of an uncertain species."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from longtail.arrays import BoolArray, Float64Array, Int64Array
from longtail.errors import DataError
from longtail.naming.name_matching import NO_SYNONYMS, ClassMatcher, Synonyms, key_of
from longtail.naming.user_tables import read_table
from longtail.nomenclature.display_names import LATIN_SHARE, genus_of, is_binomial
from longtail.nomenclature.scientific_names import canonical_name, looks_latin, plain_name
from longtail.nomenclature.vocabulary import HYBRID
from longtail.schemas.user_csv import header_key
from longtail.schemas.user_headers import NO_RANKS, RANKS, SPECIES_HEADERS
from longtail.wording import counted, first_quoted

# Names of two words are scientific ones if at least half of them end like Latin ones, and if they
# are not a few of many classes: English names may, too ("red panda").
FEWEST_SCIENTIFIC = 0.2

log = logging.getLogger(__name__)

# The position of the group of a class without one.
NO_GROUP = -1

# The groups of each class by rank, lowest first. All classes have the same ranks; a class without a
# group has an empty one.
Taxonomy = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Rank:
    """One rank above the species.

    Attributes:
        name: such as ``genus``.
        groups: the names of its groups.
        group_of: the group of each class, by position; ``NO_GROUP`` where a class has none.
    """

    name: str
    groups: tuple[str, ...]
    group_of: Int64Array

    def roll_up(self, probabilities: Float64Array) -> Float64Array:
        """The probability of each group: the sum over its species, (images, groups + 1).

        The last column is the sum over classes without a group.
        """
        member = self.group_of[:, None] == np.append(np.arange(len(self.groups)), NO_GROUP)
        return probabilities @ member.astype(np.float64)

    def group_within(self, classes: BoolArray, probabilities: Float64Array) -> int:
        """The most probable group of some classes; ``NO_GROUP`` if that is none.

        Args:
            classes: true for these classes, (classes,).
            probabilities: probabilities of all classes, (classes,).
        """
        shares = np.bincount(self.group_of[classes] + 1, weights=probabilities[classes])
        return int(shares.argmax()) + NO_GROUP


def genera(class_names: Sequence[str]) -> Taxonomy:
    """The genus of each class with a scientific name; empty of other classes, which are logged.

    Nothing if few names are scientific ones: "red panda" has their form, too.
    """
    genus_of_class = {name: _genus(name) for name in class_names}
    of_two_words = [name for name in class_names if len(plain_name(name).split()) > 1]
    named = [name for name, genus in genus_of_class.items() if genus]
    latin = [name for name in named if looks_latin(name)]
    if not named or len(latin) < max(
        LATIN_SHARE * len(of_two_words), FEWEST_SCIENTIFIC * len(class_names)
    ):
        return {}
    spelling: dict[str, str] = {}
    for genus in filter(None, genus_of_class.values()):
        spelling.setdefault(genus.casefold(), genus)
    for name in class_names:  # a class may be a genus
        key = (genus_of_class[name] or plain_name(name)).casefold()
        genus_of_class[name] = spelling.get(key, "")
    without = [name for name, genus in genus_of_class.items() if not genus]
    if without:
        log.warning(
            "%s of %s no genus, and can only get a species: %s",
            f"{len(without):,}",
            counted(len(class_names), "class has", "classes have"),
            first_quoted(without),
        )
    return {name: {"genus": genus} for name, genus in genus_of_class.items()}


def _genus(name: str) -> str:
    """The genus of a scientific name as it is written; empty of any other name."""
    canonical = canonical_name(name)
    if HYBRID in canonical or not is_binomial(" ".join(re.split("[ /]", canonical)[:2])):
        return ""
    written, genus = plain_name(name).split()[0], genus_of(canonical)
    return written if written.casefold() == genus.casefold() else genus


def read_taxonomy(
    path: str, class_names: Sequence[str], synonyms: Synonyms = NO_SYNONYMS
) -> Taxonomy:
    """The ranks of each class, lowest first, from a CSV file (species, genus, family, ...).

    Columns may have any order. Species that are not classes are ignored: a taxonomy may be larger
    than the data set. Classes without a row have no ranks, and are logged. Without a column
    ``genus``, genera are taken from scientific names.

    Raises:
        DataError: if the file cannot be used, has no class or nearly the name of one, has two rows
            for a class that differ, or puts one group into two.
    """
    from longtail.schemas.user_tables import TAXONOMY
    from longtail.schemas.validation import validate

    where = f"predict.taxonomy: '{path}'"
    table = read_table(path, "predict.taxonomy", class_names, SPECIES_HEADERS)
    if len(table.columns) < 2:
        raise DataError(f"{where} must have the columns species, genus, family, ...")
    table = validate(table, TAXONOMY, where)
    table = table[table["species"] != ""]
    lines, table = list(table.index), table.set_index("species")
    ignored = [column for column in table.columns if header_key(column) in NO_RANKS]
    if ignored:
        log.info("%s: the columns %s are no ranks, and are ignored", where, ", ".join(ignored))
    table = table.drop(columns=ignored)
    ranks = _lowest_first(table.loc[:, [table[rank].any() for rank in table.columns]], where)
    if not ranks:
        raise DataError(f"{where} names no genus, family, ...: all its cells are empty")
    if own_names := [rank for rank in ranks if rank not in RANKS]:
        log.info(
            "%s: ranks with other names than the usual ones (genus, family, order, ...): %s",
            where,
            ", ".join(own_names),
        )
    rows = _rows_of_classes(table[ranks], lines, ClassMatcher(class_names, synonyms), where)
    taxonomy = {
        name: rows.get(label, dict.fromkeys(ranks, "")) for label, name in enumerate(class_names)
    }
    if "genus" not in ranks and (own := genera(class_names)):
        for rank in own_names:
            pairs = ((above[rank], own[name]["genus"]) for name, above in taxonomy.items())
            if all(group.casefold() in ("", genus.casefold()) for group, genus in pairs):
                raise DataError(
                    f"{where}: the column '{rank}' has the genus of each species. Call it genus"
                )
        taxonomy = {name: {**own[name], **above} for name, above in taxonomy.items()}
    _check_nesting(taxonomy, where)
    return taxonomy


def _rows_of_classes(
    table: pd.DataFrame, lines: Sequence[int], matcher: ClassMatcher, where: str
) -> dict[int, dict[str, str]]:
    """The ranks of each class that a table has, by its label."""
    names, class_names = [str(name) for name in table.index], matcher.class_names
    rows: dict[int, tuple[int, str, dict[str, str]]] = {}
    for line, name, values in zip(lines, names, table.to_dict("records"), strict=True):
        above = {str(rank): str(group) for rank, group in values.items()}
        for label in matcher.labels(name):
            first_line, first, ranks = rows.setdefault(label, (line, name, above))
            if key_of(first) == key_of(class_names[label]) != key_of(name):
                continue  # the class itself, not one of its subspecies or synonyms
            if key_of(name) == key_of(class_names[label]) != key_of(first):
                rows[label] = (line, name, above)
            elif ranks != above:
                rank = next(rank for rank in above if ranks[rank] != above[rank])
                raise DataError(
                    f"{where}, lines {first_line} ('{first}') and {line} ('{name}'): "
                    f"'{class_names[label]}' has the {rank} '{ranks[rank]}' and the {rank} "
                    f"'{above[rank]}'. Correct one of them, or leave it out"
                )
    missing = [name for label, name in enumerate(class_names) if label not in rows]
    if missing:
        if near := next(matcher.misspelt(names), None):
            raise DataError(
                f"{where} leaves out the class '{near[1]}', but has '{near[0]}'. Correct the "
                f"spelling or, in a table predict.synonyms, give '{near[0]}' the class that it "
                f"means, or itself if it is another species"
            )
        message = f"{where} leaves out {len(missing)} of {len(class_names)} classes"
        if not rows:
            raise DataError(f"{message}, such as '{missing[0]}'. Give each a row")
        log.warning("%s, which have no ranks of it: %s", message, first_quoted(missing))
    return {label: above for label, (_, _, above) in rows.items()}


def ranks_of(taxonomy: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The ranks that a taxonomy has, lowest first."""
    return list(next(iter(taxonomy.values()), {}))


def rank_of(
    name: str, taxonomy: Mapping[str, Mapping[str, str]], class_names: Sequence[str]
) -> Rank:
    """One rank of a taxonomy, for classes in the order of their labels."""
    of_class = [taxonomy[class_name][name] for class_name in class_names]
    groups = tuple(sorted(set(of_class) - {""}))
    group_of = [groups.index(group) if group else NO_GROUP for group in of_class]
    return Rank(name, groups, np.array(group_of, dtype=np.int64))


def _lowest_first(table: pd.DataFrame, where: str) -> list[str]:
    """The ranks of a table in their usual order; unusual ones below what contains their groups."""
    ranks = [str(column) for column in table.columns]
    ordered = sorted((rank for rank in ranks if rank in RANKS), key=RANKS.index)
    for rank in ranks:
        if rank not in RANKS:
            above = (at for at, other in enumerate(ordered) if _is_within(table, rank, other))
            ordered.insert(next(above, len(ordered)), rank)
    if ordered != ranks:
        log.info("%s: the ranks are taken in the order %s", where, ", ".join(ordered))
    return ordered


def _is_within(table: pd.DataFrame, lower: str, upper: str) -> bool:
    """Whether each group of one rank is in one group of another, which has fewer groups."""
    both = table.loc[(table[lower] != "") & (table[upper] != ""), [lower, upper]].drop_duplicates()
    return not both[lower].duplicated().any() and bool(both[upper].duplicated().any())


def _check_nesting(taxonomy: Taxonomy, where: str) -> None:
    """Refuse a group of one rank that is in two groups of the rank above."""
    for lower, upper in pairwise(ranks_of(taxonomy)):
        parents: dict[str, str] = {}
        for above in taxonomy.values():
            if above[lower] and above[upper]:
                parent = parents.setdefault(above[lower], above[upper])
                if parent != above[upper]:
                    raise DataError(
                        f"{where} puts the {lower} '{above[lower]}' into two: the {upper} "
                        f"'{parent}' and the {upper} '{above[upper]}'"
                    )
