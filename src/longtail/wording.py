"""Counts, lists, durations, shares and probabilities as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

FEW_NAMES = 3
# Beyond these, a message shows no more columns, and no more letters of a column's name: a table of
# logits, say, has thousands.
MOST_COLUMNS, LONGEST_COLUMN = 30, 60
# Decimals of a probability.
MIN_DIGITS, MAX_DIGITS = 3, 6


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number and a noun.

    Args:
        number: how many.
        one: the noun in the singular.
        many: the noun in the plural; by default the singular with an s.

    Examples:
        >>> counted(1, "image"), counted(1234, "image"), counted(0, "class", "classes")
        ('1 image', '1,234 images', '0 classes')
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def capitalized(text: str) -> str:
    """A text with a capital first letter; the others stay as they are."""
    return text[:1].upper() + text[1:]


def first_line(error: Exception) -> str:
    """The first line of an error's message, or the name of its type if it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def is_or_are(number: int) -> str:
    """The verb for a number of things."""
    return "is" if number == 1 else "are"


def first_names(names: Sequence[str], count: int = FEW_NAMES) -> Iterator[str]:
    """The first few names, and the number of the others."""
    yield from names[:count]
    if len(names) > count:
        yield f"and {len(names) - count:,} more"


def columns_listed(names: Iterable[object]) -> str:
    """The names of a table's columns for a message: not all of very many, and cut if very long."""
    texts = [str(name) for name in names]
    short = [t if len(t) <= LONGEST_COLUMN else f"{t[:LONGEST_COLUMN]}..." for t in texts]
    return ", ".join(first_names(short, MOST_COLUMNS))


def listed(words: Iterable[str]) -> str:
    """Words with commas and a last "and".

    Examples:
        >>> listed(["head"]), listed(["head", "tail"]), listed(["head", "middle", "tail"])
        ('head', 'head and tail', 'head, middle, and tail')
    """
    found = list(words)
    if len(found) < 2:
        return "".join(found)
    return f"{', '.join(found[:-1])}{',' if len(found) > 2 else ''} and {found[-1]}"


def first_listed(names: Sequence[str]) -> str:
    """The first few names as a list, and the number of the others.

    Examples:
        >>> first_listed(["a", "b"]), first_listed(["a", "b", "c", "d", "e"])
        ('a and b', 'a, b, c, and 2 more')
    """
    return listed(names) if len(names) <= FEW_NAMES else ", ".join(first_names(names))


def first_quoted(names: Iterable[object]) -> str:
    """The first few names in quotes as a list, and the number of the others.

    Examples:
        >>> first_quoted(["a", "b"]), first_quoted([1, 2, 3, 4])
        ("'a' and 'b'", "'1', '2', '3', and 1 more")
    """
    return first_listed([f"'{name}'" for name in names])


def count_range(lowest: int, highest: int) -> str:
    """A range of counts, or one number if both ends are equal.

    Examples:
        >>> count_range(5, 1100), count_range(5, 5)
        ('5 to 1,100', '5')
    """
    return f"{lowest:,}" if lowest == highest else f"{lowest:,} to {highest:,}"


def duration(seconds: float) -> str:
    """A duration in the largest of seconds, minutes, hours and days that gives at least 1.5.

    Examples:
        >>> duration(89), duration(120), duration(9000), duration(300_000)
        ('89 s', '2 min', '2.5 h', '3.5 days')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 36 else f"{hours / 24:.1f} days"


def percent(share: float, places: int = 0) -> str:
    """A share as text, which is 0% or 100% only if it is exactly that.

    Examples:
        >>> [percent(share) for share in (0, 0.0004, 0.003, 0.25, 0.9969, 0.9996, 1)]
        ['0%', '< 0.1%', '0.3%', '25%', '99.7%', '> 99.9%', '100%']
    """
    if 0 < share < 1:
        if share < 0.001:
            return "< 0.1%"
        if share > 0.999:
            return "> 99.9%"
        if round(share, places + 2) in (0, 1):
            places = 1
    return f"{share:.{places}%}"


def level_in_percent(level: float) -> str:
    """A confidence level or the like, with up to four significant digits.

    Examples:
        >>> level_in_percent(0.95), level_in_percent(0.9999)
        ('95%', '99.99%')
    """
    return f"{100 * level:.4g}%"


def probability_in_percent(probability: float) -> str:
    """A probability as text, never 0% or 100%: a float of 0 or 1 is a result of rounding."""
    return percent(min(max(probability, 1e-9), 1 - 1e-9))


def decimal(probability: float) -> str:
    """A probability with three decimals, or with as many as it takes to differ from 0 and 1.

    Examples:
        >>> decimal(0.25), decimal(0.99987), decimal(1 - 1e-9), decimal(1e-9)
        ('0.250', '0.9999', '> 0.999999', '< 0.000001')
    """
    for places in range(MIN_DIGITS, MAX_DIGITS + 1):
        text = f"{probability:.{places}f}"
        if 0 < float(text) < 1:
            return text
    return "< 0.000001" if probability < 0.5 else "> 0.999999"


def alternatives(names: Sequence[str]) -> str:
    """Names of which one is chosen.

    Examples:
        >>> alternatives(["train", "test", "empty"]), alternatives(["train"])
        ('train, test or empty', 'train')
    """
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
