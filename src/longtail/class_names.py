"""Classes' names as people write them."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from longtail.imbalance.unknown import UNKNOWN_LABEL
from longtail.wording import counted

# A genus and an epithet, perhaps a subspecies, "sp." or species that are told apart by dissection
# only ("Epirrita autumnata - dilutata"): words of letters, whatever the alphabet.
BINOMIAL = re.compile(r"[^\W\d_]+( (- )?[^\W\d_]+(-[^\W\d_]+)*\.?){1,3}")
# Classes of other things have names of two words too ("maple tree"), but most have one.
MOST = 0.8


@dataclass(frozen=True)
class Names:
    """How a data set's class names are shown.

    Attributes:
        binomial: whether they are binomials, which begin with the genus and stand in italics.
    """

    binomial: bool

    @classmethod
    def of(cls, class_names: Collection[str]) -> Names:
        """Names are binomials where most of them have the form of one.

        Example:
            >>> Names.of(["acherontia_atropos", "Autographa gamma"])
            Names(binomial=True)
            >>> Names.of(["apple", "maple_tree", "rocket"])
            Names(binomial=False)
        """
        fitting = sum(BINOMIAL.fullmatch(_spaced(name)) is not None for name in class_names)
        return cls(binomial=fitting >= MOST * len(class_names) > 0)

    @property
    def one(self) -> str:
        """What one of the things is called that are told apart."""
        return "species" if self.binomial else "class"

    @property
    def many(self) -> str:
        """What several are called."""
        return "species" if self.binomial else "classes"

    def plain(self, name: str) -> str:
        """Spaces instead of underscores; a binomial begins with a capital letter."""
        spaced = _spaced(name) or name
        return spaced[:1].upper() + spaced[1:] if self.binomial else spaced

    def html(self, name: str) -> Markup:
        """The same as HTML, a binomial in italics.

        Isolated, so that a name that is written from right to left leaves its surroundings alone.
        """
        if self.binomial and BINOMIAL.fullmatch(_spaced(name)):
            return Markup("<bdi><i>{}</i></bdi>").format(self.plain(name))
        return Markup("<bdi>{}</bdi>").format(self.plain(name))

    def genus(self, name: str) -> str:
        """The genus; empty where names are no binomials."""
        return self.plain(name).partition(" ")[0] if self.binomial else ""


def _spaced(name: str) -> str:
    return " ".join(name.replace("_", " ").split())


def known_names(index: pd.DataFrame) -> Names:
    """How the classes are called that are not held out as unknown."""
    return Names.of(index.loc[index["label"] != UNKNOWN_LABEL, "class_name"].unique())


def images_of_classes(index: pd.DataFrame) -> str:
    """How many images there are of how many classes, in words.

    Images of classes that are held out as unknown are counted apart.
    """
    names = known_names(index)
    is_unknown = index["label"] == UNKNOWN_LABEL

    def told(class_names: pd.Series[str]) -> str:
        classes = counted(class_names.nunique(), names.one, names.many)
        return f"{counted(len(class_names), 'image')} of {classes}"

    text, held_out = told(index.loc[~is_unknown, "class_name"]), index.loc[is_unknown, "class_name"]
    return text if held_out.empty else f"{text}, and {told(held_out)} held out as unknown"
