"""Scientific names as people write them, and the canonical form by which they are compared.

The rules are those of the codes of nomenclature: a genus with a capital letter and an epithet
without one; authors and years are no part of the name (ICZN article 51.1, ICN article 46); letters
with marks are written without (ICZN article 32.5.2, ICN article 60.7); the multiplication sign
marks a hybrid (ICN article H.1); a virus has a free epithet after a genus in ``-virus``.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from longtail.nomenclature.vocabulary import (
    AGGREGATE,
    AGGREGATES,
    BETWEEN_AUTHORS,
    HYBRID,
    NEVER_EPITHETS,
    NUMBERS,
    PARTICLES,
    QUALIFIERS,
    RANKS_BELOW,
    RANKS_WITHIN_GENUS,
    REMARKS,
    UNNAMED,
)

_DASHES = "\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{EN DASH}\N{MINUS SIGN}"
_QUOTES = "\N{RIGHT SINGLE QUOTATION MARK}\N{LEFT SINGLE QUOTATION MARK}`\N{ACUTE ACCENT}\u02bc"
_PLAIN = str.maketrans(dict.fromkeys(_DASHES, "-") | dict.fromkeys(_QUOTES, "'"))
_LATIN = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "æ": "ae", "œ": "oe", "ø": "oe", "å": "ao", "ß": "ss"}
    | {"Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "Æ": "Ae", "Œ": "Oe", "Ø": "Oe", "Å": "Ao"}
)
_LETTER = r"[^\W\d_]"  # of any alphabet
GENUS_FORM = rf"{_LETTER}{{2,}}(-{_LETTER}+)*"
# Species that cannot be told apart by a photograph are joined by a slash.
EPITHET_FORM = rf"{_LETTER}+(['/-]{_LETTER}+)*"
_GENUS = re.compile(rf"{GENUS_FORM}|{_LETTER}{{1,4}}\.")
_EPITHET = re.compile(rf"(?=..){EPITHET_FORM}")  # more than one letter
_VIRUS_EPITHET = re.compile(r"\w+(-\w+)*")
_YEAR = re.compile(r"\b1[5-9]\d[\d?]|\b20\d\d")
# The usual endings of epithets; English names of two words have them rarely ("red panda").
_LATIN_ENDING = re.compile(r"(a|ae|ens|ans|ex|i|is|ix|oides|os|um|us)$")


def plain_name(text: str) -> str:
    """A name without markup, with one blank for blanks and underscores, in one encoding.

    Examples:
        >>> plain_name("  noctua__pronuba ")
        'noctua pronuba'
    """
    text = html.unescape(re.sub(r"</?\w{1,6}>", "", text))
    text = unicodedata.normalize("NFC", text).translate(_PLAIN)
    return re.sub(r"[\s_]+", " ", text).strip()


@lru_cache(maxsize=100_000)
def canonical_name(text: str) -> str:
    """The genus and epithets of a scientific name, without what people add to them.

    Removed are authors and years, the subgenus, marks of ranks and hybrids, remarks such as
    ``s. l.``, and marks of letters. What makes it another taxon is kept: ``cf.``, ``aff.``,
    ``nr.``, ``agg.``, and ``sp.`` with what follows. Parents of a hybrid are joined by the
    multiplication sign, species that cannot be told apart by ``/``. Any other name, such as an
    English one, is returned as :func:`plain_name` gives it.

    Examples:
        >>> canonical_name("Noctua (Noctua) pronuba (Linnaeus, 1758)")
        'Noctua pronuba'
        >>> canonical_name("noctua_pronuba")
        'Noctua pronuba'
        >>> canonical_name("Tillandsia utriculata L. subsp. utriculata")
        'Tillandsia utriculata utriculata'
        >>> canonical_name("Abturia cf alabamensis Morton"), canonical_name("Idaea sp. 2")
        ('Abturia cf. alabamensis', 'Idaea sp. 2')
        >>> canonical_name("RED ADMIRAL"), canonical_name("Painted Lady")
        ('RED ADMIRAL', 'Painted Lady')
    """
    plain = plain_name(text)
    words = _spaced(plain).split()
    if parents := _parents(words):
        return parents
    return _of_words(words) or plain


def species_of(name: str) -> str:
    """A canonical name without subspecies and ``agg.``; with ``cf.`` and the like as it is.

    Examples:
        >>> species_of("Zygaena filipendulae stephensi"), species_of("Idaea cf. dilutaria")
        ('Zygaena filipendulae', 'Idaea cf. dilutaria')
    """
    words = name.split()
    if words[-1:] == [AGGREGATE]:
        words = words[:-1]
    has_genus = len(words) > 1 and words[0][0].isupper() and _is_genus(words[0])
    if has_genus and all(map(_is_epithet, words[1:])) and looks_latin(name):
        return " ".join(words[:2])
    return name


def looks_latin(name: str) -> bool:
    """Whether the second word of a name ends like most epithets, or is of another alphabet."""
    words = _of_latin_letters(plain_name(name)).split()
    return len(words) > 1 and (not words[1].isascii() or bool(_LATIN_ENDING.search(words[1])))


def _spaced(plain: str) -> str:
    """Blanks around brackets and hybrid signs, and after the mark of a rank."""
    text = re.sub(r"([(\[])", r" \1", plain)
    text = re.sub(r"([)\]])(?=\w)", r"\1 ", text)
    text = re.sub(r"(?<=[a-z])[,;](?= |$)", " ,", text)
    text = re.sub(r"(?<=[a-z])( - | ?/ ?)(?=[a-z])", "/", text)
    text = re.sub(r" f\. ?sp\. ?(?=[a-z])", " f. ", text)
    text = re.sub(rf"(?<= )({'|'.join(RANKS_BELOW)})\.(?=[a-z])", r"\1. ", text)
    text = re.sub(
        r"(?<= )(\d+)[-.]?(?=[a-z]{4})", lambda found: NUMBERS.get(found[1], found[0]), text
    )
    text = re.sub(HYBRID, f" {HYBRID} ", text.removeprefix("\N{DAGGER}"))
    # "xHeucherella" and "XAgropogon" are hybrid genera.
    return re.sub(r"^[xX](?=[A-Z][a-z])", f"{HYBRID} ", text)


def _parents(words: Sequence[str]) -> str | None:
    """The canonical names of two or more parents; None if it is not a formula of a hybrid."""
    parts: list[list[str]] = [[]]
    for word in words:
        is_sign = word in (HYBRID, "x", "X")
        # After the genus alone, the sign marks the epithet of a hybrid.
        if is_sign and len(parts[-1]) > 1:
            parts.append([])
        elif not is_sign or parts[-1]:
            parts[-1].append(word)
    if len(parts) == 1 or not parts[-1]:
        return None
    names: list[str] = []
    for part in parts:
        first, genus = part[0], names[0].split()[0] if names else ""
        if genus and _is_epithet(first):
            name = _of_words([genus, *part])
        elif genus and first.endswith(".") and genus.startswith(first[:-1]):
            name = _of_words([genus, *part[1:]])
        else:
            name = _of_words(part)
        if name is None:
            return None
        names.append(name)
    return f" {HYBRID} ".join(names)


def _of_words(words: Sequence[str]) -> str | None:
    """The canonical form of the words of one name; None if they are no scientific name."""
    words = [word for word in words if word != HYBRID]
    if words[:1] in (["x"], ["X"]) or (words[:1] == ["Candidatus"] and len(words) > 1):
        words = words[1:]
    if len(words) > 1 and words[0].isupper() and _is_epithet(words[1]):
        words = [words[0].capitalize(), *words[1:]]
    if not words or not _is_genus(words[0]):
        return None
    genus, rest = _of_latin_letters(words[0]).capitalize(), list(words[1:])
    if rest[:1] in (["x"], ["X"]):
        rest = rest[1:]
    if not rest:
        return genus if words[0][0].isupper() else None
    if len(rest) > 1 and (below := _without_subgenus(rest)) is not None:
        rest = below
    if genus.endswith("virus") and _VIRUS_EPITHET.fullmatch(rest[0]) and len(rest) == 1:
        return f"{genus} {rest[0]}"
    marked = rest[0].removesuffix(".").lower()
    if marked in UNNAMED and _is_unnamed(rest):
        return " ".join([genus, UNNAMED[marked], *rest[1:]]).replace(" ,", ",")
    qualifier: list[str] = []
    if marked in QUALIFIERS and len(rest) > 1 and _is_epithet(rest[1]):
        qualifier, rest = [QUALIFIERS[marked]], rest[1:]
    if not _is_species_epithet(rest):
        return genus if words[0][0].isupper() and _is_authorship(rest) else None
    below = _below(rest[1:])
    if below is None:
        return None
    return " ".join([genus, *qualifier, _of_latin_letters(rest[0]), *below])


def _without_subgenus(rest: Sequence[str]) -> list[str] | None:
    """The words from the epithet on, if a subgenus or section precedes it."""
    bracketed = re.fullmatch(r"[(\[][^\W\d_]+\.?[)\]]", rest[0])
    marked = len(rest) > 2 and rest[0].rstrip(".") in RANKS_WITHIN_GENUS and rest[1].istitle()
    after = list(rest[1:] if bracketed else rest[2:])
    first = after[0].rstrip(".") if after else ""
    is_before_epithet = _is_species_epithet(after) or first in QUALIFIERS or first in UNNAMED
    return after if (bracketed or marked) and is_before_epithet else None


def _is_unnamed(rest: Sequence[str]) -> bool:
    """Whether "sp." stands for an epithet; "spec" before an author is one."""
    return rest[0] not in ("spec", "species") or len(rest) == 1 or not _is_authorship(rest[1:])


def _is_genus(word: str) -> bool:
    if _GENUS.fullmatch(word) is None or (word.endswith(".") and not word[0].isupper()):
        return False
    return word[1:].islower() or "-" in word or len(word) == 2


def _is_epithet(word: str) -> bool:
    return _EPITHET.fullmatch(word) is not None and word.islower()


def _is_species_epithet(rest: Sequence[str]) -> bool:
    """Whether the first word after a genus is an epithet, not an author's particle or a mark."""
    if not rest or not _is_epithet(rest[0]):
        return False
    if rest[0] in QUALIFIERS or rest[0] in ("of", "and", "et", "ex", "in", "auct", "non", "nec"):
        return False
    following = rest[1] if len(rest) > 1 else ""
    if rest[0] in NEVER_EPITHETS and following[:1].isupper():
        return False
    return not (rest[0] in PARTICLES and following.rstrip(".") in PARTICLES)


def _below(rest: Sequence[str]) -> list[str] | None:
    """The epithets below the species in the words after it; None if those are no such words.

    An epithet follows directly, after the mark of a rank, or after an author.
    """
    found: list[str] = []
    after_author = False
    for at, word in enumerate(rest):
        mark = word.removesuffix(".").lower().removeprefix("notho")
        following = rest[at + 1] if at + 1 < len(rest) else ""
        if mark in RANKS_BELOW and word.islower() and _can_be_below(following):
            continue
        is_marked = bool(at) and _is_mark(rest[at - 1])
        if _can_be_below(word) and (
            is_marked or _is_bare_epithet(word, rest[at - 1] if after_author else "")
        ):
            found.append(_of_latin_letters(word))
            after_author = False
        elif mark in QUALIFIERS and _is_epithet(following) and not after_author:
            found.append(QUALIFIERS[mark])
        elif mark in AGGREGATES:
            return [*found, AGGREGATE]
        elif not after_author and not _begins_authorship(word, following):
            return None
        elif mark in REMARKS or word[-1] in ",;:":
            # Then only the mark of a rank leads to another epithet.
            is_aggregate = any(word.removesuffix(".") in AGGREGATES for word in rest[at:])
            return [*found, *_marked_epithets(rest[at:]), *[AGGREGATE] * is_aggregate]
        else:
            after_author = True
    return found


def _marked_epithets(rest: Sequence[str]) -> list[str]:
    """The epithets that directly follow the mark of a rank."""
    return [
        _of_latin_letters(word)
        for mark, word in pairwise(rest)
        if _is_mark(mark) and _can_be_below(word)
    ]


def _is_mark(word: str) -> bool:
    return word.islower() and word.removesuffix(".").removeprefix("notho") in RANKS_BELOW


def _can_be_below(word: str) -> bool:
    return _is_epithet(word) and word not in REMARKS | BETWEEN_AUTHORS | AGGREGATES


def _is_bare_epithet(word: str, author: str) -> bool:
    """Whether a word without a mark of its rank is an epithet, not the particle of an author."""
    if word in UNNAMED or word in QUALIFIERS or word in RANKS_BELOW or word in PARTICLES:
        return False
    if not author:
        return True
    return len(word) > 3 and bool(_LATIN_ENDING.search(word)) and not author[-1].isdigit()


def _begins_authorship(word: str, following: str) -> bool:
    """Whether a word after the epithets can begin what is no part of the name."""
    if word == ",":
        return not following or not following[0].islower()
    start = word.lstrip("([\"'")
    if not start:
        return bool(following)
    if word[0] in "([" and start[0].islower():
        return start.rstrip(".)],'").split("'")[0] in PARTICLES | REMARKS | {"s.str", "s.l"}
    return (
        (start[0].isalpha() and not start.islower())
        or start.rstrip(".").split("'")[0] in PARTICLES | REMARKS | RANKS_BELOW | set(UNNAMED)
        or "." in word
        or word in ("&", "+")
        or word[0] in "\"'="
        or _YEAR.match(start) is not None
    )


def _is_authorship(rest: Sequence[str]) -> bool:
    """Whether words after a genus are surely authors: with a year, a dot or an ampersand."""
    text = " ".join(rest)
    begins = text.lstrip("(")[0].isupper() or rest[0].split("'")[0] in PARTICLES
    return begins and (_YEAR.search(text) is not None or bool(re.search(r"[^\W\d_]\.| & ", text)))


def _of_latin_letters(word: str) -> str:
    """A word of Latin letters without marks and apostrophes; others as they are."""
    bare = unicodedata.normalize("NFD", word.translate(_LATIN).replace("'", ""))
    return "".join(letter for letter in bare if not unicodedata.combining(letter))
