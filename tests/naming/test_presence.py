"""Which species of a list occur, where another column says so."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from longtail.errors import DataError
from longtail.naming.user_tables import read_species_list, read_weights

MOTHS = ["Noctua pronuba", "Noctua comes", "Xestia c-nigrum"]


def listed(folder: Path, text: str) -> list[bool]:
    file = folder / "list.csv"
    file.write_text(text, encoding="utf-8")
    found: list[bool] = read_species_list(str(file), MOTHS)[0].tolist()
    return found


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("species;present", ("yes", "no", "Yes")),
        ("species;Occurs", ("x", "", "x")),
        ("scientificName;occurrenceStatus", ("PRESENT", "ABSENT", "present")),
        ("species;weight", ("0,5", "0", "12")),
        ("species;abundance", ("1e3", "0.0", "1")),
        ("species;present", ("ja", "nein", "ja")),
    ],
)
def test_a_species_that_does_not_occur_is_not_listed(
    tmp_path: Path, header: str, values: tuple[str, ...]
) -> None:
    rows = [f"{name};{value}" for name, value in zip(MOTHS, values, strict=True)]
    assert listed(tmp_path, "\n".join([header, *rows])) == [True, False, True]


def test_a_list_in_which_nothing_occurs_is_refused(tmp_path: Path) -> None:
    for text in ("species;present\nNoctua comes;no", "species;weight\nNoctua comes;0"):
        with pytest.raises(DataError, match="names no species"):
            listed(tmp_path, text)


def test_what_says_neither_yes_nor_no_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 3: present is 'maybe', must be yes or no, or a num"):
        listed(tmp_path, "species;present\nNoctua comes;no\nNoctua pronuba;maybe")


def test_yes_and_no_without_a_header_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has a column of yes and no: name the columns"):
        listed(tmp_path, "Noctua comes;no\nNoctua pronuba;yes")


def test_yes_and_no_under_headers_in_another_language_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="name the columns in the first line, such as species and"):
        listed(tmp_path, "Art;Vorkommen\nNoctua comes;nein\nNoctua pronuba;ja")


def test_yes_and_no_under_another_header_are_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = "species;protected;note\nNoctua comes;no;a\nNoctua pronuba;yes;b"
    assert listed(tmp_path, text) == [True, True, False]
    [message] = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert "the column 'protected' has yes and no, but is not read." in message


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("species;weight\nNoctua comes;0,25\n", "Write a decimal point, not a comma: 0.25"),
        ("species,weight\nNoctua comes,0,25\n", "has 3 values, .* and a number a decimal point"),
    ],
)
def test_a_decimal_comma_is_explained(tmp_path: Path, text: str, wanted: str) -> None:
    file = tmp_path / "prior.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=wanted):
        read_weights(str(file), MOTHS, np.ones(3, bool))
