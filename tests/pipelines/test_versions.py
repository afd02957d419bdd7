"""A run reads what it wrote, whatever another run writes into the same folder meanwhile."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.framework.startup import bootstrap_project
from kedro.pipeline import Node, Pipeline

from longtail.catalog import LongtailCatalog
from longtail.errors import ConfigurationError, TrialsFailedError
from longtail.preflight.load_versions import check_load_versions
from longtail.runner import GridRunner
from longtail.storage.files import write_checksum
from tests.pipelines.support import PROJECT
from tests.pipelines.toy import BACKBONES, METHODS, broken, one, toy, trial_name, twice

OLDER, OWN, NEWER = ("1999-01-01T00.00.00.000Z", "2000-01-01T00.00.00.000Z", "2001-01-01T00.00.00")
FOREIGN = 1000


def files(
    folder: Path, load_versions: dict[str, str] | None = None, **more: dict[str, Any]
) -> LongtailCatalog:
    """A catalog of versioned files, with patterns as in the project's."""
    patterns = ("given", "x", "y", "prepared", "{of}sum", "page", "train.{trial}.{name}")
    entries = {
        pattern: {
            "type": "json.JSONDataset",
            "filepath": f"{folder}/{pattern}.json",
            "versioned": True,
        }
        for pattern in patterns
    }
    catalog = LongtailCatalog.from_config(entries | more, None, load_versions, OWN)
    assert isinstance(catalog, LongtailCatalog)
    catalog["params:grid"] = {"methods": list(METHODS)}
    return catalog


def plant(folder: Path, name: str, version: str, value: int = FOREIGN) -> None:
    """Save a version of a dataset, as another run would."""
    file = folder / f"{name}.json" / version / f"{name}.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(value))
    write_checksum(file, content=file)


def saved(folder: Path, name: str) -> int:
    file = folder / f"{name}.json" / OWN / f"{name}.json"
    return int(json.loads(file.read_text()))


def run(pipeline: Pipeline, catalog: LongtailCatalog) -> None:
    GridRunner(max_workers=1).run(
        pipeline, catalog, hook_manager=_create_hook_manager(), run_id=OWN
    )


def test_a_catalog_reports_which_versions_it_loads(tmp_path: Path) -> None:
    for version in (OLDER, NEWER):
        plant(tmp_path, "given", version)
        plant(tmp_path, "x", version)
    catalog = files(tmp_path, {"x": OLDER, "y": OLDER})
    names = ["given", "x", "y", "prepared", "params:grid", "unheard.of"]
    assert catalog.versions(names) == {"given": NEWER, "x": OLDER}
    assert set(catalog.versioned(names)) == {"given", "x", "y", "prepared"}


@pytest.mark.parametrize("workers", [1, 2])
def test_newer_versions_of_what_a_run_makes_are_not_read(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)
    bootstrap_project(PROJECT)
    pipeline = toy(methods=("plain",))
    for name in pipeline.all_outputs():
        plant(tmp_path, name, NEWER)
    GridRunner(max_workers=workers).run(
        pipeline, files(tmp_path), hook_manager=_create_hook_manager(), run_id=OWN
    )
    # 1, doubled twice in each of two trials, summed, and doubled
    assert saved(tmp_path, "page") == 2 * 2 * 4 * one()
    for backbone in BACKBONES:
        assert saved(tmp_path, f"{trial_name(backbone, 'plain')}.result") == 4


def test_another_run_s_trial_does_not_stand_in_for_a_failed_one(tmp_path: Path) -> None:
    pipeline = toy({"small.odd": broken}, methods=("plain", "odd"))
    for name in pipeline.all_outputs():
        plant(tmp_path, name, OLDER)
        plant(tmp_path, name, NEWER)
    with pytest.raises(TrialsFailedError):
        run(pipeline, files(tmp_path))
    assert saved(tmp_path, "small_sum") == 4
    assert saved(tmp_path, "page") == 2 * 3 * 4


def test_an_input_is_the_one_that_was_newest_when_the_run_began(tmp_path: Path) -> None:
    plant(tmp_path, "given", OLDER, 3)
    catalog = files(tmp_path)
    catalog.fix_versions(Pipeline([Node(twice, "given", "y")]))
    in_worker = pickle.loads(pickle.dumps(catalog))
    plant(tmp_path, "given", NEWER)
    assert in_worker.load("given") == 3
    assert catalog.load("given") == 3


def test_a_chosen_version_of_an_input_is_read(tmp_path: Path) -> None:
    plant(tmp_path, "given", OLDER, 3)
    plant(tmp_path, "given", NEWER)
    run(Pipeline([Node(twice, "given", "y")]), files(tmp_path, {"given": OLDER}))
    assert saved(tmp_path, "y") == 6


def test_another_form_of_a_dataset_is_the_same_dataset(tmp_path: Path) -> None:
    def parsed(text: str) -> int:
        return int(text)

    def entry(kind: str) -> dict[str, Any]:
        return {"type": kind, "filepath": f"{tmp_path}/x.json", "versioned": True}

    forms = {"x@number": entry("json.JSONDataset"), "x@text": entry("text.TextDataset")}
    plant(tmp_path, "x", NEWER)
    pipeline = Pipeline([Node(one, None, "x@number"), Node(parsed, "x@text", "y")])
    run(pipeline, files(tmp_path, **forms))
    assert saved(tmp_path, "y") == 1


def test_the_version_of_what_a_run_makes_cannot_be_chosen(tmp_path: Path) -> None:
    plant(tmp_path, "x", OLDER)
    pipeline = Pipeline([Node(one, None, "x"), Node(twice, "x", "y")])
    with pytest.raises(ConfigurationError, match=r"this run makes 'x'.*Leave it out"):
        run(pipeline, files(tmp_path, {"x": OLDER}))
    assert not (tmp_path / "y.json").exists()


# --- the check before a run --------------------------------------------------------------------


def check(catalog: LongtailCatalog, given: dict[str, str]) -> None:
    pipeline = Pipeline([Node(twice, "given", "x"), Node(twice, "x", "y")])
    check_load_versions(given, pipeline, catalog)


def test_a_version_that_is_there_passes(tmp_path: Path) -> None:
    plant(tmp_path, "given", OLDER)
    check(files(tmp_path), {"given": OLDER})
    check(files(tmp_path), {})


def test_a_version_of_a_run_that_found_the_file_unchanged_is_the_one_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    between, newer = "1999-06-01T00.00.00.000Z", "2001-01-01T00.00.00.000Z"
    plant(tmp_path, "given", OLDER, 3)
    plant(tmp_path, "given", newer)
    catalog = files(tmp_path, {"given": between})
    check(catalog, {"given": between})
    assert catalog.load("given") == 3
    assert catalog.versions(["given"]) == {"given": OLDER}
    assert f"given has no version {between}. The newest before it is loaded, {OLDER}" in caplog.text
    before_all = "1998-01-01T00.00.00.000Z"
    with pytest.raises(ConfigurationError, match=f"unknown version of given '{before_all}'"):
        check(files(tmp_path, {"given": before_all}), {"given": before_all})


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"given": NEWER}, [f"unknown version of given '{NEWER}'", "Did you mean", OLDER]),
        ({"givem": OLDER}, ["unknown dataset of this run 'givem'", "Did you mean 'given'?"]),
        ({"y": OLDER}, ["this run makes 'y'", "Leave it out"]),
        ({"params:grid": OLDER}, ["unknown dataset of this run 'params:grid'"]),
    ],
)
def test_a_version_that_would_not_be_read_is_refused(
    given: dict[str, str], wanted: list[str], tmp_path: Path
) -> None:
    for name in ("given", "y"):
        plant(tmp_path, name, OLDER)
    with pytest.raises(ConfigurationError) as raised:
        check(files(tmp_path), given)
    for text in ["--load-versions", *wanted]:
        assert text in str(raised.value)


def test_a_run_that_reads_no_stored_version_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"of this run 'givem'\. Valid: there is none$"):
        check_load_versions({"givem": OLDER}, Pipeline([]), files(tmp_path))


def test_a_version_of_what_was_never_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is none yet"):
        check(files(tmp_path), {"given": OLDER})
