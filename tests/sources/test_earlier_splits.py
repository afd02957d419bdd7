"""The records of which photographs tested: what is written, read and said."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import pytest

from longtail.errors import DataError
from longtail.imbalance.earlier_split import split_of
from longtail.imbalance.subsets import CONFIRMED
from longtail.parameters import Dataset
from longtail.sources.earlier_splits import keep_earlier_split, record_split
from tests.imbalance.growing import dataset, drawn_photographs, index_with


def index_of_sizes(*sizes: int, prefix: str = "a") -> pd.DataFrame:
    """Photographs that are groups of their own, whose checksums are their names."""
    index = index_with(drawn_photographs([[1] * size for size in sizes], prefix))
    return index.assign(sha256=index["file"])


def names_of_test(index: pd.DataFrame, of: Dataset) -> set[str]:
    split = split_of(index, of)
    return set(index.set_index("image").loc[split.index[split == "test"], "file"])


def test_what_tested_once_tests_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    of, first = dataset(), index_of_sizes(12, 12, 12)
    assert keep_earlier_split(first, of, tmp_path) is first  # nothing is recorded yet
    record_split(first, of, tmp_path)
    tested = names_of_test(first, of)
    assert keep_earlier_split(first, of, tmp_path) is first
    grown = index_of_sizes(20, 17, 12)
    with caplog.at_level(logging.INFO):
        kept = keep_earlier_split(grown, of, tmp_path)
    assert tested < names_of_test(kept, of)
    assert caplog.messages == ["moths: 9 of 9 test photographs of earlier runs test again"]


def test_photographs_that_were_away_test_when_they_are_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    of, first = dataset(), index_of_sizes(12, 12, 12)
    record_split(first, of, tmp_path)
    away = min(names_of_test(first, of))
    left = index_with([e for e in drawn_photographs([[1] * 12] * 3, "a") if e[0] != away])
    left = left.assign(sha256=left["file"])
    with caplog.at_level(logging.INFO):
        kept = keep_earlier_split(left, of, tmp_path)
    assert caplog.messages == [
        "moths: 8 of 9 test photographs of earlier runs test again; 1 is not in the data set now"
    ]
    record_split(kept, of, tmp_path)
    assert away in names_of_test(keep_earlier_split(first, of, tmp_path), of)


def test_confirmed_photographs_that_move_into_the_folders_train(tmp_path: Path) -> None:
    of, whole = dataset(), index_of_sizes(20, 17, 12)
    confirmed = set(whole["file"]) - set(index_of_sizes(12, 12, 12)["file"])
    is_confirmed = whole["file"].isin(confirmed)
    record_split(whole.assign(split=whole["split"].mask(is_confirmed, CONFIRMED)), of, tmp_path)
    assert names_of_test(whole, of) & confirmed  # by themselves some would be drawn
    tested = names_of_test(keep_earlier_split(whole, of, tmp_path), of)
    assert len(confirmed) == 13
    assert tested and not tested & confirmed


def test_the_record_is_written_only_when_it_changes(tmp_path: Path) -> None:
    of, first = dataset(), index_of_sizes(12, 12, 12)
    record_split(first, of, tmp_path)
    file = tmp_path / "moths.csv"
    stamp = file.stat().st_mtime_ns
    record_split(first, of, tmp_path)
    assert file.stat().st_mtime_ns == stamp
    assert sorted(path.name for path in tmp_path.iterdir()) == [".moths.csv.sha256", "moths.csv"]


def test_another_seed_is_another_split_with_a_warning_until_it_is_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = index_of_sizes(12, 12, 12)
    record_split(first, dataset(), tmp_path)
    other = dataset(seed=1)
    assert keep_earlier_split(first, other, tmp_path) is first
    hold_out = "stratified hold-out (test 0.25, validation 0.15, minimum 1), 24 pixels"
    assert caplog.messages == [
        f"moths: a new split is drawn (seed 1, {hold_out}), so test photographs of earlier runs "
        f"may train now. To compare models on the same photographs, go back to seed 0, {hold_out}"
    ]
    record_split(first, other, tmp_path)
    caplog.clear()
    assert keep_earlier_split(first, other, tmp_path) is first
    grown = index_of_sizes(20, 17, 12)
    for each in (dataset(), other):
        assert names_of_test(first, each) < names_of_test(
            keep_earlier_split(grown, each, tmp_path), each
        )
    assert caplog.records == [] or all(r.levelno < logging.WARNING for r in caplog.records)


def test_a_split_of_the_source_is_neither_recorded_nor_changed(tmp_path: Path) -> None:
    index = index_of_sizes(12, 12, 12)
    official = index.assign(split=["train", "test"] * 18)
    record_split(official, dataset(), tmp_path)
    assert list(tmp_path.iterdir()) == []
    record_split(index, dataset(), tmp_path)
    assert keep_earlier_split(official, dataset(), tmp_path) is official


def test_a_damaged_record_is_refused_by_name(tmp_path: Path) -> None:
    of, first = dataset(), index_of_sizes(12, 12, 12)
    record_split(first, of, tmp_path)
    file = tmp_path / "moths.csv"
    file.write_text(file.read_text().replace(",test\n", ",train\n"))
    with pytest.raises(DataError, match=r"moths\.csv is not what was saved .*Restore it"):
        keep_earlier_split(first, of, tmp_path)
