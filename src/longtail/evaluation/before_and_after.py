"""Comparison of a model before and after its data set grew, on the same test photographs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from longtail.arrays import UInt8Array
from longtail.evaluation.paired_tests import mcnemar
from longtail.wording import counted

# How many species with the largest differences are named.
NAMED_SPECIES = 5


@dataclass(frozen=True)
class AnswersOnTest:
    """The answers of a model to test photographs.

    Attributes:
        hashes: of the pixels of each photograph, by which it is found again.
        species: the species of each, as it was known then.
        answers: what the model says.
        classes: all species of the model.
    """

    hashes: Sequence[bytes]
    species: Sequence[str]
    answers: Sequence[str]
    classes: frozenset[str]


@dataclass(frozen=True)
class BeforeAndAfter:
    """Two models on the photographs that tested both.

    Attributes:
        images: photographs that tested both.
        right_before: how many of them the model named correctly before.
        right_after: and after.
        p: of McNemar's exact test that both are equally good.
        by_species: by how much the number of correct names has changed, of species where it has.
    """

    images: int
    right_before: int
    right_after: int
    p: float
    by_species: dict[str, int]

    def sentence(self, model: str, level: float) -> str:
        """The comparison in one sentence.

        Args:
            model: its name.
            level: the difference is called clear if p is below it.
        """
        difference = self.right_after - self.right_before
        points = f"{100 * difference / self.images:+.1f} points"
        verdict = "a clear difference" if self.p < level else "no clear difference"
        text = (
            f"{model} names {self.right_after:,} of the same "
            f"{counted(self.images, 'test photograph')} correctly, {self.right_before:,} before "
            f"the data set changed: {points} (McNemar's test: p = {self.p:.2g}, {verdict})"
        )
        ordered = sorted(self.by_species.items(), key=lambda item: (-abs(item[1]), item[0]))
        for words, sign in (("better on", 1), ("worse on", -1)):
            named = [f"{name} ({n:+d})" for name, n in ordered if n * sign > 0]
            if named:
                others = len(named) - NAMED_SPECIES
                more = f" and {counted(others, 'other')}" if others > 0 else ""
                text += f"; {words} {', '.join(named[:NAMED_SPECIES])}{more}"
        return text


def pixel_hashes(images: UInt8Array, numbers: Iterable[int]) -> list[bytes]:
    """What identifies images in data sets that number them differently.

    Args:
        images: uint8 (images, height, width, 3), memory-mapped or not.
        numbers: of the images.
    """
    return [
        hashlib.sha256(np.ascontiguousarray(images[number]).data).digest() for number in numbers
    ]


def compare(before: AnswersOnTest, after: AnswersOnTest) -> BeforeAndAfter | None:
    """Compare two models on the photographs that tested both; None if there is none.

    Both are judged by the species that a photograph has after: its label may have been corrected.
    """
    name_of = _renamed(before, after)
    said = {
        key: name_of.get(answer, answer)
        for key, answer in zip(before.hashes, before.answers, strict=True)
    }
    species = dict(zip(after.hashes, after.species, strict=True))
    was_right = {key: answer == species.get(key) for key, answer in said.items()}
    is_right = {
        key: answer == species[key] for key, answer in zip(after.hashes, after.answers, strict=True)
    }
    same = [key for key in is_right if key in was_right]
    if not same:
        return None
    gained = [key for key in same if is_right[key] and not was_right[key]]
    lost = [key for key in same if was_right[key] and not is_right[key]]
    net = Counter(species[key] for key in gained)
    net.subtract(Counter(species[key] for key in lost))
    return BeforeAndAfter(
        len(same),
        sum(was_right[key] for key in same),
        sum(is_right[key] for key in same),
        mcnemar(len(lost), len(gained)),
        {name: difference for name, difference in net.items() if difference},
    )


def _renamed(before: AnswersOnTest, after: AnswersOnTest) -> dict[str, str]:
    """The new names of species that are called otherwise now, as all their photographs show."""
    now = dict(zip(after.hashes, after.species, strict=True))
    names: dict[str, set[str]] = {}
    for key, name in zip(before.hashes, before.species, strict=True):
        if key in now and name not in after.classes:
            names.setdefault(name, set()).add(now[key])
    return {
        old: next(iter(new))
        for old, new in names.items()
        if len(new) == 1 and not new & before.classes
    }
