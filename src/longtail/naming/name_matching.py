"""Names that users write, matched to the classes of the model."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher, get_close_matches
from types import MappingProxyType

from longtail.errors import DataError
from longtail.nomenclature.scientific_names import canonical_name, plain_name, species_of
from longtail.wording import counted, is_or_are

# The canonical name that is accepted for each canonical name in lower case.
Synonyms = Mapping[str, str]
NO_SYNONYMS: Synonyms = MappingProxyType({})
# From this similarity on (Ratcliff and Obershelp 1988), a name may be a misspelt class.
LEAST_SIMILARITY = 0.9

log = logging.getLogger(__name__)


def key_of(name: str) -> str:
    """A name without the differences of spelling that are ignored for any name.

    They are case, underscores, blanks, and how accents and punctuation are encoded.
    """
    return plain_name(name).casefold()


def canonical_key(name: str) -> str:
    """The canonical form of a scientific name in lower case; of other names :func:`key_of`."""
    return canonical_name(name).casefold()


class ClassMatcher:
    """Finds the classes that a name stands for.

    The first of these that fits is taken: the same name; the same canonical name; the accepted name
    of a synonym; the same genus and epithet, whatever follows.

    Args:
        class_names: names of the classes, in the order of the labels.
        synonyms: table of :func:`longtail.naming.synonyms.read_synonyms`.
    """

    def __init__(self, class_names: Sequence[str], synonyms: Synonyms = NO_SYNONYMS) -> None:
        self.class_names = class_names
        self._synonyms = synonyms
        self._by_key = _labels(map(key_of, class_names))
        canonical = [canonical_name(name) for name in class_names]
        self._by_canonical = _labels(name.casefold() for name in canonical)
        self._by_accepted = _labels(self._accepted(name) for name in canonical)
        self._by_species = _labels(self._accepted(species_of(name)) for name in canonical)

    def labels(self, name: str) -> list[int]:
        """The labels of the classes that a name stands for: none, one, or several.

        Several are those of a species that is divided, such as into its subspecies.
        """
        canonical = canonical_name(name)
        species = self._accepted(species_of(canonical))
        return (
            self._by_key.get(key_of(name))
            or self._by_canonical.get(canonical.casefold())
            or self._by_accepted.get(self._accepted(canonical))
            or self._by_species.get(species)
            or []
        )

    def misspelt(self, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Names that are no class, each with a class that it may be, misspelt.

        Only classes that no other name stands for are looked at, and only names that share a word
        with them, or have a single word like them. A name that has synonyms or is one is no error.
        """
        unmatched, found = [], set()
        for name in dict.fromkeys(names):
            labels = self.labels(name)
            found.update(labels)
            if not labels and canonical_key(name) not in self._synonyms:
                unmatched.append(name)
        sharing: dict[str, list[int]] = defaultdict(list)
        for label, name in enumerate(self.class_names):
            for word in _words_or_single(canonical_key(name)):
                sharing[word].append(label)
        for name in unmatched:
            key = canonical_key(name)
            like = {label for word in _words_or_single(key) for label in sharing.get(word, [])}
            near = [self.class_names[label] for label in sorted(like - found)]
            near = [other for other in near if _is_near(key, canonical_key(other))]
            if near:
                yield name, max(near, key=lambda other: _similarity(key, canonical_key(other)))

    def nearest(self, name: str) -> str | None:
        """The class with the most similar name, if one is somewhat similar."""
        keys = {key_of(other): other for other in self.class_names}
        near = get_close_matches(key_of(name), keys, n=1)
        return keys[near[0]] if near else None

    def report_unmatched(self, names: Sequence[str], where: str) -> None:
        """Warn of names of a table that are no class, and refuse those that may be a misspelt one.

        Raises:
            DataError: if a name is nearly that of a class that the table lacks, or none is a class.
        """
        if near := list(self.misspelt(names)):
            pairs = ", ".join(f"'{name}' (class '{other}')" for name, other in near[:5])
            raise DataError(
                f"{where}: {counted(len(near), 'name')} {is_or_are(len(near))} nearly a class of "
                f"the model: {pairs}{', ...' if len(near) > 5 else ''}. Correct the spelling or, "
                f"in a table predict.synonyms, give each name the class that it means, or itself "
                f"if it is another species"
            )
        unmatched = [name for name in names if not self.labels(name)]
        if not unmatched:
            return
        hints = []
        for name in unmatched[:5]:
            nearest = self.nearest(name)
            hints.append(f"'{name}'" + (f" (nearest: '{nearest}')" if nearest else ""))
        message = (
            f"{where}: {len(unmatched)} of {counted(len(names), 'name')} "
            f"{is_or_are(len(unmatched))} not a class of the model: "
            f"{', '.join(hints)}{', ...' if len(unmatched) > len(hints) else ''}"
        )
        if len(unmatched) == len(names):
            classes = " and ".join(f"'{name}'" for name in self.class_names[:2])
            raise DataError(
                f"{message}. The model has classes such as {classes}. Check the spelling, give a "
                f"file with species of the model, or remove {where.partition(':')[0]}"
            )
        log.warning("%s", message)

    def _accepted(self, canonical: str) -> str:
        key = canonical.casefold()
        return self._synonyms.get(key, canonical).casefold()


def _labels(keys: Iterable[str]) -> dict[str, list[int]]:
    labels: dict[str, list[int]] = defaultdict(list)
    for label, key in enumerate(keys):
        labels[key].append(label)
    return dict(labels)


def _words_or_single(key: str) -> list[str]:
    words = key.split()
    return words if len(words) > 1 else [""]


def _is_near(key: str, other: str) -> bool:
    """Whether two names differ like a misspelt one: little, and not in a number.

    Epithets that differ only in their gender (``alba``, ``albus``) are near, too.
    """
    if re.findall(r"\d+", key) != re.findall(r"\d+", other):
        return False
    differs_in_gender = _without_gender(key) == _without_gender(other)
    return differs_in_gender or _similarity(key, other) >= LEAST_SIMILARITY


def _without_gender(key: str) -> str:
    return re.sub(r"(us|a|um|is|e|er|ra|rum)$", "", key)


def _similarity(key: str, other: str) -> float:
    return SequenceMatcher(None, key, other, autojunk=False).ratio()
