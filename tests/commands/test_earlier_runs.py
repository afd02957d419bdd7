"""Commands on what earlier runs have made, in a project whose files change after the runs."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from longtail.storage.files import sha256_of_file
from tests.projects import PROJECT, copy_project, kedro

ONE_TRIAL = "grid.methods=[softmax],grid.backbones=[convnext_micro],grid.train_sets=[long_tailed]"
TRIAL = "digits.long_tailed.convnext_micro.softmax.seed0"
FOLDER = "data/test/08_reporting/digits"


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path) -> Iterator[Path]:
    """A project with a run of one epoch, and one of three."""
    folder = copy_project(tmp_path_factory.mktemp("runs") / "project")
    (folder / "mlflow.db").write_bytes(empty_mlflow.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("DO_NOT_TRACK", "1")
        patch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
        for epochs in (1, 3):
            params = f"--params={ONE_TRIAL},recipe.warmup_epochs=0,recipe.epochs={epochs}"
            result = kedro(folder, "run", "--env=test", params)
            assert result.exit_code == 0, result.output
        yield folder


def versions(project: Path, file: str) -> list[str]:
    return sorted(version.name for version in (project / FOLDER / file).iterdir())


def content(project: Path, file: str, version: str) -> bytes:
    return (project / FOLDER / file / version / file).read_bytes()


def test_the_report_of_a_run_is_made_again_from_its_name(two_runs: Path) -> None:
    first, second = versions(two_runs, "results.csv")
    result = kedro(two_runs, "report", "--of", first)
    assert result.exit_code == 0, result.output
    *_, newest = versions(two_runs, "results.csv")
    assert newest not in (first, second)
    assert content(two_runs, "results.csv", newest) == content(two_runs, "results.csv", first)
    assert content(two_runs, "results.csv", newest) != content(two_runs, "results.csv", second)


def test_results_of_other_parameters_are_refused(two_runs: Path) -> None:
    first = versions(two_runs, "results.csv")[0]
    result = kedro(two_runs, "report", "--of", first, "--params=recipe.epochs=2")
    assert result.exit_code == 1
    assert "the stored results of 1 trial were made with other parameters" in result.output
    assert "recipe.epochs" in result.output


def edit(project: Path, text: str) -> Path:
    """Add parameters to the environment, which a run that was made before did not have."""
    file = project / "conf/test/parameters/edited.yml"
    file.write_text(text)
    return file


@pytest.fixture
def edited_labels(two_runs: Path) -> Iterator[Path]:
    file = edit(
        two_runs,
        "methods: {softmax: {label: Other}, ldam: {label: Unused}}\n"
        "datasets: {digits: {label: Numbers}}\n"
        "compute: {workers: 3}\n",
    )
    yield two_runs
    file.unlink()


def test_a_report_of_other_labels_is_refused(edited_labels: Path) -> None:
    """Parameters that the run's grid does not use, and those of the machine, do not matter."""
    first = versions(edited_labels, "results.csv")[0]
    before = versions(edited_labels, "report.html")
    result = kedro(edited_labels, "report", "--of", first)
    assert result.exit_code == 1
    told = " ".join(result.output.split())
    assert (
        f"the run {first} had other parameters than the current ones: "
        "datasets.digits.label was Digits, is Numbers; methods.softmax.label was Softmax, is Other."
    ) in told
    assert "No report was made" in told
    assert versions(edited_labels, "report.html") == before


def test_what_is_given_may_differ_from_the_run(edited_labels: Path) -> None:
    first = versions(edited_labels, "results.csv")[0]
    params = "--params=datasets.digits.label=Digits,methods.softmax.label=New"
    result = kedro(edited_labels, "report", "--of", first, params)
    assert result.exit_code == 0, result.output
    newest = versions(edited_labels, "report.html")[-1]
    page = content(edited_labels, "report.html", newest).decode()
    assert "Numbers" not in page
    assert "New" in page


@pytest.mark.parametrize("run", ["2001-01-01T00.00.00.000Z", "it's"])
def test_unknown_runs_are_refused_with_those_that_there_are(two_runs: Path, run: str) -> None:
    newest = versions(two_runs, "results.csv")[-1]
    for command in (("report", "--env=test", "--of", run), ("compare", "--env=test", run)):
        result = kedro(two_runs, *command)
        assert result.exit_code == 1
        assert run in result.output
        assert newest[:10] in result.output
        assert "add its --env or --params=data=<folder>" in " ".join(result.output.split())


def test_a_run_without_results_has_no_report(two_runs: Path) -> None:
    """It is refused before anything is made of the results of earlier runs."""
    params = f"--params={ONE_TRIAL},datasets.digits.imbalance.profile.imbalance_factor=2"
    assert kedro(two_runs, "run", "--env=test", "--pipelines=imbalance", params).exit_code == 0
    cut = two_runs / "data/test/03_primary/digits/class_profile.csv"
    cut_only = max(version.name for version in cut.iterdir())
    before = versions(two_runs, "results.csv")
    assert cut_only > before[-1]
    result = kedro(two_runs, "report", "--of", cut_only)
    assert result.exit_code == 1
    told = " ".join(result.output.split())
    assert f"the run {cut_only} has made no results, so there is no report of it. Runs with" in told
    assert before[-1] in told
    assert "is made again" not in told
    assert versions(two_runs, "results.csv") == before


def test_two_runs_are_compared(two_runs: Path) -> None:
    folder = two_runs / "data/test/07_model_output/digits/results.csv"
    before, after = sorted(version.name for version in folder.iterdir())
    result = kedro(two_runs, "compare", "--env=test")
    assert result.exit_code == 0, result.output
    [version] = versions(two_runs, "run_comparison.html")
    page = content(two_runs, "run_comparison.html", version).decode()
    assert f"Before: {before}. After: {after}." in page
    assert "digits: Of 1 trial that both runs have, " in " ".join(result.output.split())
    assert "<td><code>recipe.epochs</code></td><td>1</td><td>3</td>" in page
    assert "All numbers of images and classes are equal." in page
    tables = [pd.read_csv(folder / name / "results.csv") for name in (before, after)]
    for name in ("balanced", "balanced_tail"):
        old, new = (table.set_index("test_set").loc[name] for table in tables)
        cells = f"<td>{new['images']}</td><td>{100 * old['acc1']:.1f}</td>"
        cells += f"<td>{100 * new['acc1']:.1f}</td>"
        assert f"<td>{TRIAL}</td>{cells}" in page
    answers = pd.read_csv(
        two_runs / FOLDER / "changed_answers.csv" / version / "changed_answers.csv"
    )
    old, new = (table.set_index("test_set").loc["balanced"] for table in tables)
    net = (answers["right"] == "after").sum() - (answers["right"] == "before").sum()
    assert net == round((new["acc1"] - old["acc1"]) * new["images"])
    assert f"Right now, wrong before: {(answers['right'] == 'after').sum()} image" in page


def test_other_parameters_of_the_split_are_named(two_runs: Path) -> None:
    before = versions(two_runs, "results.csv")[0]
    key = "datasets.digits.imbalance.profile.imbalance_factor"
    params = f"--params={ONE_TRIAL},recipe.warmup_epochs=0,recipe.epochs=3,{key}=2"
    assert kedro(two_runs, "run", "--env=test", params).exit_code == 0
    after = versions(two_runs, "results.csv")[-1]
    result = kedro(two_runs, "compare", "--env=test", before, after)
    assert result.exit_code == 0, result.output
    assert f"digits: {after} is compared with {before}" in " ".join(result.output.split())
    page = content(two_runs, "run_comparison.html", versions(two_runs, "run_comparison.html")[-1])
    assert f"<tr><td><code>{key}</code></td><td>20.0</td><td>2.0</td>" in page.decode()
    assert "same parameters" not in page.decode()


def test_a_table_of_published_results_belongs_to_the_run_and_its_lock(two_runs: Path) -> None:
    """A changed one is named."""
    table, file = two_runs / "mine.csv", two_runs / "published_lock.yml"
    shutil.copy(PROJECT / "src/longtail/reference/cifar100_lt.csv", table)
    entry = {"published_mine": {"type": "pandas.CSVDataset", "filepath": str(table)}}
    (two_runs / "conf/test/catalog_mine.yml").write_text(yaml.safe_dump(entry))
    options = (
        "--env=test",
        f"--params={ONE_TRIAL},recipe.warmup_epochs=0,recipe.epochs=3,datasets.digits.published=mine",
    )
    assert kedro(two_runs, "run", *options).exit_code == 0
    run = versions(two_runs, "report.html")[-1]
    result = kedro(two_runs, "lock", *options, f"--file={file}")
    assert result.exit_code == 0, result.output
    locked = yaml.safe_load(file.read_text())
    assert locked["tables"] == {"published_mine": sha256_of_file(table)}

    rows = table.read_text().splitlines(keepends=True)
    table.write_text("".join(rows[:-1]))
    result = kedro(two_runs, "regenerate", "--env=test", f"--file={file}")
    assert result.exit_code == 1
    assert result.output.splitlines()[-2].endswith("mine.csv is not as it was locked")
    result = kedro(two_runs, "report", "--of", run)
    assert result.exit_code == 1
    assert (
        f"mine.csv (datasets.digits.published) has changed since the run {run}. Take the changes "
        "back, or compare with the table as it is: --params=datasets.digits.published=mine. No "
        "report was made"
    ) in " ".join(result.output.split())
    assert versions(two_runs, "report.html")[-1] == run
    accepted = ("--of", run, "--params=datasets.digits.published=mine")
    assert kedro(two_runs, "report", *accepted).exit_code == 0
    table.write_text("".join(rows))
    assert kedro(two_runs, "report", "--of", run).exit_code == 0
    table.write_text("".join(rows).replace("resnet32", "other_net"))  # the report names it
    result = kedro(two_runs, "lock", *options, f"--file={two_runs}/other_lock.yml")
    assert result.exit_code == 1
    assert "Since then published_mine has changed. To lock it as" in " ".join(result.output.split())
    table.write_text("".join(rows))
    result = kedro(two_runs, "regenerate", "--env=test", f"--file={file}")
    assert result.exit_code == 0, result.output

    shipped = [option.replace("published=mine", "published=cifar100_lt") for option in options]
    assert kedro(two_runs, "run", "--pipelines=report", *shipped).exit_code == 0
    assert kedro(two_runs, "lock", *shipped, f"--file={file}").exit_code == 0
    tables = yaml.safe_load(file.read_text())["tables"]
    assert tables == {"published_cifar100_lt": sha256_of_file(table)}  # mine is a copy of it


def test_a_report_of_another_grid_is_refused(two_runs: Path) -> None:
    """A grid in a file, which the command of the run does not have."""
    grid = two_runs / "conf/test/parameters/grid.yml"
    text = grid.read_text()
    given = "--params=recipe.epochs=1,recipe.warmup_epochs=0,grid.backbones=[convnext_micro]"
    try:
        values = yaml.safe_load(text)
        values["grid"] |= {"train_sets": ["long_tailed"], "methods": ["softmax", "focal"]}
        grid.write_text(yaml.safe_dump(values))
        assert kedro(two_runs, "run", "--env=test", given).exit_code == 0
        run = versions(two_runs, "results.csv")[-1]
        values["grid"]["methods"] = ["softmax"]
        grid.write_text(yaml.safe_dump(values))
        result = kedro(two_runs, "report", "--of", run)
        assert result.exit_code == 1
        assert 'grid.methods was ["softmax", "focal"], is ["softmax"].' in " ".join(
            result.output.split()
        )
        old_grid = "--params=grid.methods=[softmax,focal]"
        assert kedro(two_runs, "report", "--of", run, old_grid).exit_code == 0
        newest = versions(two_runs, "results.csv")[-1]
        assert content(two_runs, "results.csv", newest) == content(two_runs, "results.csv", run)
        # A run of older code has no record.
        for file in two_runs.rglob("parameters.json"):
            if "focal" in json.loads(file.read_text())["grid"]["methods"]:
                file.unlink()
        result = kedro(two_runs, "report", "--of", run)
        assert result.exit_code == 1
        told = " ".join(result.output.split())
        assert f"MLflow has no record of the parameters of {run}." in told
        assert "which lacks 1 trial of it: digits.long_tailed.convnext_micro.focal.seed0." in told
        assert versions(two_runs, "results.csv")[-1] == newest
    finally:
        grid.write_text(text)


def test_a_comparison_needs_two_runs(project: Path) -> None:
    result = kedro(project, "compare", "--env=test")
    assert result.exit_code == 1
    assert "digits has results of 0 runs: a comparison needs two" in result.output


def test_a_run_of_another_configuration_can_be_repeated(
    two_runs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Hints and MLflow's command have its `--conf-source`; the report has no such path."""
    source = shutil.copytree(two_runs / "conf", two_runs / "theirs")
    (source / "test/parameters/theirs.yml").write_text(
        "methods: {softmax: {label: Theirs}}\npredict: {error_rate: 0.07}\n"
    )
    params = f"--params={ONE_TRIAL},recipe.warmup_epochs=0,recipe.epochs=2"
    given = ("--env=test", params, f"--conf-source={source}")
    stages = "ingest,imbalance,train"
    result = kedro(two_runs, "run", f"--pipelines={stages}", *given)
    assert result.exit_code == 0, result.output
    hint = caplog.messages[-1].removeprefix(
        "Not made by this run: report. To bring it up to date: "
    )
    assert shlex.split(hint)[1:3] == ["run", "--pipelines=report"]
    assert shlex.split(hint)[-1] == f"--conf-source={source}"
    result = kedro(two_runs, *shlex.split(hint)[1:])
    assert result.exit_code == 0, result.output
    run = versions(two_runs, "report.html")[-1]
    record = MlflowClient(f"sqlite:///{two_runs}/mlflow.db").search_runs(
        ["1"], f"tags.version = '{run}'"
    )[0]
    assert record.data.tags["command"] == hint
    assert record.data.tags["mlflow.note.content"].startswith(f"`{hint}`")
    page = content(two_runs, "report.html", run).decode()
    assert "Theirs" in page
    assert str(source) not in page

    result = kedro(two_runs, "report", "--of", run)
    assert result.exit_code == 0, result.output
    again = f"Made {FOLDER}/report.html/{run}/report.html (unchanged)"
    assert again in caplog.messages

    lock = ("lock", "--env=test", params)
    result = kedro(two_runs, *lock)
    assert result.exit_code == 1
    assert "methods.softmax.label was Theirs, is Softmax" in " ".join(result.output.split())
    for command in (lock, ("regenerate", "--env=test")):
        result = kedro(two_runs, *command, f"--conf-source={source}")
        assert result.exit_code == 0, result.output
    assert [path.relative_to(two_runs) for path in two_runs.rglob("lock.yml")] == [
        Path("theirs/test/lock.yml")
    ]
    rate = ("parameters", "--env=test", "predict.error_rate", f"--conf-source={source}")
    assert "default 0.07" in kedro(two_runs, *rate).output
    prune = ("prune", "--env=test", "--keep=1", "--dry-run", f"--conf-source={source}")
    assert "theirs/test/lock.yml" in kedro(two_runs, *prune).output

    shutil.rmtree(source)
    own = ("report", "--of", run, f"--conf-source={two_runs / 'conf'}")
    result = kedro(two_runs, *own)
    assert "methods.softmax.label was Theirs, is Softmax" in " ".join(result.output.split())
    result = kedro(two_runs, "report", "--of", run)
    assert result.exit_code == 1
    told = " ".join(result.output.split())
    assert f"the run {run} was started with `kedro run " in told
    assert f"Path '{source}' does not exist. Bring it back to make this report again" in told
