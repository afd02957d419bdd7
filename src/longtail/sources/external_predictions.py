"""Predictions of other networks, from CSV and NPZ files: checked, and in the order of images."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from longtail.arrays import Float32Array, Int64Array
from longtail.errors import DataError
from longtail.project import located
from longtail.schemas.user_csv import DECIMAL_COMMA, read_csv
from longtail.wording import counted, first_quoted, listed

log = logging.getLogger(__name__)

# How a file says which image a row is of: by a column of the index of images. An archive has an
# array of the plural, since numpy.savez takes no array named `file`.
IDENTIFIERS = ("image", "file")
# Probabilities are written with few decimals.
SUM_TOLERANCE = 0.01
# No number of an image is so long, and more digits do not fit into 64 bits.
TOO_MANY_DIGITS = 19
# The differences of larger logits are not finite in float32.
LARGEST_LOGIT = 1e30
# The logarithm of a probability of 0 would be infinite.
LEAST_PROBABILITY = float(np.finfo(np.float32).tiny)

PredictedValues = Literal["logits", "probabilities"]


def external_logits(
    path: str,
    where: str,
    values: PredictedValues,
    index: pd.DataFrame,
    images: Int64Array,
    class_names: Sequence[str],
) -> Float32Array:
    """The logits of some images, from a file.

    A CSV file has a column ``image`` (the number in the index of images) or ``file`` (its path
    there), and a column for each class, by its name. An NPZ file has an array ``images`` or
    ``files``, an array ``classes`` of names, and an array (images, classes) named as ``values``.
    Rows of other images than ``images`` are not used. Logits of probabilities are their logarithms.

    Returns:
        float32 (images, classes), in the order of ``images`` and ``class_names``.

    Raises:
        DataError: naming rows, images or classes that are missing, unknown, repeated or not
            numbers, and probabilities that do not sum to 1.
    """
    table = (
        _read_npz(path, where, values) if path.lower().endswith(".npz") else _read_csv(path, where)
    )
    _check_classes(table.columns.tolist(), class_names, where)
    known = index[str(table.index.name)]
    wanted = known.to_numpy()[images]
    _check_images(table.index, known, wanted, where)
    named = table.loc[wanted, list(class_names)]
    _refuse(~named.abs().lt(np.inf), where, "a value that is not a finite number")
    chosen = named.to_numpy()
    sums = chosen.sum(1)
    unequal = np.abs(sums - 1) > SUM_TOLERANCE
    if values == "logits":
        _refuse(named.abs() > LARGEST_LOGIT, where, f"a logit beyond {LARGEST_LOGIT:g}")
        if not unequal.any() and (chosen >= 0).all():
            raise DataError(
                f"{where} has probabilities, not logits: no value is negative, and each row sums "
                f"to 1. Set external.values to probabilities"
            )
        return chosen.astype(np.float32)
    _refuse(named < 0, where, "a negative probability")
    if unequal.any():
        raise DataError(
            f"{where} has probabilities whose sum is not 1, but {sums[unequal][0]:.4g} (for "
            f"logits: external.values: logits) for {_images_named(named.index[unequal])}"
        )
    return np.log(np.maximum(chosen, LEAST_PROBABILITY)).astype(np.float32)


def _read_csv(path: str, where: str) -> pd.DataFrame:
    """The values of a file, float64, by what it says of each row and by class."""
    table = read_csv(path, where)
    column, identifier = _identifier(list(table.columns), IDENTIFIERS, where, "column")
    if table.columns.tolist().count(column) > 1:
        raise DataError(f"{where} has more than one column '{column}'")
    images = table.pop(column).tolist()
    if table.apply(lambda texts: texts.str.fullmatch(DECIMAL_COMMA)).any(axis=None):
        raise DataError(f"{where} has numbers with a decimal comma. Write them with a point")
    values = table.apply(pd.to_numeric, errors="coerce").astype(np.float64)
    return values.set_axis(_images(images, identifier, where))


def _read_npz(path: str, where: str, values: PredictedValues) -> pd.DataFrame:
    """As :func:`_read_csv`."""
    arrays = _arrays(located(path), f"{where} cannot be read as an NPZ file:")
    plurals = tuple(f"{name}s" for name in IDENTIFIERS)
    array, identifier = _identifier(list(arrays), plurals, where, "array")
    for name in ("classes", values):
        if name not in arrays:
            hint = f"; external.values says that it should have {values}" if name == values else ""
            raise DataError(f"{where} has no array '{name}'. It has {listed(arrays)}{hint}")
    images, classes = (list(map(str, arrays[name].ravel().tolist())) for name in (array, "classes"))
    shape = (len(images), len(classes))
    if arrays[values].shape != shape or arrays[values].dtype.kind not in "fiu":
        raise DataError(
            f"{where}: the array '{values}' must be numbers of shape {shape}, one row for each "
            f"entry of '{array}' and one column for each of 'classes', found "
            f"{arrays[values].dtype} {arrays[values].shape}"
        )
    rows = _images(images, identifier, where)
    return pd.DataFrame(arrays[values].astype(np.float64), rows, classes)


def _arrays(file: Path, unreadable: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an archive of ``numpy.savez``, by name."""
    if file.is_file() and not zipfile.is_zipfile(file):
        raise DataError(f"{unreadable} it is not an archive of numpy.savez")
    members: dict[str, Any] = {}
    name = ""
    try:
        with file.open("rb") as content, np.load(content, allow_pickle=False) as archive:
            for name in archive.files:
                members[name] = archive[name]
    except Exception as error:  # damaged files raise errors of many kinds
        if "Object arrays" in str(error):
            raise DataError(
                f"{unreadable} the array '{name}' holds Python objects. Save it with .astype(str), "
                f"or with .astype(float) if it holds numbers"
            ) from None
        raise DataError(f"{unreadable} {error}") from None
    # A member of an archive that is not an array is returned as bytes.
    return {name: of for name, of in members.items() if isinstance(of, np.ndarray)}


def _identifier(
    names: list[str], expected: tuple[str, ...], where: str, what: str
) -> tuple[str, str]:
    """The column or array that says which image a row is of, and the column of the index."""
    found = [pair for pair in zip(expected, IDENTIFIERS, strict=True) if pair[0] in names]
    if len(found) != 1:
        number, path = (f"'{name}'" for name in expected)
        has = listed(f"'{name}'" for name, _ in found) or "none"
        raise DataError(
            f"{where} must have one {what} that says which image a row is of: {number} (its number "
            f"in the index of images) or {path} (its path there); found {has}"
        )
    return found[0]


def _images(texts: list[str], identifier: str, where: str) -> pd.Index[Any]:
    """What a file says of each row, as the index of images has it."""
    if identifier == "file":
        return pd.Index(texts, dtype=object, name=identifier)
    wrong = [text for text in texts if not (text.isdecimal() and len(text) < TOO_MANY_DIGITS)]
    if wrong:
        raise DataError(
            f"{where}: an image must be a whole number from 0, as in the column 'image' of "
            f"index.csv, found {first_quoted(wrong)}"
        )
    return pd.Index(list(map(int, texts)), dtype=np.int64, name=identifier)


def _check_classes(found: list[str], class_names: Sequence[str], where: str) -> None:
    """Refuse columns that are not one for each class."""
    repeated = [name for name in dict.fromkeys(found) if found.count(name) > 1]
    problems = {
        "more than one column for": repeated,
        "columns that are no classes of the data set:": sorted(set(found) - set(class_names)),
        "no column for": sorted(set(class_names) - set(found)),
    }
    for problem, names in problems.items():
        if names:
            unnamed = " (pandas writes '' for its index: use index=False)" if "" in names else ""
            raise DataError(
                f"{where} has {problem} {first_quoted(names)}{unnamed}. It needs one column for "
                f"each class, by its 'class_name' in index.csv"
            )


def _check_images(
    found: pd.Index[Any], known: pd.Series[Any], wanted: npt.NDArray[Any], where: str
) -> None:
    """Refuse rows that are not one for each wanted image, and at most one for the others."""
    unknown = found[~found.isin(known)]
    if len(unknown):
        raise DataError(
            f"{where} has rows of images that the data set does not have: {first_quoted(unknown)}. "
            f"Name each by the column '{found.name}' of index.csv"
        )
    repeated = found[found.duplicated()].unique()
    if len(repeated):
        raise DataError(
            f"{where} has several rows of the same image: {first_quoted(repeated)}. Keep one of "
            f"them"
        )
    missing = wanted[~np.isin(wanted.astype(str), found.astype(str))]
    if len(missing):
        named = f"{counted(len(missing), 'test image')}: {first_quoted(missing)}"
        raise DataError(
            f"{where} has no row for {named}. Add one for each image whose role is 'test' in "
            f"subsets.csv"
        )
    if others := len(found) - len(wanted):
        log.info("%s: %s of other images not used", where, counted(others, "row"))


def _refuse(wrong: pd.DataFrame, where: str, what: str) -> None:
    """Refuse values, naming their images and their columns."""
    images, columns = wrong.index[wrong.any(axis=1)], wrong.columns[wrong.any()]
    if len(images):
        column = f"{'column' if len(columns) == 1 else 'columns'} {first_quoted(columns)}"
        raise DataError(f"{where} has {what} for {_images_named(images)} ({column})")


def _images_named(images: pd.Index[Any]) -> str:
    return f"{counted(len(images), 'image')}: {first_quoted(images)}"
