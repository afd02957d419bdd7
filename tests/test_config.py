"""Every environment's configuration fits the pipelines, and ``--params`` change the grid."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.project import settings
from kedro.io import MemoryDataset
from kedro.io.core import AbstractVersionedDataset

from longtail.catalog import LongtailCatalog
from longtail.config import GridConfigLoader
from longtail.errors import ConfigurationError
from longtail.parameters import Trial
from longtail.pipeline_registry import register_pipelines
from tests.pipelines.support import PROJECT, TRIALS, dotted, loader, pipelines

ENVIRONMENTS = sorted(
    path.parent.name for path in (PROJECT / "conf").glob("*/parameters") if path.is_dir()
)
UNVERSIONED = {"confirmed", "decoded", "downloads", "earlier_splits", "trial_store"}
VERSION = "2000-01-01T00.00.00.000Z"
IN_EVERY_ENVIRONMENT = pytest.mark.parametrize("env", ENVIRONMENTS)


def catalog_of(env: str) -> LongtailCatalog:
    catalog = LongtailCatalog.from_config(loader(env)["catalog"], save_version=VERSION)
    assert isinstance(catalog, LongtailCatalog)
    return catalog


def names_of_data(env: str) -> list[str]:
    return sorted(n for n in pipelines(env)["full"].datasets() if not n.startswith("params:"))


def leaves(tree: dict[str, Any], *names: str, path: str = "") -> Iterator[str]:
    """The dotted paths of the keys called one of ``names``."""
    for key, below in tree.items():
        if key in names:
            yield f"{path}{key}"
        elif isinstance(below, dict):
            yield from leaves(below, *names, path=f"{path}{key}.")


def test_the_environments_are_all_here() -> None:
    assert {"base", "thesis", "moths", "test"} <= set(ENVIRONMENTS)


@IN_EVERY_ENVIRONMENT
def test_everything_between_nodes_is_in_the_catalog(env: str) -> None:
    catalog = catalog_of(env)
    names = names_of_data(env)
    assert len(names) > 50
    assert [name for name in names if name not in catalog] == []
    assert [name for name in names if isinstance(catalog[name], MemoryDataset)] == []


def is_published(name: str) -> bool:
    return name.startswith("published_")


@IN_EVERY_ENVIRONMENT
def test_everything_made_is_versioned(env: str) -> None:
    catalog = catalog_of(env)
    unversioned = set()
    for name in names_of_data(env):
        dataset = catalog[name]
        if not isinstance(dataset, AbstractVersionedDataset) or dataset._version is None:
            unversioned.add(name)
        else:
            assert dataset._version.save == VERSION
    assert {name for name in unversioned if not is_published(name)} == UNVERSIONED


@IN_EVERY_ENVIRONMENT
def test_no_two_data_sets_share_a_file(env: str) -> None:
    catalog = catalog_of(env)
    paths: dict[str, str] = {}
    for name in names_of_data(env):
        path = str(vars(catalog[name])["_filepath"])
        assert paths.setdefault(path, name) == name


@IN_EVERY_ENVIRONMENT
def test_one_parameter_moves_all_files(env: str, tmp_path: Path) -> None:
    catalog = LongtailCatalog.from_config(loader(env, data=str(tmp_path))["catalog"])
    for name in names_of_data(env):
        place = Path(str(vars(catalog[name])["_filepath"]))
        # What is published comes with the package.
        assert is_published(name) or place.is_relative_to(tmp_path), name


@IN_EVERY_ENVIRONMENT
def test_nodes_ask_for_parameters_that_exist(env: str) -> None:
    parameters = loader(env)["parameters"]
    asked = [n for n in pipelines(env)["full"].inputs() if n.startswith("params:")]
    assert asked
    for name in asked:
        value = parameters
        for part in name.removeprefix("params:").split("."):
            assert part in value, name
            value = value[part]


@IN_EVERY_ENVIRONMENT
def test_every_trial_and_table_is_used(env: str) -> None:
    parameters = loader(env)["parameters"]
    grid = parameters["grid"]
    stated = {f"train.{name}" for name in leaves(parameters["train"], "trial")}
    stated |= {
        f"report.{name}" for name in leaves(parameters["report"], "table", "contents", "trials")
    }
    stated.add("report.command")
    asked = {n.removeprefix("params:") for n in pipelines(env)["full"].inputs()}
    assert stated <= asked
    assert {n for n in asked if n.startswith(("train.", "report."))} == stated
    cells = [
        len(grid[axis]) for axis in ("datasets", "train_sets", "backbones", "methods", "seeds")
    ]
    product = cells[0] * cells[1] * cells[2] * cells[3] * cells[4]
    assert sum(name.endswith(".trial") for name in stated) == product


@IN_EVERY_ENVIRONMENT
def test_the_registry_has_the_stages(env: str) -> None:
    registered = pipelines(env)
    stages = {"ingest", "imbalance", "train", "report", "predict", "export"}
    assert set(registered) == {*stages, "full", "__default__"}
    assert all(pipeline.nodes for pipeline in registered.values())


def test_the_command_has_the_given_parameters_except_those_of_predict() -> None:
    given = dotted(
        "predict.path=/night 1", "predict.error_rate=0.1", "recipe.epochs=3", "data=/the folder"
    )
    command = loader("moths", **given).command()
    assert command == (
        "kedro run --pipelines=full --env=moths '--params=data=/the folder,recipe.epochs=3'"
    )
    assert loader("moths", **dotted("predict.path=/x")).command() == (
        "kedro run --pipelines=full --env=moths"
    )


def test_the_thesis_is_two_train_sets_four_backbones_seven_losses() -> None:
    parameters, trials = loader("thesis").parameters()
    assert len(trials) == 2 * 4 * 7
    assert parameters.grid.datasets == ("cifar100",)
    assert {trial.recipe.image_size for trial in trials} == {224}
    names = [n.name for n in pipelines("thesis")["train"].nodes if ".fetch_" in n.name]
    assert len(names) == 4


def test_the_test_environment_is_the_grid_that_the_tests_know() -> None:
    _, trials = loader("test").parameters()
    assert tuple(trial.name for trial in trials) == TRIALS


# --- `--params` --------------------------------------------------------------------------------


def trials_with(*items: str) -> dict[str, Any]:
    _, trials = loader("test", **dotted(*items)).parameters()
    return {trial.name: trial for trial in trials}


def test_two_losses_only() -> None:
    given = "grid.methods=[softmax,ldam]"
    trials = trials_with(given)
    assert set(trials) == {t for t in TRIALS if ".softmax." in t or ".ldam." in t}
    train = pipelines("test", **dotted(given))["train"]
    fits = [n.name for n in train.nodes if n.name.endswith(".fit")]
    assert sorted(fits) == sorted(f"train.{name}.fit" for name in trials)


@pytest.mark.parametrize(
    ("method", "loss", "wanted"),
    [
        ("focal", "softmax", {"name": "softmax"}),
        ("ldam", "class_balanced", {"name": "class_balanced", "beta": 0.9}),
        ("softmax", "focal", {"name": "focal", "gamma": 2.0}),
        ("class_balanced", "focal", {"name": "focal", "gamma": 2.0}),
    ],
)
def test_another_loss_leaves_the_keys_of_the_one_before(
    method: str, loss: str, wanted: dict[str, Any]
) -> None:
    config = loader("base", **dotted(f"methods.{method}.loss.name={loss}"))
    assert config["parameters"]["methods"][method]["loss"] == wanted


def test_a_key_of_another_loss_is_refused_on_the_command_line() -> None:
    given = dotted("methods.focal.loss.name=ldam", "methods.focal.loss.gamma=3")
    with pytest.raises(
        ConfigurationError, match=r"^methods\.focal\.loss: unknown key 'gamma' with name: \w+\."
    ):
        loader("base", **given).parameters()


def test_two_seeds_double_the_trials() -> None:
    assert set(trials_with("grid.seeds=[0,7]")) == {
        *TRIALS,
        *(t.replace("seed0", "seed7") for t in TRIALS),
    }


def test_five_epochs_for_all() -> None:
    assert {trial.recipe.epochs for trial in trials_with("recipe.epochs=5").values()} == {5}


def test_the_command_line_s_recipe_goes_over_a_backbone_s_own() -> None:
    rates = {t.recipe.learning_rate for t in trials_with("recipe.learning_rate=0.5").values()}
    assert rates == {0.5}


def test_one_trial_s_learning_rate() -> None:
    one = "digits.long_tailed.convnext_micro.ldam.seed0"
    plain = trials_with()
    changed = trials_with(f"train.{one}.trial.recipe.learning_rate=0.125")
    assert {name for name in plain if changed[name] != plain[name]} == {one}
    expected = plain[one].recipe.model_copy(update={"learning_rate": 0.125})
    assert changed[one] == plain[one].model_copy(update={"recipe": expected})


def test_one_trial_s_recipe_goes_over_the_command_line_s_common_one() -> None:
    one = TRIALS[0]
    trials = trials_with("recipe.epochs=5", f"train.{one}.trial.recipe.epochs=9")
    assert trials[one].recipe.epochs == 9
    assert {t.recipe.epochs for name, t in trials.items() if name != one} == {5}


def test_a_trial_s_parameter_is_what_its_node_gets() -> None:
    one = TRIALS[0]
    path = f"train.{one}.trial"
    value = loader("test", **dotted(f"{path}.recipe.epochs=9"))["parameters"]
    for part in path.split("."):
        value = value[part]
    assert isinstance(value, Trial)
    assert value.recipe.epochs == 9
    assert value.backbone.name == "mobilenetv2_micro"


def test_a_loader_has_its_own_parameters() -> None:
    first, second = loader("test", **dotted("grid.methods=[ldam]")), loader("test")
    assert first.parameters()[0].grid.methods == ("ldam",)
    assert len(second.parameters()[0].grid.methods) == 3


def test_a_loader_reads_its_own_globals() -> None:
    """OmegaConf has one resolver of each name per process."""
    test, base = loader("test"), loader("base")
    paths = [config["catalog"]["downloads"]["filepath"] for config in (test, base)]
    assert paths == ["data/test/01_raw/downloads", "data/01_raw/downloads"]


def test_outside_a_session_the_default_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    loader("test")
    monkeypatch.chdir(PROJECT / "src")
    train = register_pipelines()["train"]
    assert sum(node.name.endswith(".fit") for node in train.nodes) == 2 * 4 * 7
    monkeypatch.setenv("KEDRO_ENV", "test")
    train = register_pipelines()["train"]
    assert sum(node.name.endswith(".fit") for node in train.nodes) == len(TRIALS)


@pytest.mark.parametrize(
    ("item", "wanted"),
    [
        ("grid.backbones=[resnet9]", ["grid.backbones", "'resnet9'", "vit_micro"]),
        ("grid.methods=[ldamm]", ["grid.methods", "Did you mean 'ldam'?", "balanced_softmax"]),
        ("grid.datasets=[mnist]", ["grid.datasets", "'mnist'", "digits, cifar100, moths"]),
        ("grid.methods=[]", ["grid.methods: give at least one, found none"]),
        ("grid.seeds=[1,1]", ["grid.seeds: names a value twice"]),
        ("recipe.epoch=3", ["recipe", "'epoch'", "Did you mean 'epochs'?", "batch_size"]),
        ("recipe.epochs=0", ["recipe.epochs", "greater than or equal to 1"]),
        ("recipe.optimizer=lion", ["recipe.optimizer", "adamw", "sgd"]),
        (
            "datasets.digits.imbalance.profile.imbalance_factor=-3",
            ["datasets.digits.imbalance.profile.imbalance_factor", "-3"],
        ),
        ("train.digits.long_tailed.vit_mikro.ldam.seed0.trial.seed=1", ["vit_mikro", "vit_micro"]),
        (f"train.{TRIALS[0]}.trial.recipe.epochs=many", [f"train.{TRIALS[0]}.trial", "'many'"]),
        (f"train.{TRIALS[0]}.trial.seed=3", ["seed", "grid"]),
    ],
)
def test_a_mistake_names_the_key_and_what_is_valid(item: str, wanted: list[str]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        loader("test", **dotted(item)).parameters()
    for text in wanted:
        assert text in str(raised.value)


# --- the files and the data folder -------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("recipe: [3", ["wrong.yml, line 1, column 11: expected ',' or ']'"]),
        (
            "recipe:\n\tepochs: 3\n",
            ["line 2, column 1: found character", "Indent with spaces, not with tabs"],
        ),
        ('data:\n  a: "C:\\Users"\n', ["line 2, column 11: expected escape", "write paths with /"]),
        ("recipe: {epochs: ${nothing}}", ["wrong.yml, line 1", "Put ${...} between quotes"]),
        ("label: Moths: mine", ["line 1, column 13: mapping", "a colon between quotes"]),
        (
            "recipe: {epochs: 1}\nrecipe: {epochs: 2}\n",
            ["wrong.yml, line 2, column 1: found duplicate key recipe"],
        ),
        ("recipe: {}".encode("utf-16"), ["is not UTF-8 text. Save it as UTF-8 (in", "wrong.yml)"]),
        ("recipe: {epochs: '${nothing}'}", ["recipe.epochs: the key 'nothing' not found"]),
    ],
)
def test_a_broken_file_names_the_environment_and_what_is_wrong(
    text: str | bytes, wanted: list[str], tmp_path: Path
) -> None:
    shutil.copytree(PROJECT / "conf/base", tmp_path / "base")
    (tmp_path / "mine/parameters").mkdir(parents=True)
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "mine/parameters/wrong.yml").write_bytes(content)
    broken = GridConfigLoader(str(tmp_path), env="mine", **settings.CONFIG_LOADER_ARGS)
    with pytest.raises(ConfigurationError) as raised:
        broken.parameters()
    for part in ["the parameters of the environment 'mine' cannot be read", *wanted]:
        assert part in str(raised.value)


@pytest.mark.parametrize(
    "content", [b"a: 1\na: 2\n", b"a: 1\n---\nb: 2\n", b"a: \xe9\n", b"a:\n\tb: 1\n", b"a: !x 1\n"]
)
def test_a_file_that_cannot_be_read_is_named(content: bytes, tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "conf/base", tmp_path / "base")
    (tmp_path / "mine/parameters").mkdir(parents=True)
    (tmp_path / "mine/parameters/fine.yml").write_text("recipe: {epochs: 9}")
    file = tmp_path / "mine/parameters/odd.yml"
    file.write_bytes(content)
    broken = GridConfigLoader(str(tmp_path), env="mine", **settings.CONFIG_LOADER_ARGS)
    with pytest.raises(ConfigurationError) as raised:
        broken.parameters()
    assert str(file) in str(raised.value)


def test_a_key_that_two_files_state_is_refused(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "conf/base", tmp_path / "base")
    (tmp_path / "mine").mkdir()
    (tmp_path / "base/parameters/again.yml").write_text("recipe: {epochs: 1}")
    broken = GridConfigLoader(str(tmp_path), env="mine", **settings.CONFIG_LOADER_ARGS)
    with pytest.raises(ConfigurationError, match=r"Duplicate keys.*again\.yml.*recipe\.epochs"):
        broken.parameters()


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    given = loader("test", data="~/elsewhere")["catalog"]
    assert given["downloads"]["filepath"] == f"{tmp_path}/elsewhere/01_raw/downloads"
    shutil.copytree(PROJECT / "conf/base", tmp_path / "conf/base")
    (tmp_path / "conf/mine").mkdir()
    (tmp_path / "conf/mine/globals.yml").write_text("data: ~/stated")
    mine = GridConfigLoader(str(tmp_path / "conf"), env="mine", **settings.CONFIG_LOADER_ARGS)
    assert mine["catalog"]["downloads"]["filepath"] == f"{tmp_path}/stated/01_raw/downloads"


def test_a_data_folder_must_be_one() -> None:
    for nothing in (None, ""):
        with pytest.raises(ConfigurationError, match="data: give a folder"):
            loader("test", data=nothing)
    with pytest.raises(ConfigurationError, match="data: '~nobody_of_that_name/x' is not a folder"):
        loader("test", data="~nobody_of_that_name/x")


def test_a_misspelt_path_is_not_created_from_the_root_on(tmp_path: Path) -> None:
    for folder in (tmp_path / "new", "new/below/the/project"):
        assert loader("test", data=str(folder))["parameters"]["data"] == str(folder)
    with pytest.raises(ConfigurationError) as raised:
        loader("test", data=str(tmp_path / "no/data"))
    assert str(raised.value) == (
        f"data: there is no folder {tmp_path}/no to create data in. Correct the path, or create "
        f"it: mkdir -p {tmp_path}/no/data"
    )


def test_a_wrong_key_of_a_recipe_is_named_in_the_layer_that_states_it() -> None:
    one = TRIALS[0]
    given = {
        "methods.softmax.recipe": "methods.softmax.recipe.schedule",
        "backbones.mobilenetv2_micro.recipe": "backbones.mobilenetv2_micro.recipe.schedule",
        "recipe": "recipe.schedule",
        f"train.{one}.trial.recipe": f"train.{one}.trial.recipe.schedule",
    }
    for layer, named in given.items():
        with pytest.raises(ConfigurationError) as raised:
            loader("test", **dotted(f"{layer}.schedule.milestones=[1]")).parameters()
        assert str(raised.value).startswith(f"{named}: unknown key 'milestones'")


def test_two_methods_of_a_table_have_two_labels() -> None:
    with pytest.raises(ConfigurationError, match=r"^methods\.ldam\.label: 'Softmax' is"):
        loader("test", **dotted("methods.ldam.label=Softmax")).parameters()
    loader("test", **dotted("methods.focal.label=Softmax")).parameters()  # not in the grid


def test_another_loss_keeps_the_classifier_of_its_method() -> None:
    def classifier(*items: str) -> Any:
        return loader("test", **dotted(*items)).parameters()[0].methods["ldam"].classifier

    cosine = {"kind": "cosine", "scale": 30.0}
    assert classifier("methods.ldam.loss.name=softmax").model_dump() == cosine
    stated = ("methods.ldam.loss.name=softmax", "methods.ldam.classifier.kind=linear")
    assert classifier(*stated).model_dump() == {"kind": "linear", "scale": 1.0}


@pytest.mark.parametrize("value", ["5", "[a]", "true"])
def test_globals_must_name_a_data_folder(value: str, tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "conf/base", tmp_path / "conf/base")
    (tmp_path / "conf/base/globals.yml").write_text(f"data: {value}")
    with pytest.raises(ConfigurationError, match=r"globals\.yml: data: give a folder, found "):
        GridConfigLoader(str(tmp_path / "conf"), env="base", **settings.CONFIG_LOADER_ARGS)


def test_a_file_without_keys_is_refused(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "conf", tmp_path / "conf")
    file = tmp_path / "conf/test/parameters/more.yml"
    file.write_text("- a\n")
    config = GridConfigLoader(str(tmp_path / "conf"), env="test", **settings.CONFIG_LOADER_ARGS)
    with pytest.raises(ConfigurationError) as raised:
        config.parameters()
    assert str(raised.value) == f"{file}: must contain keys (key: value), but contains a list"


def test_the_command_in_the_report_has_no_places_and_one_order() -> None:
    given = (
        "data=/here", "recipe.epochs=5", "grid.methods=[softmax,ldam]",
        "datasets.moths.source.path=/moths",
    )  # fmt: skip
    commands = {
        loader("test", **dotted(*order))["parameters"]["report"]["command"]
        for order in (given, given[::-1])
    }
    assert commands == {
        "kedro run --pipelines=full --env=test "
        '\'--params=grid.methods=["softmax", "ldam"],recipe.epochs=5\''
    }
