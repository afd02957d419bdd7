"""What a lock holds, and what it is not used for."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from longtail import report_lock
from longtail.errors import ConfigurationError, DataError
from longtail.parameters import Grid
from longtail.report_lock import File, Lock
from longtail.storage.files import sha256_of_file

GRID = Grid(
    datasets=("digits",),
    train_sets=("balanced",),
    backbones=("vit",),
    methods=("softmax", "ldam"),
    seeds=(0, 1),
)
FILE = File(version="2026-11-23T19.59.05.123Z", sha256="0" * 64)
WHERE = Path("conf/test/lock.yml")


def lock(**changes: Any) -> Lock:
    values: dict[str, Any] = {
        "environment": "test",
        "parameters": {"recipe": {"epochs": 3}},
        "grid": GRID,
        "made_with": report_lock.made_with(),
        "datasets": {"digits_results": FILE, "digits_index": FILE},
        "documents": {"digits_report": FILE},
        "tables": {},
    }
    return Lock(**{**values, **changes})


def test_a_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "lock.yml"
    for written in (lock(), lock(environment=None, parameters={}), lock(tables={"a": "0" * 64})):
        report_lock.write(written, file)
        assert report_lock.read(file) == written


def test_it_is_a_line_a_file(tmp_path: Path) -> None:
    report_lock.write(lock(), tmp_path / "lock.yml")
    lines = (tmp_path / "lock.yml").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    digits = "0" * 64
    wanted = f"  digits_index: {{version: {FILE.version}, sha256: '{digits}'}}"
    assert wanted in lines


def test_there_must_be_one(tmp_path: Path) -> None:
    sentence = r"there is no lock .*lock\.yml.*`kedro lock` with the --env and --params of the run"
    with pytest.raises(DataError, match=sentence):
        report_lock.read(tmp_path / "lock.yml")


@pytest.mark.parametrize("text", ["a: [b", "", "- 1", "environment: test", "grid: {}"])
def test_another_file_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "lock.yml").write_text(text)
    with pytest.raises(
        ConfigurationError, match=r"lock\.yml is not a lock that this version of longtail made"
    ):
        report_lock.read(tmp_path / "lock.yml")


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("version: ", "versionn: ", "datasets.digits_results: unknown key 'versionn'. Did you "
         "mean 'version'? Valid: version, sha256; "),
        ("seeds: ", "seed: ", "grid: unknown key 'seed'. Did you mean 'seeds'?"),
        ("environment: test\n", "", "lock.yml is not a lock that this version of "
         "longtail made: environment: field required. "),
        ("environment: test\n", "environment: [test\n", "in line "),
        ("environment: test\n", "environment: tesu\n", "the checksum in its first lines is "),
    ],
)  # fmt: skip
def test_a_broken_lock_names_the_key(old: str, new: str, wanted: str, tmp_path: Path) -> None:
    file = tmp_path / "lock.yml"
    report_lock.write(lock(), file)
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        report_lock.read(file)
    message = str(raised.value)
    assert wanted in message
    assert "validation error" not in message
    assert "http" not in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (report_lock.CHECKSUM_LINE, "the checksum in its first lines is missing or wrong"),
        ("tables: ", "tables: field required"),
    ],
)
def test_a_lock_of_older_code_is_to_be_made_again(line: str, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "lock.yml"
    report_lock.write(lock(), file)
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    older = [text for text in lines if not text.startswith(line)]
    assert len(older) == len(lines) - 1
    file.write_text("".join(older), encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        report_lock.read(file)
    assert str(raised.value) == (
        f"{file} is not a lock that this version of longtail made: {reason}. Bring back the "
        f"file as it was, or make a new one with `kedro lock`"
    )


def test_what_is_no_text_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "lock.yml").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(
        ConfigurationError, match=r"lock\.yml is not a lock .*: it is not a text file"
    ):
        report_lock.read(tmp_path / "lock.yml")


def test_a_folder_is_no_lock_and_a_missing_one_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "lock.yml").mkdir()
    for refuse in (report_lock.read, report_lock.check_place):
        with pytest.raises(
            ConfigurationError, match=r"lock\.yml is a folder, but a lock is a file"
        ):
            refuse(tmp_path / "lock.yml")
    with pytest.raises(ConfigurationError, match=r"--file: there is no folder .*/none to write x"):
        report_lock.check_place(tmp_path / "none" / "x.yml")
    report_lock.check_place(tmp_path / "x.yml")
    assert [path.name for path in tmp_path.iterdir()] == ["lock.yml"]


def test_a_file_that_must_not_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none/lock\.yml cannot be written: No such file"):
        report_lock.write(lock(), tmp_path / "none" / "lock.yml")


def test_the_checksum_is_sha256_of_the_contents(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"contents")
    assert sha256_of_file(tmp_path / "file") == hashlib.sha256(b"contents").hexdigest()


def test_places_on_a_machine_are_no_part_of_it() -> None:
    of_source = {"path": "/moths", "metadata": "/m.csv", "deployments": "/traps.csv"}
    given = {
        "data": "/somewhere",
        "datasets": {"moths": {"source": {**of_source, "image_size": 64}}},
        "backbones": {"vit": {"weights": "/file", "pretrained": True, "options": {}}},
        "grid": {"methods": ["ldam"]},
        "predict": {"path": "/night", "boxes": "/b", "species_list": "/list", "prior": "train"},
        "methods": {"theirs": {"label": "Theirs", "external": {"path": "/p.csv"}}},
    }
    places, others = report_lock.split_places(given)
    assert places == {
        "data": "/somewhere",
        "datasets": {"moths": {"source": of_source}},
        "backbones": {"vit": {"weights": "/file"}},
        "predict": {"path": "/night", "boxes": "/b", "species_list": "/list"},
        "methods": {"theirs": {"external": {"path": "/p.csv"}}},
    }
    assert others == {
        "datasets": {"moths": {"source": {"image_size": 64}}},
        "backbones": {"vit": {"pretrained": True, "options": {}}},
        "grid": {"methods": ["ldam"]},
        "predict": {"prior": "train"},
        "methods": {"theirs": {"label": "Theirs"}},
    }


def test_places_are_laid_over_the_locked_parameters() -> None:
    locked = lock(parameters={"backbones": {"vit": {"pretrained": True}}})
    given = {"data": "/here", "backbones": {"vit": {"weights": "/file"}}}
    here = report_lock.parameters_here(locked, "test", given, WHERE)
    both = {"pretrained": True, "weights": "/file"}
    assert here == {"data": "/here", "backbones": {"vit": both}}


def test_the_locked_parameters_may_be_given_again_and_no_others() -> None:
    again = {"data": "/here", "recipe": {"epochs": 3}}
    assert report_lock.parameters_here(lock(), "test", again, WHERE) == again
    assert report_lock.parameters_here(lock(), "test", {}, WHERE) == {"recipe": {"epochs": 3}}
    with pytest.raises(ConfigurationError, match=r"'epochs': 3.*cannot be used with.*'epochs': 4"):
        report_lock.parameters_here(lock(), "test", {"recipe": {"epochs": 4}}, WHERE)


@pytest.mark.parametrize(
    ("locked", "asked", "wanted"),
    [
        ("test", "thesis", "made with --env=test, and cannot be used with --env=thesis"),
        ("test", None, "made with --env=test, and cannot be used with no --env"),
        (None, "test", "made with no --env, and cannot be used with --env=test"),
    ],
)
def test_it_is_of_one_environment(locked: str | None, asked: str | None, wanted: str) -> None:
    with pytest.raises(ConfigurationError, match=wanted):
        report_lock.parameters_here(lock(environment=locked), asked, {}, WHERE)


def test_it_is_of_one_grid() -> None:
    inputs, documents = ["digits_results"], ["digits_report"]
    report_lock.check_fits(lock(), GRID, inputs, documents, (), WHERE)
    other = GRID.model_copy(update={"methods": ("softmax",), "seeds": (0,)})
    with pytest.raises(ConfigurationError) as raised:
        report_lock.check_fits(lock(), other, inputs, documents, (), WHERE)
    message = str(raised.value)
    assert "conf/test/lock.yml is the lock of another grid" in message
    assert 'grid.methods was ["softmax", "ldam"], is ["softmax"]' in message
    assert "grid.seeds was [0, 1], is [0]" in message
    assert "backbones" not in message


@pytest.mark.parametrize(
    ("inputs", "documents", "named"),
    [
        (["digits_answers"], ["digits_report"], "digits_answers"),
        (["digits_results"], ["digits_report", "digits_appendix"], "digits_appendix"),
        (["digits_results"], [], "digits_report"),
    ],
)
def test_it_is_of_one_version_of_the_project(
    inputs: list[str], documents: list[str], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"the same files: {named}\. Make a new one"):
        report_lock.check_fits(lock(), GRID, inputs, documents, (), WHERE)


def test_it_is_of_the_same_tables() -> None:
    arguments = (GRID, ["digits_results"], ["digits_report"], ["published_toy"], WHERE)
    report_lock.check_fits(lock(tables={"published_toy": "0" * 64}), *arguments)
    for tables in ({}, {"published_thesis": "0" * 64}):
        with pytest.raises(ConfigurationError, match=r"the same files: .*published_toy\. Make"):
            report_lock.check_fits(lock(tables=tables), *arguments)


def test_deviations_name_the_files(tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in ("same", "changed", "gone")}
    for path in paths.values():
        path.write_text("contents")
    locked = {name: sha256_of_file(path) for name, path in paths.items()}
    assert report_lock.deviations(locked, paths) == {}
    paths["changed"].write_text("contentz")
    paths["gone"].unlink()
    assert report_lock.deviations(locked, paths) == {
        "changed": f"{paths['changed']} is not as it was locked",
        "gone": f"{paths['gone']} is missing",
    }


def test_other_writers_are_named() -> None:
    assert report_lock.other_writers(lock()) == []
    older = lock(made_with=report_lock.made_with() | {"matplotlib": "1.0", "gone": "2.0"})
    now = report_lock.made_with()["matplotlib"]
    assert report_lock.other_writers(older) == [
        f"matplotlib was 1.0, is {now}",
        "gone was 2.0, is None",
    ]


def test_versions_that_look_like_numbers_stay_text(tmp_path: Path) -> None:
    written = lock(made_with={"python": "3.14", "longtail": "1"})
    report_lock.write(written, tmp_path / "lock.yml")
    stored = yaml.safe_load((tmp_path / "lock.yml").read_text(encoding="utf-8"))
    assert stored["made_with"] == {"python": "3.14", "longtail": "1"}
