"""Ranks above the species, such as genus and family, for photographs of an uncertain species."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from longtail.arrays import Float64Array, Int64Array
from longtail.class_names import genus_of, is_binomial
from longtail.errors import DataError
from longtail.naming.user_tables import key_of, matched, read_table
from longtail.schemas.user_headers import RANKS, SPECIES_HEADERS

log = logging.getLogger(__name__)

# The groups of each class by rank, lowest first. All classes have the same ranks; a class without a
# group has an empty one.
Taxonomy = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Rank:
    """One rank above the species.

    Attributes:
        name: such as ``genus``.
        groups: the names of its groups.
        group_of: the group of each class, by position; -1 where a class has none.
    """

    name: str
    groups: tuple[str, ...]
    group_of: Int64Array

    def roll_up(self, probabilities: Float64Array) -> Float64Array:
        """The probability of each group: the sum over its species, (images, groups)."""
        member = self.group_of[:, None] == np.arange(len(self.groups))
        summed: Float64Array = probabilities @ member.astype(np.float64)
        return summed


def genera(class_names: Sequence[str]) -> Taxonomy:
    """The genus of each class by its binomial name; nothing unless all names are binomials."""
    if not all(map(is_binomial, class_names)):
        return {}
    return {name: {"genus": genus_of(name)} for name in class_names}


def read_taxonomy(path: str, class_names: Sequence[str]) -> Taxonomy:
    """The ranks of each class, lowest first, from a CSV file (species, genus, family, ...).

    Species that are not classes are ignored: a taxonomy may be larger than the data set. Without a
    column ``genus``, genera are taken from binomial names.

    Raises:
        DataError: if the file cannot be used, leaves out a class, or puts one group into two.
    """
    from longtail.schemas.user_tables import TAXONOMY
    from longtail.schemas.validation import validate

    where = f"predict.taxonomy: '{path}'"
    table = read_table(path, "predict.taxonomy", class_names, SPECIES_HEADERS)
    if len(table.columns) < 2:
        raise DataError(f"{where} must have the columns species, genus, family, ...")
    table = validate(table, TAXONOMY, where).set_index("species")
    labels = matched(table.index, class_names)
    keys = [key_of(str(name)) for name in table.index]
    doubled = sorted(
        {name for name in keys if keys.count(name) > 1} & set(map(key_of, class_names))
    )
    if doubled:
        raise DataError(f"{where} has '{doubled[0]}' in two rows ({len(doubled)} such)")
    row_of = {label: row for row, label in enumerate(labels) if label is not None}
    missing = [name for label, name in enumerate(class_names) if label not in row_of]
    if missing:
        raise DataError(
            f"{where} leaves out {len(missing)} of {len(class_names)} classes, such as "
            f"'{missing[0]}'. Give each a row; empty cells where it has no genus or family"
        )
    ranks = _lowest_first([rank for rank in table.columns if table[rank].any()], where)
    if not ranks:
        raise DataError(f"{where} names no genus, family, ...: all its cells are empty")
    taxonomy = {
        name: {rank: str(table[rank].iloc[row_of[label]]) for rank in ranks}
        for label, name in enumerate(class_names)
    }
    if "genus" not in ranks and (own := genera(class_names)):
        taxonomy = {name: {**own[name], **above} for name, above in taxonomy.items()}
    _check_nesting(taxonomy, where)
    return taxonomy


def ranks_of(taxonomy: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The ranks that a taxonomy has, lowest first."""
    return list(next(iter(taxonomy.values()), {}))


def rank_of(
    name: str, taxonomy: Mapping[str, Mapping[str, str]], class_names: Sequence[str]
) -> Rank:
    """One rank of a taxonomy, for classes in the order of their labels."""
    of_class = [taxonomy[class_name][name] for class_name in class_names]
    groups = tuple(sorted(set(of_class) - {""}))
    group_of = [groups.index(group) if group else -1 for group in of_class]
    return Rank(name, groups, np.array(group_of, dtype=np.int64))


def _lowest_first(ranks: list[str], where: str) -> list[str]:
    """Ranks in their order in the file; in the usual one if all are usual ranks."""
    if not set(ranks) <= set(RANKS):
        return ranks
    ordered = sorted(ranks, key=RANKS.index)
    if ordered != ranks:
        log.info("%s: the ranks are taken in the order %s", where, ", ".join(ordered))
    return ordered


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
