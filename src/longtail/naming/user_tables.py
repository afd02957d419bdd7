"""Lists of species and priors that users write, matched to the classes of the model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from longtail.arrays import BoolArray, Float64Array
from longtail.errors import DataError
from longtail.naming.name_matching import NO_SYNONYMS, ClassMatcher, Synonyms, key_of
from longtail.naming.presence import is_present, says_yes_and_no, warn_of_other_columns
from longtail.schemas.user_csv import (
    Headers,
    Row,
    find_columns,
    header_key,
    log_columns,
    named_columns,
    read_csv,
    read_rows,
    read_text,
)
from longtail.schemas.user_headers import PRIOR_HEADERS, SPECIES_LIST_HEADERS
from longtail.wording import columns_listed


def read_table(path: str, key: str, class_names: Sequence[str], headers: Headers) -> pd.DataFrame:
    """A table of texts from a CSV file, as :func:`longtail.schemas.user_csv.read_csv` reads it.

    A column that has neither a name nor a value is left out: spreadsheets leave such. ``class`` is
    a column of species only if it has some of the model, since it is a rank, too.

    Raises:
        DataError: if the file cannot be read, or its first line does not name the columns.
    """
    where, matcher = f"{key}: '{path}'", ClassMatcher(class_names)
    table = read_csv(path, where, fill_short_rows=True)
    if _has_class(table.columns, matcher):
        raise DataError(
            f"{where}: the first line must name the columns, but it has a species already"
        )
    table = table.loc[:, [bool(name) or table.iloc[:, at].any() for at, name in enumerate(table)]]
    if "" in table.columns:
        raise DataError(f"{where} has a column without a name in its first line")
    is_rank = [
        header_key(name) == "class" and not _has_class(table.iloc[:, at], matcher)
        for at, name in enumerate(table.columns)
    ]
    if any(is_rank):
        headers = {c: [name for name in names if name != "class"] for c, names in headers.items()}
    return named_columns(table, headers, where)


def _has_class(names: Iterable[object], matcher: ClassMatcher) -> bool:
    return any(matcher.labels(str(name)) for name in names)


def read_species_list(
    path: str, class_names: Sequence[str], synonyms: Synonyms = NO_SYNONYMS
) -> tuple[BoolArray, list[str]]:
    """The species of a list: one name per line, or a column of a CSV file.

    The column is found by its header. Without one, it is the only column with classes of the model.
    If another column, such as ``present`` or ``occurrenceStatus``, says which of the species occur,
    the others are left out.
    Names that are not classes of the model are logged with the most similar class: a list of a
    region has more species than the model.

    Returns:
        Which classes are in the list, and its names as they are written there.

    Raises:
        DataError: if the file cannot be read, is empty, has no class of the model, or a name that
            may be a misspelt class, or it is not clear whether a species occurs.
    """
    names, matcher = _names_of_list(path, class_names), ClassMatcher(class_names, synonyms)
    matcher.report_unmatched(names, f"predict.species_list: '{path}'")
    listed = np.zeros(len(class_names), dtype=bool)
    for name in names:
        listed[matcher.labels(name)] = True
    return listed, names


def _names_of_list(path: str, class_names: Sequence[str]) -> list[str]:
    from longtail.schemas.user_tables import SPECIES_LIST
    from longtail.schemas.validation import validate

    where = f"predict.species_list: '{path}'"
    # A comment starts a line or follows a space, and is then followed by one: `moth #3` is a name.
    text = read_text(path, where)
    lines = [re.split(r"(?:^|\s)#(?:\s|$)|^#", line)[0].strip() for line in text.splitlines()]
    text = "\n".join(line for line in lines if line)
    names = _listed_names(read_rows(text, where), class_names, where) if text else []
    table = pd.DataFrame({"species": [name for name in names if name]}, dtype="str")
    return validate(table, SPECIES_LIST, where)["species"].tolist()


def _listed_names(rows: Sequence[Row], class_names: Sequence[str], where: str) -> list[str]:
    """The names of a list that may have several columns, and a header."""
    cells, matcher = [row for _, row in rows], ClassMatcher(class_names)
    width = max(map(len, cells))
    columns = [[row[at] if at < len(row) else "" for row in cells] for at in range(width)]
    found = find_columns(cells[0], SPECIES_LIST_HEADERS, where)
    if "species" in found and not _has_class(cells[0], matcher):
        log_columns({name: cells[0][at] for name, at in found.items()}, where)
        others = [column for at, column in enumerate(columns) if at not in found.values()]
        warn_of_other_columns([c[0] for c in others], [c[1:] for c in others], where)
        names = columns[found["species"]][1:]
        if "present" not in found:
            return names
        present = columns[found["present"]]
        lines = [line for line, _ in rows[1:]]
        return [
            name
            for name, value, line in zip(names, present[1:], lines, strict=True)
            if is_present(value, f"{where}, line {line}: {present[0]}")
        ]
    with_classes = [names for names in columns if _has_class(names, matcher)]
    if any(says_yes_and_no(column) or says_yes_and_no(column[1:]) for column in columns):
        raise DataError(
            f"{where} has a column of yes and no: name the columns in the first line, such as "
            f"species and present"
        )
    if width == 1 or len(with_classes) == 1:
        return with_classes[0] if with_classes else columns[0]
    raise DataError(
        f"{where} must have a column species; its first line is {columns_listed(cells[0])}"
    )


def read_weights(
    path: str,
    class_names: Sequence[str],
    listed: BoolArray,
    synonyms: Synonyms = NO_SYNONYMS,
) -> Float64Array:
    """A prior from a CSV file (species, weight), (classes,); 0 for classes that are not listed.

    Raises:
        DataError: if the file cannot be used, or a listed class has no weight.
    """
    from longtail.schemas.user_tables import PRIOR
    from longtail.schemas.validation import validate

    where = f"predict.prior: '{path}'"
    table = read_table(path, "predict.prior", class_names, PRIOR_HEADERS)
    table = validate(table, PRIOR, where)
    names, matcher = table["species"].tolist(), ClassMatcher(class_names, synonyms)
    matcher.report_unmatched(names, where)
    weights = np.full(len(class_names), np.nan)
    row_of: dict[int, str] = {}
    for name, weight in zip(names, table["weight"], strict=True):
        labels = matcher.labels(name)
        if len(labels) > 1:
            several = " and ".join(f"'{class_names[label]}'" for label in labels)
            raise DataError(f"{where}: '{name}' is several classes, {several}. Give each a row")
        for label in labels:
            if label in row_of:
                both = f"'{name}' in two rows"
                if key_of(row_of[label]) != key_of(name):
                    both = f"two rows for '{class_names[label]}': '{row_of[label]}' and '{name}'"
                raise DataError(f"{where} has {both}")
            row_of[label] = name
            weights[label] = weight
    missing = [
        name
        for name, of, on in zip(class_names, weights, listed, strict=True)
        if on and np.isnan(of)
    ]
    if missing:
        raise DataError(
            f"{where} leaves out {len(missing)} species, such as '{missing[0]}'. Give each "
            f"a weight (0 if it cannot occur), or leave them out of predict.species_list"
        )
    weights = np.where(listed, weights, 0.0)
    if weights.max() == 0:
        raise DataError(f"{where} gives every species the weight 0")
    scaled = weights / weights.max()  # the sum of very large ones would be infinite
    return scaled / scaled.sum()
