"""Files that every trial has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kedro.io.core import DatasetError

from longtail.catalog import LongtailCatalog
from longtail.datasets.trials import TrialFilesDataset
from longtail.storage.files import write_checksum
from tests.pipelines.support import loader

TRIAL = "moths.natural.small.softmax.seed0"


def test_the_versions_of_a_trial_come_the_newest_first(tmp_path: Path) -> None:
    pattern = f"{tmp_path}/<train_set>/<backbone>/<method>/<seed>/a.parquet"
    for version in ("2001", "2003", "2002"):
        file = tmp_path / "natural/small/softmax/seed0/a.parquet" / version / "a.parquet"
        file.parent.mkdir(parents=True)
        file.write_text(version)
    (tmp_path / "natural/small/softmax/seed0/a.parquet/2004").mkdir()  # of which nothing came
    dataset: Any = TrialFilesDataset(filepath=pattern)
    files = dataset.load()
    assert [file.read_text() for file in files.versions(TRIAL)] == ["2003", "2002", "2001"]
    assert list(files.versions("moths.natural.small.ldam.seed0")) == []
    assert dataset.exists()
    with pytest.raises(DatasetError, match="each its own"):
        dataset.save("x")


def test_they_are_found_where_trials_save_them(tmp_path: Path) -> None:
    configuration = loader("moths", data=str(tmp_path))["catalog"]
    catalog: Any = LongtailCatalog.from_config(configuration, save_version="2001")
    saved = Path(str(catalog[f"train.{TRIAL}.logits"]._get_save_path()))
    saved.parent.mkdir(parents=True)
    saved.touch()
    assert list(catalog.load("moths_logits").versions(TRIAL)) == [saved]


def test_a_damaged_version_is_reported_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pattern = f"{tmp_path}/<train_set>/<backbone>/<method>/<seed>/a.parquet"
    files = []
    for version in ("2001", "2002"):
        file = tmp_path / "natural/small/softmax/seed0/a.parquet" / version / "a.parquet"
        file.parent.mkdir(parents=True)
        file.write_text(version)
        write_checksum(file, content=file)
        files.append(file)
    files[1].write_text("2003")
    dataset: Any = TrialFilesDataset(filepath=pattern)
    assert list(dataset.load().versions(TRIAL)) == files[:1]
    assert caplog.messages == [
        f"{files[1]} is not read: it is not what was saved (.a.parquet.sha256)"
    ]
