"""`kedro lock` and `kedro regenerate` on the data of a whole run."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from kedro.framework.startup import bootstrap_project

from longtail import report_lock
from longtail.cli import cli
from longtail.report_lock import File, Lock
from longtail.storage.files import sha256_of_file, write_checksum
from tests.pipelines.support import (
    PROJECT,
    SMALL,
    SMALL_TRIALS,
    Run,
    copy_of,
    dotted,
    pipelines,
    run,
)
from tests.sketches import sketched

GIVEN = ",".join(SMALL)
TABLES = ("results", "confusions", "histories", "trainings", "class_profile", "subsets")


def kedro(*arguments: str, env: str = "test") -> Result:
    """A command in this process, in the test environment by default."""
    bootstrap_project(PROJECT)
    with contextlib.chdir(PROJECT), sketched():
        result = CliRunner().invoke(cli, [*arguments, f"--env={env}"])
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert "Traceback" not in result.output
    return result


@pytest.fixture(scope="module")
def data(small: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a run's data that tests may change and must restore."""
    return copy_of(small, tmp_path_factory.mktemp("locked") / "data").data


@pytest.fixture(scope="module")
def locked(data: Path) -> Path:
    file = data.parent / "lock.yml"
    before = set(data.rglob("*"))
    result = kedro("lock", f"--params=data={data},{GIVEN}", f"--file={file}")
    assert result.exit_code == 0, result.output
    assert set(data.rglob("*")) == before  # the report that was made to compare is gone
    return file


@pytest.fixture
def file(locked: Path, tmp_path: Path) -> Path:
    """A lock that a test may change."""
    return Path(shutil.copy(locked, tmp_path / "lock.yml"))


def of_run(small: Run, data: Path, name: str) -> Path:
    return data / small.file(name).relative_to(small.data)


def test_the_lock_has_every_file_by_its_checksum(small: Run, data: Path, file: Path) -> None:
    lock = report_lock.read(file)
    stages = pipelines("test", **dotted(*SMALL))
    documents = stages["report"].all_outputs()
    made = stages["full"].all_outputs() - documents
    assert list(lock.datasets) == sorted(made)
    assert list(lock.documents) == sorted(documents)
    for name, locked in (lock.datasets | lock.documents).items():
        assert locked == File(
            version=small.run_id, sha256=sha256_of_file(of_run(small, data, name))
        )
    assert lock.environment == "test"
    assert lock.parameters == dotted(*SMALL)  # and no folder
    assert str(data) not in file.read_text(encoding="utf-8")
    assert not re.search(r"[ '\"]/", file.read_text(encoding="utf-8"))


def test_the_report_comes_out_the_same_byte_for_byte(
    small: Run,
    data: Path,
    file: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What is equal is the locked file itself; only what was lost is stored again."""
    lost = of_run(small, data, "digits_appendix")
    content = lost.read_bytes()
    lost.unlink()
    before = set(data.rglob("*"))
    result = kedro("regenerate", f"--params=data={data}", f"--file={file}")
    assert result.exit_code == 0, result.output
    names = pipelines("test", **dotted(*SMALL))["report"].all_outputs()
    assert f"All {len(names)} documents are identical to those locked" in caplog.text
    made = re.findall(r"Made (\S+)( \(unchanged\))?", caplog.text)
    assert made and all((PROJECT / document).is_file() for document, _ in made)
    assert [Path(path).name for path, unchanged in made if not unchanged] == ["appendix.tex"]
    again = set(data.rglob("*")) - before
    assert {path.name for path in again if path.is_file()} == {
        "appendix.tex",
        ".appendix.tex.sha256",
    }
    [second] = [path for path in again if path.name == "appendix.tex"]
    assert second.read_bytes() == content
    assert second.parent.name > small.run_id
    lost.write_bytes(content)
    shutil.rmtree(second.parent)


def test_a_changed_or_missing_file_is_named_and_nothing_is_drawn(
    small: Run, data: Path, file: Path
) -> None:
    changed = of_run(small, data, "digits_results")
    missing = of_run(small, data, "digits_histories")
    contents = changed.read_bytes()
    changed.write_bytes(contents[:-2] + bytes([contents[-2] ^ 1]) + contents[-1:])
    missing.rename(missing.with_suffix(".away"))
    before = set((data / "08_reporting").rglob("*"))
    result = kedro("regenerate", f"--params=data={data}", f"--file={file}")
    missing.with_suffix(".away").rename(missing)
    changed.write_bytes(contents)
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0].startswith("Error: ")
    assert lines[0].endswith(f"histories.csv/{small.run_id}/histories.csv is missing")
    assert lines[1].endswith(f"results.csv/{small.run_id}/results.csv is not as it was locked")
    assert "confusions.csv" not in result.output
    assert "kedro run --pipelines=full --env=test, then kedro lock --env=test" in result.output
    assert set((data / "08_reporting").rglob("*")) == before


def edited(file: Path, **changes: Any) -> Lock:
    lock = report_lock.read(file).model_copy(update=changes)
    report_lock.write(lock, file)
    return lock


def test_a_document_that_comes_out_otherwise_is_named(small: Run, data: Path, file: Path) -> None:
    documents = report_lock.read(file).documents
    other = {"digits_appendix": File(version=small.run_id, sha256="0" * 64)}
    made_with = report_lock.made_with() | {"matplotlib": "1.0"}
    edited(file, documents=documents | other, made_with=made_with)
    result = kedro("regenerate", f"--params=data={data},{GIVEN}", f"--file={file}")
    assert result.exit_code == 1
    assert f"1 of {len(documents)} documents differ" in result.output
    assert "appendix.tex is not as it was locked" in result.output
    assert "matplotlib was 1.0" in result.output
    for path in (data / "08_reporting/digits").rglob("*/20*"):
        if path.name != small.run_id:
            shutil.rmtree(path)


def test_a_lock_of_another_grid_is_refused(data: Path, file: Path) -> None:
    grid = report_lock.read(file).grid
    edited(file, grid=grid.model_copy(update={"methods": ("softmax", "focal")}))
    result = kedro("regenerate", f"--params=data={data}", f"--file={file}")
    assert result.exit_code == 1
    assert 'is the lock of another grid: grid.methods was ["softmax", "focal"]' in result.output


def test_an_unknown_environment_and_a_missing_lock_are_refused(tmp_path: Path) -> None:
    for command in ("lock", "regenerate"):
        result = kedro(command, env="tset")
        assert result.exit_code == 1
        assert "unknown environment 'tset'. Did you mean 'test'?" in result.output
    result = kedro("regenerate", f"--file={tmp_path}/none.yml")
    assert result.exit_code == 1
    assert "there is no lock" in result.output
    assert "none.yml" in result.output


def test_only_what_has_been_made_of_these_parameters_is_locked(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "lock.yml"
    nothing = kedro("lock", f"--params=data={tmp_path}/empty", f"--file={file}")
    assert nothing.exit_code == 1
    assert re.search(r"there is no \w+ and \d+ more yet\. Make it first", nothing.output)
    assert "kedro run --pipelines=full --env=test" in nothing.output
    stale = kedro("lock", f"--params=data={data},{GIVEN},recipe.epochs=2", f"--file={file}")
    assert stale.exit_code == 1
    assert "recipe.epochs was 1, is 2" in stale.output
    assert not file.exists()


@pytest.mark.parametrize("changed", [True, False])
def test_a_report_that_is_older_than_its_tables_is_locked_only_if_they_are_equal(
    changed: bool, small: Run, data: Path, tmp_path: Path
) -> None:
    profile = of_run(small, data, "digits_class_profile")
    text = profile.read_text()
    first = text.splitlines()[1]
    later = profile.parents[1] / "9999-01-01T00.00.00.000Z" / profile.name
    later.parent.mkdir()
    later.write_text(text.replace(first, first.replace("0,0,", "0,zero,", 1)) if changed else text)
    write_checksum(later, content=later)
    result = kedro("lock", f"--params=data={data},{GIVEN}", f"--file={tmp_path}/lock.yml")
    shutil.rmtree(later.parent)
    assert result.exit_code == changed, result.output
    assert (tmp_path / "lock.yml").exists() is not changed
    if changed:
        assert "digits_class_profile" in result.output
        assert "kedro run --pipelines=" in result.output


@pytest.mark.parametrize(
    ("change", "named_parameter", "differing"),
    [
        (
            *("methods.ldam.label=XXX", "methods.ldam.label was LDAM, is XXX"),
            {"report.html", "appendix.tex", "appendix_intervals.tex"},
        ),
        # The page states the command.
        ("grid.seeds=[0,1]", "grid.seeds was [0], is [0, 1]", {"report.html"}),
    ],
)
def test_a_report_made_with_other_parameters_is_not_locked(
    change: str, named_parameter: str, differing: set[str], small: Run, data: Path, tmp_path: Path
) -> None:
    before = set(data.rglob("*"))
    for _ in range(2):  # nor the second time
        given = f"--params=data={data},{GIVEN},{change}"
        result = kedro("lock", given, f"--file={tmp_path}/lock.yml")
        assert result.exit_code == 1
        *named, message = result.output.partition("Error: ")[2].splitlines()
        assert differing <= {Path(path).name for path in named}
        assert {Path(path).parent.name for path in named} == {small.run_id}
        total = len(pipelines("test", **dotted(*SMALL))["report"].all_outputs())
        assert message.startswith(f"{len(named)} of {total} documents differ when made again")
        assert "kedro run --pipelines=report --env=test (with the same --params)" in message
        assert f"Of its parameters, {named_parameter}. " in message
        assert "give `kedro lock` the --params of its run, `kedro run --pipelines=full" in message
    assert not (tmp_path / "lock.yml").exists()
    assert set(data.rglob("*")) == before


def test_trials_without_results_are_left_out_and_counted(
    small: Run,
    data: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Two seeds are requested, one was run; and one trial was run by itself since."""
    given = ["grid.seeds=[0,1]", *SMALL]
    shutil.copytree(data, tmp_path / "data")
    data = tmp_path / "data"
    assert run(data, dotted(*given), stages=["report"]).error is None
    again = SMALL_TRIALS[0]
    card = of_run(small, data, f"train.{again}.card")
    later = card.parents[1] / "9999-01-01T00.00.00.000Z" / card.name
    later.parent.mkdir()
    later.write_text(
        card.read_text().replace(small.load(f"train.{again}.card")["fingerprint"], "0")
    )
    write_checksum(later, content=later)
    file = tmp_path / "lock.yml"
    caplog.clear()
    result = kedro("lock", f"--params=data={data},{','.join(reversed(given))}", f"--file={file}")
    assert result.exit_code == 0, result.output
    names = set(report_lock.read(file).datasets)
    trials = {name.removeprefix("train.").rpartition(".")[0] for name in names if ".seed" in name}
    assert trials == set(SMALL_TRIALS[1:])
    assert (
        f"{len(SMALL_TRIALS) + 1} trials failed, were not run, or were run with other"
        in caplog.text
    )
    assert "Made " not in caplog.text  # what was made to compare is gone
    assert {f"digits_{table}" for table in TABLES} <= names
