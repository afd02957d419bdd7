"""Trials in worker processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from kedro.framework.startup import bootstrap_project
from kedro.pipeline import Pipeline
from kedro_datasets.json import JSONDataset

from longtail.catalog import LongtailCatalog
from longtail.errors import LongtailError
from longtail.runner import GridRunner
from tests.pipelines.support import PROJECT
from tests.pipelines.toy import BACKBONES, catalog_with, killed, process_id, toy, trial_name


@pytest.fixture
def in_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    bootstrap_project(PROJECT)


def files_of(pipeline: Pipeline, folder: Path) -> LongtailCatalog:
    files = {n: JSONDataset(filepath=str(folder / f"{n}.json")) for n in pipeline.all_outputs()}
    return catalog_with(**files)


@pytest.mark.usefixtures("in_project")
def test_trials_run_in_workers_and_the_rest_here(tmp_path: Path) -> None:
    names = [f"{b}.plain" for b in BACKBONES]
    pipeline = toy(dict.fromkeys(names, process_id), methods=("plain",))
    catalog = files_of(pipeline, tmp_path)
    GridRunner(max_workers=2).run(pipeline, catalog, run_id="test")
    processes = [catalog.load(f"{trial_name(b, 'plain')}.worked") for b in BACKBONES]
    assert os.getpid() not in processes
    assert catalog.load("page") == 2 * 2 * sum(processes)


@pytest.mark.usefixtures("in_project")
def test_a_killed_worker_is_explained(tmp_path: Path) -> None:
    pipeline = toy({"small.plain": killed}, methods=("plain",))
    with pytest.raises(LongtailError, match="a worker process was killed"):
        GridRunner(max_workers=2).run(pipeline, files_of(pipeline, tmp_path), run_id="test")
