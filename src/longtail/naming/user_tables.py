"""Lists of species and priors that users write, matched to the classes of the model."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd

from longtail.arrays import BoolArray, Float64Array
from longtail.errors import DataError
from longtail.schemas.user_csv import read_csv, read_text
from longtail.wording import counted, is_or_are

log = logging.getLogger(__name__)


def key_of(name: str) -> str:
    """A name without the differences of spelling that are ignored: case, underscores, spaces."""
    return re.sub(r"[\s_]+", " ", name).strip().casefold()


def matched(names: Iterable[object], class_names: Sequence[str]) -> list[int | None]:
    """The label of each name, None for one that is no class."""
    label_of = {key_of(name): label for label, name in enumerate(class_names)}
    return [label_of.get(key_of(str(name))) for name in names]


def read_table(path: str, key: str, class_names: Sequence[str]) -> pd.DataFrame:
    """A table of texts from a CSV file, as :func:`longtail.schemas.user_csv.read_csv` reads it.

    A column that has neither a name nor a value is left out: spreadsheets leave such.

    Raises:
        DataError: if the file cannot be read, or its first line does not name the columns.
    """
    where = f"{key}: '{path}'"
    table = read_csv(path, where, fill_short_rows=True)
    if any(label is not None for label in matched(table.columns, class_names)):
        raise DataError(
            f"{where}: the first line must name the columns, but it has a species already"
        )
    table = table.loc[:, [bool(name) or table.iloc[:, at].any() for at, name in enumerate(table)]]
    if "" in table.columns:
        raise DataError(f"{where} has a column without a name in its first line")
    return table


def read_species_list(path: str, class_names: Sequence[str]) -> BoolArray:
    """Which classes a list of species has: one name per line, or the first column of a CSV file.

    Names that are not classes of the model are logged with the most similar class: a list of a
    region has more species than the model.

    Raises:
        DataError: if the file cannot be read, is empty, or has no class of the model.
    """
    from longtail.schemas.user_tables import SPECIES_LIST
    from longtail.schemas.validation import validate

    where = f"predict.species_list: '{path}'"
    lines = [line.split("#")[0].strip() for line in read_text(path, where).splitlines()]
    if Path(path).suffix.lower() in (".csv", ".tsv"):
        lines = [re.split(r"[,;\t]", line)[0].strip().strip('"') for line in lines]
        if lines and key_of(lines[0]) in ("species", "name", "class", "class name"):
            lines = lines[1:]
    table = pd.DataFrame({"species": [line for line in lines if line]}, dtype="str")
    names = validate(table, SPECIES_LIST, where)["species"].tolist()
    labels = matched(names, class_names)
    _warn_of_unknown(names, labels, class_names, where)
    listed = np.zeros(len(class_names), dtype=bool)
    listed[[label for label in labels if label is not None]] = True
    return listed


def read_weights(path: str, class_names: Sequence[str], listed: BoolArray) -> Float64Array:
    """A prior from a CSV file (species, weight), (classes,); 0 for classes that are not listed.

    Raises:
        DataError: if the file cannot be used, or a listed class has no weight.
    """
    from longtail.schemas.user_tables import PRIOR
    from longtail.schemas.validation import validate

    where = f"predict.prior: '{path}'"
    table = read_table(path, "predict.prior", class_names)
    if not {"species", "weight"} <= set(table.columns):
        if len(table.columns) != len(PRIOR.columns):
            raise DataError(
                f"{where} must have the columns species and weight, but has "
                f"{', '.join(table.columns)}"
            )
        table = table.set_axis(list(PRIOR.columns), axis=1)
    table = validate(table, PRIOR, where)
    names = table["species"].tolist()
    labels = matched(names, class_names)
    _warn_of_unknown(names, labels, class_names, where)
    weights = np.full(len(class_names), np.nan)
    for name, label, weight in zip(names, labels, table["weight"], strict=True):
        if label is None:
            continue
        if not np.isnan(weights[label]):
            raise DataError(f"{where} has '{name}' in two rows")
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
    prior: Float64Array = scaled / scaled.sum()
    return prior


def _warn_of_unknown(
    names: Sequence[str],
    labels: Sequence[int | None],
    class_names: Sequence[str],
    where: str,
) -> None:
    unmatched = [name for name, label in zip(names, labels, strict=True) if label is None]
    if not unmatched:
        return
    by_key = {key_of(name): name for name in class_names}
    hints = []
    for name in unmatched[:5]:
        near = get_close_matches(key_of(name), by_key, n=1)
        hints.append(f"'{name}'" + (f" (nearest: '{by_key[near[0]]}')" if near else ""))
    message = (
        f"{where}: {len(unmatched)} of {counted(len(names), 'name')} "
        f"{is_or_are(len(unmatched))} not a class of the model: "
        f"{', '.join(hints)}{', ...' if len(unmatched) > len(hints) else ''}"
    )
    if len(unmatched) == len(names):
        raise DataError(f"{message}. Its classes are such as '{class_names[0]}'")
    log.warning("%s", message)
