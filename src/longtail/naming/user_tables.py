"""Lists of species that users bring: which class of the model each name means."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from longtail.arrays import BoolArray, Float64Array
from longtail.errors import DataError
from longtail.wording import counted, is_or_are

log = logging.getLogger(__name__)


def key_of(name: str) -> str:
    """What two ways to write one name have in common: no case, underscores or double spaces."""
    return re.sub(r"[\s_]+", " ", name).strip().casefold()


def matched(names: Iterable[object], class_names: Sequence[str]) -> list[int | None]:
    """The label of each name, None for one that is no class."""
    label_of = {key_of(name): label for label, name in enumerate(class_names)}
    return [label_of.get(key_of(str(name))) for name in names]


def read_table(path: str, key: str, class_names: Sequence[str]) -> pd.DataFrame:
    """A table of texts from a CSV file, whose first line names the columns; in lower case.

    A column that has neither a name nor a cell is left out: spreadsheets leave such.

    Raises:
        DataError: if the file cannot be read, its first line is no names, or it has no row.
    """
    text = _read_text(path, key).lstrip()
    if not text:
        raise DataError(f"{key}: '{path}' is empty")
    header = text.partition("\n")[0]
    # Spreadsheets of several countries write each of them.
    separator = max(",;\t", key=header.count)
    try:
        cells = pd.read_csv(
            StringIO(text), header=None, dtype=str, keep_default_na=False, sep=separator
        ).fillna("")  # of lines that are too short
    except ValueError as error:  # pandas' own are kinds of it
        raise DataError(f"{key}: '{path}' cannot be read as a CSV file: {error}") from None
    columns = [" ".join(str(cell).split()).lower() for cell in cells.iloc[0]]
    if any(label is not None for label in matched(columns, class_names)):
        raise DataError(
            f"{key}: the first line of '{path}' must name the columns, but it has a species already"
        )
    table = cells.iloc[1:].set_axis(columns, axis=1)
    if table.empty:
        raise DataError(f"{key}: '{path}' has no row")
    table = table.loc[:, [bool(name) or any(table.iloc[:, at]) for at, name in enumerate(columns)]]
    for name in table.columns:
        if not name:
            raise DataError(f"{key}: '{path}' has a column without a name in its first line")
        if table.columns.tolist().count(name) > 1:
            raise DataError(f"{key}: '{path}' has two columns '{name}'")
    return table


def read_species_list(path: str, class_names: Sequence[str]) -> BoolArray:
    """Which classes a list of species has: a name a line, or the first column of a CSV file.

    Names that are no class of the model are told, with the nearest: a list of a region has more
    species than any model.

    Raises:
        DataError: if the file cannot be read, is empty, or has no class of the model.
    """
    key = "predict.species_list"
    text = _read_text(path, key)
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    if Path(path).suffix.lower() in (".csv", ".tsv"):
        lines = [re.split(r"[,;\t]", line)[0].strip().strip('"') for line in lines]
        if lines and key_of(lines[0]) in ("species", "name", "class", "class name"):
            lines = lines[1:]
    names = [line for line in lines if line]
    if not names:
        raise DataError(f"{key}: '{path}' names no species. Give one a line")
    labels = matched(names, class_names)
    _tell_unknown(names, labels, class_names, key, path)
    listed = np.zeros(len(class_names), dtype=bool)
    listed[[label for label in labels if label is not None]] = True
    return listed


def read_weights(path: str, class_names: Sequence[str], listed: BoolArray) -> Float64Array:
    """How common the classes are, from a CSV file (species, weight); 0 where not ``listed``.

    Raises:
        DataError: if the file cannot be used, a weight is no number of 0 or more, or a listed
            class has none.
    """
    key = "predict.prior"
    table = read_table(path, key, class_names)
    if "species" in table and "weight" in table:
        table = table[["species", "weight"]]
    if len(table.columns) != 2:
        raise DataError(
            f"{key}: '{path}' must have the columns species and weight, but has "
            f"{', '.join(table.columns)}"
        )
    names = [str(name) for name in table.iloc[:, 0]]
    labels = matched(names, class_names)
    _tell_unknown(names, labels, class_names, key, path)
    numbers = pd.to_numeric(table.iloc[:, 1], errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(numbers) | (numbers < 0))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"{key}: '{path}' gives '{names[row]}' the weight '{table.iloc[row, 1]!s}': must be a "
            f"number of 0 or more, with a decimal point"
        )
    weights = np.full(len(class_names), np.nan)
    for name, label, number in zip(names, labels, numbers, strict=True):
        if label is None:
            continue
        if not np.isnan(weights[label]):
            raise DataError(f"{key}: '{path}' has '{name}' in two rows")
        weights[label] = number
    missing = [
        name
        for name, of, on in zip(class_names, weights, listed, strict=True)
        if on and np.isnan(of)
    ]
    if missing:
        raise DataError(
            f"{key}: '{path}' leaves out {len(missing)} species, such as '{missing[0]}'. Give each "
            f"a weight (0 if it cannot occur), or leave them out of predict.species_list"
        )
    weights = np.where(listed, weights, 0.0)
    if weights.max() == 0:
        raise DataError(f"{key}: '{path}' gives every species the weight 0")
    scaled = weights / weights.max()  # the sum of very large ones would be infinite
    prior: Float64Array = scaled / scaled.sum()
    return prior


def _read_text(path: str, key: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(
            f"{key}: '{path}' is no text in UTF-8: save it as such (spreadsheets: 'CSV UTF-8')"
        ) from None
    except (OSError, RuntimeError) as error:  # RuntimeError: nobody's home
        raise DataError(f"{key}: '{path}' cannot be read: {error}") from None


def _tell_unknown(
    names: Sequence[str],
    labels: Sequence[int | None],
    class_names: Sequence[str],
    key: str,
    path: str,
) -> None:
    strangers = [name for name, label in zip(names, labels, strict=True) if label is None]
    if not strangers:
        return
    by_key = {key_of(name): name for name in class_names}
    hints = []
    for name in strangers[:5]:
        near = get_close_matches(key_of(name), by_key, n=1)
        hints.append(f"'{name}'" + (f" (nearest: '{by_key[near[0]]}')" if near else ""))
    told = (
        f"{key}: {len(strangers)} of {counted(len(names), 'name')} in '{path}' "
        f"{is_or_are(len(strangers))} no class of the model: "
        f"{', '.join(hints)}{', ...' if len(strangers) > len(hints) else ''}"
    )
    if len(strangers) == len(names):
        raise DataError(f"{told}. Its classes are such as '{class_names[0]}'")
    log.warning("%s", told)
