"""Scientific names that are almost equal: one of the two may be misspelt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations

from longtail.nomenclature.display_names import is_binomial
from longtail.nomenclature.scientific_names import canonical_name


def near_names(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names that differ in one letter of the genus or of an epithet, sorted.

    A letter is inserted, removed or replaced, or two neighbours are swapped (Damerau 1964). Only
    scientific names are compared, without authors. Those that are equal then are no pair.

    Such words are equal once a letter is removed from one of them or from both. So only names
    that share such a rest are compared, and all pairs of many names need not be.

    Examples:
        >>> near_names(["Noctua pronuba", "Noctua pronubba", "Noctua comes", "Nactua comes"])
        [('Nactua comes', 'Noctua comes'), ('Noctua pronuba', 'Noctua pronubba')]
    """
    spelt: dict[str, str] = {}
    for name in sorted(names):
        canonical = canonical_name(name)
        if is_binomial(canonical):
            spelt.setdefault(canonical.casefold(), name)
    sharing: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for canonical in spelt:
        words = canonical.split()
        for place, word in enumerate(words):
            rests = {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}
            for rest in rests:
                sharing[(*words[:place], f"{place} {rest}", *words[place + 1 :])].append(canonical)
    pairs = {pair for same in sharing.values() for pair in combinations(same, 2)}
    return sorted(
        (spelt[one], spelt[other])
        for one, other in pairs
        if _is_one_letter(*_words_that_differ(one, other))
    )


def _words_that_differ(one: str, other: str) -> tuple[str, str]:
    [pair] = [pair for pair in zip(one.split(), other.split(), strict=True) if len(set(pair)) > 1]
    return pair


def _is_one_letter(one: str, other: str) -> bool:
    """Whether two words differ in one letter, or in the order of two neighbours."""
    short, long = sorted((one, other), key=len)
    start = next((at for at, letter in enumerate(short) if letter != long[at]), len(short))
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    is_swapped = short[start : start + 2] == long[start : start + 2][::-1]
    return short[start + 1 :] == long[start + 1 :] or (
        is_swapped and short[start + 2 :] == long[start + 2 :]
    )
