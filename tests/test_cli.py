"""The command line splits parameters correctly and shows mistakes in one message."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from kedro.framework.cli import project as kedro_project
from kedro.framework.startup import bootstrap_project
from kedro.io.core import DatasetError

from longtail.__main__ import main
from longtail.cli import _run_command, cli
from longtail.commands.options import Command, split_load_versions, split_params
from longtail.config import GridConfigLoader, run_command
from longtail.schemas.published import PUBLISHED
from tests.projects import kedro as in_project

PROJECT = Path(__file__).parents[1]
HEAVY = (
    "torch",
    "torchvision",
    "timm",
    "mlflow",
    "matplotlib",
    "sklearn",
    "scipy.stats",
    "pandera",
)


def split(text: str) -> Any:
    command = cli.commands["run"]
    return split_params(click.Context(command), command.params[0], text)


@pytest.mark.parametrize(
    "value",
    [
        *("/tmp/r 5, b", "Softmax, plain", "5", "1e5", "null", "yes", "", "2026-11-30", "a: b"),
        *("a #b", "[x]", "it's", "${x}", "/photos", "trap 1", "Käfer", 5, 0.5, None, True),
        *(["a", "b, c"], " x"),
    ],
)
def test_a_printed_command_gives_the_parameters_that_it_is_made_of(value: Any) -> None:
    given = {"grid": {"seeds": [0, 1]}, "methods": {"softmax": {"label": value}}}
    *_, params = shlex.split(run_command(["full"], None, given))
    if value == "${x}":  # quoted or not, it is a reference to another parameter
        assert params.endswith('label="${x}"')
    else:
        assert split(params.removeprefix("--params=")) == given


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("recipe.epochs=5", {"recipe": {"epochs": 5}}),
        ("a=1,b=x", {"a": 1, "b": "x"}),
        (" a=1 , b=2 ", {"a": 1, "b": 2}),
        ("a=1,,b=2,", {"a": 1, "b": 2}),
        ("rate=1.0e-3", {"rate": 0.001}),
        ("flag=true,nothing=null", {"flag": True, "nothing": None}),
        ("data=/tmp/a=b", {"data": "/tmp/a=b"}),
        ("data=/tmp/two words", {"data": "/tmp/two words"}),
        ("grid.methods=[softmax,ldam]", {"grid": {"methods": ["softmax", "ldam"]}}),
        ("grid.methods=[softmax, ldam]", {"grid": {"methods": ["softmax", "ldam"]}}),
        (
            "grid.methods=[softmax,ldam],recipe.epochs=5,grid.seeds=[0,1]",
            {"grid": {"methods": ["softmax", "ldam"], "seeds": [0, 1]}, "recipe": {"epochs": 5}},
        ),
        ("h={kind: per_class, test: 5},b=2", {"h": {"kind": "per_class", "test": 5}, "b": 2}),
        (
            "s={kind: step, milestones: [3,5]},b=2",
            {"s": {"kind": "step", "milestones": [3, 5]}, "b": 2},
        ),
        (
            "m={loss: {name: focal, gamma: 1}, label: F}",
            {"m": {"loss": {"name": "focal", "gamma": 1}, "label": "F"}},
        ),
        (
            "m={label: F, loss: {name: focal, gamma: 1}}",
            {"m": {"label": "F", "loss": {"name": "focal", "gamma": 1}}},
        ),
        ("a=[[1,2],[3,4]],b=5", {"a": [[1, 2], [3, 4]], "b": 5}),
        ('data="/a,b=c",b=2', {"data": "/a,b=c", "b": 2}),
        ("data='/a,b=c',b=2", {"data": "/a,b=c", "b": 2}),
        ("data=/a #1: b", {"data": "/a #1: b"}),
        ("data=/O'Brien,b=2", {"data": "/O'Brien", "b": 2}),
        ("m={label: 'a, b]', n: 1},b=2", {"m": {"label": "a, b]", "n": 1}, "b": 2}),
    ],
)
def test_parameters_are_split_at_commas_outside_brackets(text: str, expected: Any) -> None:
    assert split(text) == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("epochs", "'epochs'"),
        ("a=1,softmax", "'softmax'"),
        ("=3", "'=3'"),
        (" =3", "'=3'"),
        ("grid.methods=[softmax", "grid.methods"),
        ("data=/a[1,b=2", "'data=/a[1,b=2' has a bracket or quote without its other half"),
        ("grid.methods=softmax,ldam", "'--params=grid.methods=[softmax,ldam]' (a list)"),
        ("grid.seeds=0,1", "'--params=grid.seeds=[0,1]' (a list)"),
        ("data=/a,b", """'--params=data="/a,b"' (a text)"""),
        (
            "data=/x,grid.seeds=0, 1 ,,2,recipe.epochs=5",
            "'1' must be <key>=<value>. If it belongs to grid.seeds, write "
            "'--params=grid.seeds=[0, 1 ,,2]' (a list)",
        ),
        (
            "data=/x, predict.path= /a/Noctua  pronuba (Linnaeus, 1758),recipe.epochs=5",
            """'--params=predict.path="/a/Noctua  pronuba (Linnaeus, 1758)"' (a text)""",
        ),
        ("a=1,b=2,a=3", "'a' is given twice"),
        ("a={b: 1},a.b=2", "'a' includes 'a.b'"),
    ],
)
def test_what_is_no_key_and_value_is_refused(text: str, named: str) -> None:
    with pytest.raises(click.UsageError) as raised:
        split(text)
    assert named in raised.value.message


def test_a_part_of_a_path_is_no_unknown_key() -> None:
    """Such a parameter is unknown; the message says how to write it as a part of the path."""
    result = CliRunner().invoke(
        cli, ["run", "--params=datasets.cifar100.source.path=/a,b=c, d,data=/x"]
    )
    assert result.exit_code == 2
    assert "unknown key 'b'" in result.output
    assert """'--params=datasets.cifar100.source.path="/a,b=c, d"'""" in result.output


def test_parameters_that_are_split_already_pass() -> None:
    assert split_params(click.Context(cli), cli.commands["run"].params[0], {"a": 1}) == {"a": 1}


def split_versions(text: str) -> Any:
    command = cli.commands["run"]
    return split_load_versions(click.Context(command), command.params[0], text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("a_results:2026-11-23T19.59.05.123Z", {"a_results": "2026-11-23T19.59.05.123Z"}),
        (" a:1 , train.b.seed0.card:2,", {"a": "1", "train.b.seed0.card": "2"}),
    ],
)
def test_versions_are_split(text: str, expected: Any) -> None:
    assert split_versions(text) == expected


@pytest.mark.parametrize("text", ["digits_results", "digits_results:", ":2026", "a:1,digits"])
def test_what_is_no_data_set_and_version_is_refused(text: str) -> None:
    with pytest.raises(click.UsageError, match=r"'\S+' must be <data set>:<version>"):
        split_versions(text)


@pytest.fixture
def kedro(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`kedro run` in this process, with its data in a folder that must stay empty."""
    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    bootstrap_project(PROJECT)

    def run(*options: str, params: str = "") -> Result:
        data = "" if params.startswith("data=") else f"data={tmp_path}/data,"
        given = [*options, f"--params={data}{params}"]
        result = CliRunner().invoke(cli, ["run", *given])
        assert list(tmp_path.iterdir()) == []  # nothing trained, nothing tracked
        return result

    return run


MISTAKES = [
    (["--env=test"], "grid.backbones=[resnet9]", ["grid.backbones", "'resnet9'", "vit_micro"]),
    (["--env=test"], "grid.methods=[ldamm]", ["grid.methods", "'ldam'?", "balanced_softmax"]),
    (["--env=test"], "grid.datasets=[mnist]", ["grid.datasets", "'mnist'", "cifar100"]),
    (["--env=test"], "recipe.epoch=3", ["recipe", "'epoch'", "'epochs'?", "batch_size"]),
    (["--env=test"], "recipee.epochs=3", ["'recipee'", "'recipe'?"]),
    (
        ["--env=test"],
        "datasets.digits.imbalance.profile.imbalance_factor=-3",
        ["datasets.digits.imbalance.profile.imbalance_factor", "greater than or equal to 1"],
    ),
    (
        ["--env=test"],
        "backbones.convnext_micro.architecture=convnext_tiniest",
        ["backbones.convnext_micro.architecture", "'convnext_tiniest'", "convnext_tiny"],
    ),
    (["--env=moths"], "", ["datasets.moths.source.path", "--params=datasets.moths.source.path="]),
    (
        ["--env=moths"],
        "datasets.moths.source.path=/no/such/folder",
        ["datasets.moths.source.path", "/no/such/folder"],
    ),
    (["--env=tset"], "", ["--env", "'tset'", "Did you mean 'test'?", "moths"]),
    (["--env=test", "--pipeline=ful"], "", ["'ful'", "full"]),
    (["--env=test", "--pipelines=ful"], "", ["'ful'", "full"]),
    (["--env=test", "--tags=qqqq"], "", ["--tags: there is no 'qqqq'", "Valid: ", "softmax"]),
    (["--env=test", "--tags=ldm"], "", ["--tags: there is no 'ldm'. Did you mean ldam?"]),
    (
        ["--env=test", "--namespaces=train.digits.long_taild"],
        "",
        ["--namespaces: there is no 'train.digits.long_taild'. Did you mean train.digits.long_t"],
    ),
    (
        ["--env=test", "--pipelines=ingest", "--tags=ldam"],
        "",
        ["no nodes"],
    ),
    (
        ["--env=test", "--load-versions=digits_result:1"],
        "",
        ["--load-versions: there is no 'digits_result'. Did you mean digits_results"],
    ),
    *(
        (
            ["--env=test", f"--{option}=ingest.read_digit"],
            "",
            [f"--{option}: there is no 'ingest.read_digit'. Did you mean ingest.read_digits"],
        )
        for option in ("nodes", "from-nodes", "to-nodes")
    ),
    *(
        (
            ["--env=test", f"--{option}=digits_result"],
            "",
            [f"--{option}: there is no 'digits_result'. Did you mean digits_results"],
        )
        for option in ("from-inputs", "to-outputs")
    ),
    (
        ["--env=test", "--runner=nosuch.Runner"],
        "",
        ["--runner: unknown runner 'nosuch.Runner' (No module named 'nosuch'). Valid: longtail."],
    ),
    (
        ["--env=test", "--runner=longtail.runner.GridRuner"],
        "",
        ["Did you mean 'longtail.runner.GridRunner'?"],
    ),
    (
        ["--env=test", "--runner-params=max_worker=0"],
        "",
        [
            "--runner-params: unknown argument of longtail.runner.GridRunner 'max_worker'. "
            "Did you mean 'max_workers'?"
        ],
    ),
    (
        ["--env=test", "--only-missing-outputs"],
        "",
        ["--only-missing-outputs would keep outputs that were made with other parameters"],
    ),
    (["--env=test", "--async"], "", ["GridRunner does not support --async. Run without it"]),
    (
        ["--env=test", "--runner=ParallelRunner"],
        "",
        ["--runner=ParallelRunner is not supported", "compute.workers"],
    ),
    (
        ["--env=test", "--runner=ThreadRunner"],
        "",
        ["--runner=ThreadRunner is not supported", "compute.workers"],
    ),
    (["--env=test"], "softmax", ["--params", "'softmax'"]),
    (
        ["--env=test"],
        "datasets.digits.published=thesys",
        [
            "datasets.digits.published: unknown table of published results 'thesys'. "
            "Did you mean 'thesis'? Valid: cifar100_lt, cifar100_lt_record, thesis. ",
            "published_<name> in the catalog",
        ],
    ),
    (
        ["--env=test"],
        "data=/no_such_folder/data",
        ["data: there is no folder /no_such_folder", "mkdir -p /no_such_folder/data"],
    ),
    (["--env=test"], "data=/etc/passwd", ["data: /etc/passwd is a file"]),
    (
        ["--env=test"],
        "datasets.digits.imbalance.holdout={kind: official}",
        ["datasets.digits.imbalance.holdout: 'official' needs official test images"],
    ),
    (
        ["--env=test"],
        "datasets.digits.imbalance.holdout={kind: per_class, test: 170, validation: 5}",
        ["datasets.digits.imbalance.holdout: holds out 175 images of each class", "only 174"],
    ),
    (["--env=test", "--params=recipe.epochs=2"], "", ["--params is given twice"]),
    (["--env=test", "--tags=ldam", "--tags=focal"], "", ["--tags is given twice"]),
    (
        ["--env=test", "--pipelines=report"],
        "",
        ["digits_results is not in /", "yet: an earlier stage makes it. Run the stages before it"],
    ),
    (["--env=test"], "data=", ["data: give a folder", "--params=data="]),
    (["--env=test"], "data=5", ["data: ", "found 5"]),
    (["--env=test", "--load-versions=nonsense:1"], "", ["--load-versions", "nonsense"]),
    (
        ["--env=test", "--pipelines=report", "--load-versions=digit_results:1"],
        "",
        ["--load-versions", "'digit_results'", "Did you mean 'digits_results'?"],
    ),
    (
        ["--env=test", "--pipelines=report", "--load-versions=digits_results:1"],
        "",
        ["--load-versions", "unknown version of digits_results '1'"],
    ),
    (
        ["--env=test", "--load-versions=digits_results:1"],
        "",
        ["--load-versions", "this run makes 'digits_results'"],
    ),
]


@pytest.mark.parametrize(("options", "params", "wanted"), MISTAKES)
def test_a_mistake_ends_with_one_message_before_any_training(
    kedro: Any, options: list[str], params: str, wanted: list[str]
) -> None:
    result = kedro(*options, params=params)
    assert result.exit_code != 0
    assert isinstance(result.exception, SystemExit)  # no error came through
    assert "Traceback" not in result.output
    assert result.output.count("Error:") == 1
    for text in wanted:
        assert text in result.output


@pytest.mark.parametrize("stage", ["full", "ingest"])
def test_a_run_that_cannot_be_tracked_leaves_nothing(
    kedro: Any, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """It has been recorded in the data folder before MLflow is asked."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    result = kedro("--env=test", f"--pipelines={stage}")
    assert isinstance(result.exception, SystemExit)
    assert "cannot track this run" in result.output


@pytest.fixture
def mine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a published table that has an entry in the catalog; it is not there yet."""
    file = tmp_path_factory.mktemp("published") / "mine.csv"
    entry = {"type": "longtail.datasets.table.UserTableDataset", "filepath": str(file)}
    read = GridConfigLoader.__getitem__

    def with_entry(loader: GridConfigLoader, key: str) -> dict[str, Any]:
        config = read(loader, key)
        return {**config, "published_mine": entry} if key == "catalog" else config

    monkeypatch.setattr(GridConfigLoader, "__getitem__", with_entry)
    return file


@pytest.mark.parametrize(
    ("contents", "wanted"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", " is empty"),
        (b"\x89PNG\r\n", " is not a text file: it is a PNG image"),
        (b"a,b\n1,2\n", " has no column table, backbone"),
        (",".join(PUBLISHED.columns).encode(), " has no row below its header"),
    ],
)
def test_an_unusable_published_table_is_refused_before_any_training(
    kedro: Any, mine: Path, contents: bytes | None, wanted: str
) -> None:
    if contents is not None:
        mine.write_bytes(contents)
    result = kedro("--env=test", params="datasets.digits.published=mine")
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    message = result.output.partition("Error: ")[2]
    assert len(message.splitlines()) == 1
    assert message.startswith(f"datasets.digits.published: {mine}")
    assert wanted in message


def test_tables_of_the_catalog_are_among_the_valid_ones(
    kedro: Any,
    mine: Path,  # noqa: ARG001
) -> None:
    result = kedro("--env=test", params="datasets.digits.published=min")
    assert (
        "Did you mean 'mine'? Valid: cifar100_lt, cifar100_lt_record, mine, thesis."
        in result.output
    )


@pytest.mark.parametrize("option", ["--pipeline", "--pipelines"])
def test_both_spellings_run_a_pipeline(kedro: Any, option: str) -> None:
    """Both reach the pipeline `full`, which then finds a mistake."""
    result = kedro("--env=moths", f"{option}=full")
    assert "datasets.moths.source.path is not set" in result.output


def test_both_spellings_at_once_are_refused(kedro: Any) -> None:
    result = kedro("--env=test", "--pipeline=full", "--pipelines=train")
    assert result.exit_code != 0
    assert "--pipelines" in result.output


def test_our_pipeline_option_does_not_need_kedro_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kedro has announced that it removes `--pipeline`, from its options and its arguments."""
    received: list[dict[str, Any]] = []

    def run_without_it(pipelines: list[str], env: str | None, **others: Any) -> None:
        assert "pipeline" not in others
        received.append({"pipelines": pipelines, "env": env})

    of_kedro = kedro_project.run
    without = click.Command(
        "run",
        callback=run_without_it,
        params=[param for param in of_kedro.params if param.name != "pipeline"],
    )
    monkeypatch.setattr(kedro_project, "run", without)
    monkeypatch.chdir(PROJECT)
    bootstrap_project(PROJECT)
    for option in ("--pipeline=full", "--pipelines=full", "-pfull"):
        result = CliRunner().invoke(_run_command(), [option, "--env=test"])
        assert result.exit_code == 0, result.output
    assert received == [{"pipelines": ["full"], "env": "test"}] * 3


# --- as a command of the shell -----------------------------------------------------------------


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env=os.environ | {"DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_listing_the_pipelines_imports_nothing_heavy() -> None:
    program = f"""
import sys
from kedro.framework.cli.cli import main
sys.argv = ["kedro", "registry", "list"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("heavy:", sorted(set({HEAVY}) & set(sys.modules)))
"""
    listed = command("-c", program)
    assert listed.returncode == 0, listed.stderr
    lines = listed.stdout.splitlines()
    names = {line.removeprefix("- ").strip() for line in lines}
    assert {"ingest", "imbalance", "train", "report", "full", "__default__"} <= names
    assert lines[-1] == "heavy: []"


def test_a_mistake_in_the_shell_is_a_line_on_stderr() -> None:
    ended = command("-m", "kedro", "run", "--env=test", "--params=grid.methods=[softmax,ldamm]")
    assert ended.returncode == 1
    assert ended.stderr.strip().startswith("Error: grid.methods: unknown method 'ldamm'.")
    assert len(ended.stderr.strip().splitlines()) == 1
    assert ended.stdout.strip() == ""


def test_an_environment_is_one_of_the_given_configuration(tmp_path: Path) -> None:
    configuration = shutil.copytree(PROJECT / "conf", tmp_path / "conf")
    (configuration / "theirs").mkdir()
    source = f"--conf-source={configuration}"
    params = f"--params=data={tmp_path / 'data'},grid.methods=[softmax]"
    found = in_project(PROJECT, "plan", source, "--env=theirs", "--pipelines=ingest", params)
    assert found.exit_code == 0, found.output
    refused = in_project(PROJECT, "plan", source, "--env=thiers", params)
    assert "unknown environment 'thiers'. Did you mean 'theirs'?" in refused.output


@pytest.fixture
def file_of_options(tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    return tmp_path / "options.yml"


def test_a_file_of_options_is_read_by_run_and_plan(file_of_options: Path, tmp_path: Path) -> None:
    """Kedro would look for a section `plan`."""
    file_of_options.write_text(
        "run:\n  env: test\n  pipelines: [ingest, imbalance]\n"
        f"  params: {{data: {tmp_path}/data}}\n"
    )
    for command, end in (("plan", f"kedro run --config={file_of_options}"), ("run", "report")):
        result = in_project(PROJECT, command, f"--config={file_of_options}")
        assert result.exit_code == 0, result.output
        assert "Not made by this run: train and report" in " ".join(result.output.split())
        assert end in result.output


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("run: {env: [test\n", "{file}, line 2, column 1: expected ',' or ']', but got"),
        ("- run\n", "{file}: must contain a section run with options of `run`, such as run: {{"),
        ("run: [test]\n", "{file}: must contain a section run"),
        ("plan: {env: test}\n", "{file}: must contain a section run"),
        ("run: {pipelin: train}\n", "{file}: unknown option 'pipelin'. Did you mean 'pipeline"),
        ("run: {env: test, params: [a]}\n", "--params: 'a' must be <key>=<value>"),
    ],
)
def test_a_file_without_options_is_refused(
    file_of_options: Path, command: str, text: str, wanted: str
) -> None:
    file_of_options.write_text(text)
    result = in_project(PROJECT, command, f"--config={file_of_options}")
    assert result.exit_code == 2
    [line] = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert wanted.format(file=file_of_options) in line


def test_commands_of_kedro_name_valid_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEDRO_ENV", "tset")
    ended = command("-m", "kedro", "registry", "list")
    assert ended.returncode == 1
    [line] = ended.stderr.strip().splitlines()
    assert line.startswith("Error: --env: unknown environment 'tset'. Did you mean 'test'? Valid")


def test_a_scheduler_can_call_the_package(
    tmp_path: Path,
    mlflow_uri: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Options alone are those of `run`, as in all packages of Kedro projects."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    for name in ("KEDRO_LOGGING_CONFIG", "KEDRO_DISABLE_TELEMETRY"):  # as main sets them
        monkeypatch.setenv(name, os.environ.get(name, str(PROJECT / "conf/logging.yml")))
    given = ["--env=test", "--pipelines=ingest", f"--params=data={tmp_path}"]
    with contextlib.chdir(PROJECT):
        main(["plan", *given])
        with pytest.raises(click.ClickException, match="unknown environment 'tset'"):
            main(["--env=tset"])
        assert not list(tmp_path.iterdir())
        main(given)
    assert "digits: 1,797 images of 10 classes, 32 x 32 pixels" in caplog.messages


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize("base", ["base", "conf/bsae"])
def test_an_archive_of_another_layout_is_refused(command: str, base: str, tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "conf/base", tmp_path / "made" / base)
    archive = shutil.make_archive(str(tmp_path / "conf"), "gztar", tmp_path / "made")
    result = in_project(PROJECT, command, f"--conf-source={archive}")
    assert result.exit_code == 1
    [line] = result.output.strip().splitlines()
    assert line.startswith("Error: Given configuration path either does not exist or is not a")
    assert line.endswith("in an archive, all of them are in one folder")


def test_the_project_s_runner_is_the_default() -> None:
    shown = {param.name: param.default for param in cli.commands["run"].params}
    assert shown["runner"] == "longtail.runner.GridRunner"


def test_an_error_of_a_dataset_is_shown_as_it_is() -> None:
    other = DatasetError("digits_index: Failed while loading.\n[Errno 13] Permission denied")

    def fail() -> None:
        raise other

    result = CliRunner().invoke(Command("fail", callback=fail), [])
    assert (result.exit_code, result.output) == (1, f"Error: {other}\n")


def test_a_slice_ends_with_the_command_for_what_follows(
    mlflow_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    bootstrap_project(PROJECT)
    given = f"--params=data={tmp_path}/data,recipe.epochs=2"
    result = CliRunner().invoke(cli, ["run", "--env=test", "--pipelines=ingest", given])
    assert result.exit_code == 0, result.output
    assert caplog.messages[-1] == (
        "Not made by this run: imbalance, train, and report. To bring them up to date: "
        f"kedro run --pipelines=imbalance,train,report --env=test {given}"
    )
    result = CliRunner().invoke(cli, ["run", "--env=test", "--pipelines=ingest", given])
    assert result.exit_code == 0, result.output
    assert caplog.messages[-1] == (
        "Not made by this run: imbalance, train, and report. Nothing that they read has changed in "
        "this run. To make them again: "
        f"kedro run --pipelines=imbalance,train,report --env=test {given}"
    )
