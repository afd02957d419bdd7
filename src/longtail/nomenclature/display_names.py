"""Class names as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from longtail.imbalance.unknown import UNKNOWN_LABEL
from longtail.nomenclature.scientific_names import (
    EPITHET_FORM,
    GENUS_FORM,
    canonical_name,
    looks_latin,
)
from longtail.wording import capitalized, counted

# A genus and an epithet, perhaps with a subspecies, or with another species that can be told
# apart by dissection only ("Epirrita autumnata - dilutata"); "sp." and "cf." are words too.
_BINOMIAL = re.compile(rf"{GENUS_FORM}( (- )?{EPITHET_FORM}\.?){{1,3}}")
# Other classes can have names of two words too ("maple tree"), but then most have one.
BINOMIAL_SHARE = 0.8
LATIN_SHARE = 0.5


def is_binomial(name: str) -> bool:
    """Whether a name has the form of a species' scientific name, a genus and an epithet.

    Underscores stand for spaces. Only the first letter of the genus can be a capital.

    Examples:
        >>> [is_binomial(name) for name in ("Noctua pronuba", "xestia_c-nigrum", "Idaea sp.")]
        [True, True, True]
        >>> [is_binomial(name) for name in ("Noctua", "moth_1", "RED ADMIRAL", "Red Admiral")]
        [False, False, False, False]
    """
    spaced = _spaced(name)
    after_first = spaced[1:]
    return _BINOMIAL.fullmatch(spaced) is not None and after_first == after_first.lower()


def genus_of(name: str) -> str:
    """The first word of a binomial, as it is written."""
    return _spaced(name).partition(" ")[0]


def _without_authors(name: str) -> str:
    """A name without the authors that follow it; another name as it is written.

    Examples:
        >>> _without_authors("noctua_pronuba (Linnaeus, 1758)"), _without_authors("moth (Smith)")
        ('noctua pronuba', 'moth (Smith)')
    """
    spaced = _spaced(name)
    canonical = canonical_name(spaced)
    begins = spaced.casefold().startswith(f"{canonical} ".casefold())
    return spaced[: len(canonical)] if begins and is_binomial(canonical) else spaced


@dataclass(frozen=True)
class ClassNaming:
    """How a data set's class names are shown.

    Attributes:
        is_binomial: whether they are binomials, which begin with the genus and are set in italics.
    """

    is_binomial: bool

    @classmethod
    def infer(cls, class_names: Iterable[str]) -> ClassNaming:
        """Class names are binomials if at least ``BINOMIAL_SHARE`` of them have the form of one.

        At least half of these must end like Latin ones: "red admiral" has their form, too.

        Examples:
            >>> ClassNaming.infer(["acherontia_atropos", "Autographa gamma"])
            ClassNaming(is_binomial=True)
            >>> ClassNaming.infer(["apple", "maple_tree", "rocket"])
            ClassNaming(is_binomial=False)
            >>> ClassNaming.infer(["red admiral", "red cracker", "painted lady"])
            ClassNaming(is_binomial=False)
            >>> ClassNaming.infer(["Noctua pronuba (Linnaeus, 1758)"])  # authors do not matter
            ClassNaming(is_binomial=True)
        """
        names = list(map(_without_authors, class_names))
        found = [name for name in names if is_binomial(name)]
        latin = [name for name in found if looks_latin(name)]
        is_most = len(found) >= BINOMIAL_SHARE * len(names) > 0
        return cls(is_binomial=is_most and len(latin) >= LATIN_SHARE * len(found))

    @property
    def singular(self) -> str:
        """The word for a class."""
        return "species" if self.is_binomial else "class"

    @property
    def plural(self) -> str:
        """The word for several classes."""
        return "species" if self.is_binomial else "classes"

    def display(self, name: str) -> str:
        """The name with spaces for underscores; a binomial begins with a capital letter."""
        spaced = _spaced(name) or name
        return capitalized(spaced) if self.is_binomial else spaced

    def html(self, name: str) -> Markup:
        """The same as HTML, a binomial in italics, and its authors upright.

        In ``<bdi>``, so that a name written from right to left does not reorder the text around it.
        """
        binomial = _without_authors(name)
        if self.is_binomial and is_binomial(binomial):
            shown, length = self.display(name), len(binomial)
            return Markup("<bdi><i>{}</i>{}</bdi>").format(shown[:length], shown[length:])
        return Markup("<bdi>{}</bdi>").format(self.display(name))

    def genus(self, name: str) -> str:
        """The genus, with a capital letter; empty if names are not binomials."""
        return genus_of(self.display(name)) if self.is_binomial else ""


def _spaced(name: str) -> str:
    return " ".join(name.replace("_", " ").split())


def known_class_naming(index: pd.DataFrame) -> ClassNaming:
    """How the classes are named that are not held out as unknown."""
    return ClassNaming.infer(index.loc[index["label"] != UNKNOWN_LABEL, "class_name"].unique())


def images_of_classes(index: pd.DataFrame) -> str:
    """The numbers of images and classes in words, such as "5 images of 2 classes".

    Images of classes that are held out as unknown are counted separately.
    """
    names = known_class_naming(index)
    is_unknown = index["label"] == UNKNOWN_LABEL

    def in_words(class_names: pd.Series[str]) -> str:
        classes = counted(class_names.nunique(), names.singular, names.plural)
        return f"{counted(len(class_names), 'image')} of {classes}"

    known = in_words(index.loc[~is_unknown, "class_name"])
    unknown = index.loc[is_unknown, "class_name"]
    return known if unknown.empty else f"{known}, and {in_words(unknown)} held out as unknown"
