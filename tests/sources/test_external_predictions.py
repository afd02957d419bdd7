"""Predictions of other networks: read from files in any order, and refused where they are wrong."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from longtail.errors import DataError
from longtail.sources.external_predictions import external_logits

NAMES = ["red", "green", "blue"]
INDEX = pd.DataFrame({"image": range(6), "file": [f"{name}.png" for name in "abcdef"]})
IMAGES = np.array([1, 3, 4])
LOGITS = np.array([[0.1, -2.5, 3.0], [1e-7, 7.25, -0.3], [12.0, 0.0, 1.0]], np.float32)
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)


def rows(**changes: Any) -> pd.DataFrame:
    """A valid table with a row for each image."""
    table = pd.DataFrame(LOGITS.astype(np.float64), columns=NAMES)
    table.insert(0, "file", INDEX["file"].to_numpy()[IMAGES])
    return table.assign(**changes)


def read(file: Path, values: Any = "logits") -> Any:
    return external_logits(
        str(file), f"methods.x.external.path: {file}", values, INDEX, IMAGES, NAMES
    )


@pytest.fixture
def read_csv(tmp_path: Path) -> Callable[..., Any]:
    def of(table: pd.DataFrame, values: str = "logits") -> Any:
        table.to_csv(tmp_path / "theirs.csv", index=False)
        return read(tmp_path / "theirs.csv", values)

    return of


@pytest.mark.parametrize("identifier", ["image", "file"])
def test_rows_and_columns_may_have_any_order(read_csv: Callable[..., Any], identifier: str) -> None:
    table = rows().iloc[[2, 0, 1]][["blue", "file", "red", "green"]]
    if identifier == "image":
        table["image"] = IMAGES[[2, 0, 1]]
        table = table.drop(columns="file")
    found = read_csv(table)
    assert found.dtype == np.float32
    assert (found == LOGITS).all()


@pytest.mark.parametrize("identifier", ["image", "file"])
def test_arrays_hold_the_same(tmp_path: Path, identifier: str) -> None:
    order = [1, 2, 0]
    arrays: dict[str, Any] = {
        "classes": [NAMES[label] for label in order],
        "logits": LOGITS[::-1][:, order],
        f"{identifier}s": [INDEX[identifier].tolist()[image] for image in IMAGES[::-1]],
    }
    np.savez(tmp_path / "theirs.npz", **arrays)
    assert (read(tmp_path / "theirs.npz") == LOGITS).all()


def test_probabilities_become_logits(read_csv: Callable[..., Any]) -> None:
    table = rows(**dict(zip(NAMES, PROBABILITIES.T.astype(float), strict=True)))
    found = read_csv(table, "probabilities")
    assert np.exp(found) / np.exp(found).sum(1, keepdims=True) == pytest.approx(PROBABILITIES)
    certain = read_csv(rows(red=1.0, green=0.0, blue=0.0), "probabilities")
    assert np.isfinite(certain).all()
    assert (certain[:, 0] == 0).all()
    assert (certain[:, 1:] < -80).all()


def test_rows_of_other_images_are_not_used(
    read_csv: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    other = rows().iloc[:1].assign(file="a.png")
    with caplog.at_level("INFO"):
        found = read_csv(pd.concat([other, rows()]))
    assert (found == LOGITS).all()
    assert "1 row of other images not used" in caplog.text


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (rows().iloc[1:], "has no row for 1 test image: 'b.png'"),
        (pd.concat([rows(), rows().iloc[:1]]), "has several rows of the same image: 'b.png'"),
        (
            rows(file=["b.png", "d.png", "x.png"]),
            "has rows of images that the data set does not have: 'x.png'. Name each by the column "
            "'file' of index.csv",
        ),
        (
            rows(red=[1.0, np.nan, 1.0]),
            "a value that is not a finite number for 1 image: 'd.png' (column 'red')",
        ),
        (rows(red=["1", "one", "2"]), "a value that is not a finite number for 1 image: 'd.png'"),
        (rows(red=[1.0, 1.0, np.inf]), "a value that is not a finite number for 1 image: 'e.png'"),
        (
            rows(image=IMAGES, red=[1.0, np.nan, 1.0], blue=["1", "2", "x"]).drop(columns="file"),
            "not a finite number for 2 images: '3' and '4' (columns 'red' and 'blue')",
        ),
        (rows(pink=1.0), "columns that are no classes of the data set: 'pink'"),
        (rows().drop(columns=["green", "blue"]), "has no column for 'blue' and 'green'"),
        (rows().drop(columns="file"), "must have one column that says which image a row is of"),
        (rows(image=IMAGES), "found 'image' and 'file'"),
        (rows().drop(columns="file").assign(image=["1", "3", "4.5"]), "index.csv, found '4.5'"),
        (rows().drop(columns="file").assign(image=["1", "3", "4" * 19]), "found '4444"),
        (rows(red=[1.0, -1e31, 1.0]), "a logit beyond 1e+30 for 1 image: 'd.png'"),
        (
            rows(red=[0.25, 1.0, 0.0], green=[0.5, 0.0, 1.0], blue=[0.25, 0.0, 0.0]),
            "has probabilities, not logits: no value is negative, and each row sums to 1. Set "
            "external.values to probabilities",
        ),
        (rows(red=["1,5", "2", "-1"]), "has numbers with a decimal comma. Write them with a point"),
        (rows(**{"": "0"}), "'' (pandas writes '' for its index: use index=False). It needs"),
    ],
)
def test_what_is_wrong_is_named(
    read_csv: Callable[..., Any], table: pd.DataFrame, message: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_csv(table)
    assert str(caught.value).startswith("methods.x.external.path: ")
    assert message in str(caught.value)


def test_of_many_images_the_first_are_named(tmp_path: Path) -> None:
    rows(file=[f"{number}.png" for number in range(3)]).to_csv(tmp_path / "theirs.csv", index=False)
    index = pd.DataFrame({"image": range(8), "file": [f"{number}.png" for number in range(8)]})
    with pytest.raises(DataError) as caught:
        external_logits(
            str(tmp_path / "theirs.csv"), "theirs", "logits", index, np.arange(8), NAMES
        )
    assert "for 5 test images: '3.png', '4.png', '5.png', and 2 more. Add" in str(caught.value)


def test_columns_of_one_class_are_refused(tmp_path: Path) -> None:
    table = rows().assign(red2=1.0).rename(columns={"red2": "red"})
    table.to_csv(tmp_path / "theirs.csv", index=False)
    with pytest.raises(DataError, match="more than one column for 'red'"):
        read(tmp_path / "theirs.csv")


def test_two_columns_of_images_are_refused(tmp_path: Path) -> None:
    table = rows(again=rows()["file"]).rename(columns={"again": "file"})
    table.to_csv(tmp_path / "theirs.csv", index=False)
    with pytest.raises(DataError, match=r"theirs.csv has more than one column 'file'$"):
        read(tmp_path / "theirs.csv")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"red": 1.5, "green": -0.5, "blue": 0.0},
            "a negative probability for 3 images: 'b.png'.*'green'",
        ),
        ({"red": 0.5, "green": 0.25, "blue": 0.0}, "whose sum is not 1, but 0.75 .* for 3 images"),
    ],
)
def test_probabilities_are_checked(
    read_csv: Callable[..., Any], changes: dict[str, float], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_csv(rows(**changes), "probabilities")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"logits": None}, "'logits'. It has files and classes; external.values says .* logits"),
        ({"classes": None}, "has no array 'classes'. It has files and logits$"),
        ({"logits": LOGITS[:2]}, r"numbers of shape \(3, 3\).* found float32 \(2, 3\)"),
        ({"logits": LOGITS.astype(str)}, "must be numbers of shape"),
        ({"files": None}, "must have one array that says which image a row is of"),
        (
            {"classes": np.array(NAMES, dtype=object)},
            r"the array 'classes' holds Python objects. Save it with .astype\(str\)",
        ),
    ],
)
def test_wrong_arrays_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    arrays = {
        "files": INDEX["file"].to_numpy(str)[IMAGES],
        "classes": np.array(NAMES),
        "logits": LOGITS,
        **changes,
    }
    present = {name: array for name, array in arrays.items() if array is not None}
    np.savez(tmp_path / "theirs.npz", **present)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "theirs.npz")


def test_a_file_that_is_no_archive_is_named(tmp_path: Path) -> None:
    file = tmp_path / "theirs.npz"
    np.save(tmp_path / "array.npy", LOGITS)
    for content in (b"", b"file,red\n", (tmp_path / "array.npy").read_bytes()):
        file.write_bytes(content)
        with pytest.raises(DataError, match=r"theirs.npz cannot be read as an NPZ file: it is not"):
            read(file)
    file.unlink()
    with pytest.raises(DataError, match=r"theirs.npz cannot be read as an NPZ file: .* No such"):
        read(file)


def test_a_damaged_archive_is_named_and_never_read_wrongly(tmp_path: Path) -> None:
    file = tmp_path / "theirs.npz"
    np.savez_compressed(file, images=IMAGES, classes=NAMES, logits=LOGITS)
    whole = file.read_bytes()
    refused = 0
    for position in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[position] ^= 0x55
        file.write_bytes(damaged)
        try:
            assert (read(file) == LOGITS).all()  # a byte that says nothing about the arrays
        except DataError:
            refused += 1
    assert refused > len(whole) // 10


def test_arrays_that_do_not_fit_into_memory_and_members_that_are_none_are_refused(
    tmp_path: Path,
) -> None:
    file, header = tmp_path / "theirs.npz", io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (10**13, 3)}
    np.lib.format.write_array_header_1_0(header, shape)
    for name, content, message in (
        ("logits.npy", header.getvalue(), "cannot be read as an NPZ file: Unable to allocate"),
        ("logits", b"1,2,3", "has no array 'logits'"),
    ):
        np.savez(file, images=IMAGES, classes=NAMES)
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr(name, content)
        with pytest.raises(DataError, match=message):
            read(file)
