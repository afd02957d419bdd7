from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from longtail.errors import ConfigurationError
from longtail.parameters import Parameters, unknown
from longtail.parameters.layers import merge
from longtail.parameters.run import parse

from ..conftest import PROJECT

Config = dict[str, Any]


def changed(config: Config, key: str, value: Any) -> Config:
    """The configuration with the value at a dotted key replaced."""
    copy = OmegaConf.create(config)
    OmegaConf.update(copy, key, value, merge=False)
    result = OmegaConf.to_container(copy)
    assert isinstance(result, dict)
    return {str(name): entry for name, entry in result.items()}


def message(config: Config) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse(config)
    return str(caught.value)


def test_default_parameters_are_valid(base_config: Config) -> None:
    parameters = parse(base_config)
    assert list(parameters.grid.methods) == [
        "softmax",
        "focal",
        "weighted_softmax",
        "class_balanced",
        "balanced_softmax",
        "equalization",
        "ldam",
    ]
    assert [parameters.methods[name].loss.name for name in parameters.grid.methods] == list(
        parameters.grid.methods
    )
    assert parameters.datasets["cifar100"].source.model_dump()["md5"] == (
        "eb9058c3a382ffc7106e4002c42a8d85"
    )


@pytest.mark.parametrize(
    "environment", sorted(p.parent.name for p in PROJECT.glob("conf/*/parameters"))
)
def test_every_environment_is_valid_over_the_default(environment: str, base_config: Config) -> None:
    files = sorted((PROJECT / "conf" / environment / "parameters").glob("*.yml"))
    layers = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    assert isinstance(parse(merge(base_config, *layers)), Parameters)


def test_names_of_entries_are_their_keys(base_config: Config) -> None:
    parameters = parse(base_config)
    for registry in (parameters.datasets, parameters.backbones, parameters.methods):
        assert all(entry.name == key for key, entry in registry.items())


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (
            "datasets.moth.source.path",
            "/photos",
            "datasets.moth: there is no 'moth'. Did you mean 'moths'? If it is a new one, give it",
        ),
        (
            "methods.ldm.loss.max_margin",
            0.3,
            "methods.ldm: there is no 'ldm'. Did you mean 'ldam'? If it is a new one, give it",
        ),
        ("recipe.epcohs", 3, "recipe: unknown key 'epcohs'. Did you mean 'epochs'? Valid: epochs,"),
        ("gird", {}, "unknown key 'gird'. Did you mean 'grid'?"),
        (
            "datasets.cifar100.imbalance_factor",
            50,
            "unknown key 'imbalance_factor'. Did you mean 'imbalance.profile.imbalance_factor'?",
        ),
        (
            "datasets.cifar100.imbalance.imbalance_factor",
            50,
            "unknown key 'imbalance_factor'. Did you mean 'profile.imbalance_factor'? Valid: hold",
        ),
        (
            "methods.focal.loss.gama",
            2,
            "methods.focal.loss: unknown key 'gama' with name: focal. Did you mean 'gamma'?",
        ),
        (
            "methods.focal.loss.name",
            "focl",
            "methods.focal.loss.name: unknown value 'focl'. Valid: softmax, focal,",
        ),
        (
            "datasets.digits.source.kind",
            "mnist",
            "datasets.digits.source.kind: unknown value 'mnist'. Valid: digits, cifar100, folder",
        ),
        (
            "datasets.digits.imbalance.profile.imbalance_factor",
            -100,
            "datasets.digits.imbalance.profile.imbalance_factor: Input should be greater than or "
            "equal to 1, found -100",
        ),
        (
            "datasets.digits.imbalance.class_order",
            "random",
            "datasets.digits.imbalance.class_order: Input should be 'index' or 'size', "
            "found 'random'",
        ),
        (
            "datasets.digits.imbalance.groups",
            {"kind": "shots", "many": 5, "few": 20},
            "datasets.digits.imbalance.groups.few: must not exceed many (5), found 20",
        ),
        ("recipe.learning_rate", 0, "recipe.learning_rate: Input should be greater than 0"),
        ("recipe.batch_size", 1, "recipe.batch_size: Input should be greater than or equal to 2"),
        ("recipe.epochs", "many", "recipe.epochs: Input should be a valid integer"),
        (
            "recipe.freeze",
            "bakcbone",
            "recipe.freeze: should be none, backbone, or a share of the network's layers between "
            "0 and 1, found 'bakcbone'",
        ),
        ("recipe.freeze", 1, "recipe.freeze: should be none, backbone, or a share"),
        ("recipe.freeze", None, "recipe.freeze: should be none, backbone, or a share"),
        ("recipe.layer_decay", 0, "recipe.layer_decay: Input should be greater than 0"),
        (
            "recipe.cached_views",
            0,
            "recipe.cached_views: Input should be greater than or",
        ),
        ("methods.class_balanced.loss.beta", 1.0, "methods.class_balanced.loss.beta: Input should"),
        (
            "statistics.confidence",
            0.9999999999999999,
            "statistics.confidence: Input should be less than or equal to 0.9999, found 0.99999",
        ),
        (
            "statistics.confidence",
            1e-12,
            "statistics.confidence: Input should be greater than or equal to 0.5, found 1e-12",
        ),
        ("statistics.resamples", 99, "statistics.resamples: Input should be greater than or equal"),
        ("statistics.resample", 1, "statistics: unknown key 'resample'. Did you mean 'resamples'?"),
        (
            "datasets.cifar100.imbalance.holdout.kind",
            "official_tests",
            "kind: unknown value 'official_tests'. Valid: official, official_test, per_class",
        ),
        (
            "datasets.moths.source",
            {"kind": "folder", "path": None, "image_size": 8, "metadata": "a", "class_levels": 2},
            "metadata names the classes, not folders: leave class_levels out",
        ),
        ("datasets.moths.source.class_levels", 0, "class_levels: Input should be greater than or"),
        ("compute.device", "tpu", "compute.device: Input should be 'auto', 'cpu' or 'cuda'"),
        ("datasets.cifar100.source.md5", "abc", "datasets.cifar100.source.md5: String should"),
    ],
)
def test_mistake_names_the_key_and_what_is_valid(
    key: str, value: Any, expected: str, base_config: Config
) -> None:
    assert expected in message(changed(base_config, key, value))


@pytest.mark.parametrize(
    ("axis", "name", "expected"),
    [
        ("datasets", "cifar10", "grid.datasets: unknown dataset 'cifar10'. Did you mean 'cifar100"),
        ("backbones", "resnet", "grid.backbones: unknown backbone 'resnet'."),
        ("methods", "ldamm", "grid.methods: unknown method 'ldamm'. Did you mean 'ldam'? Valid:"),
        ("methods", "LDAM", "grid.methods: unknown method 'LDAM'. Did you mean 'ldam'? Valid:"),
        (
            "train_sets",
            "long_tail",
            "Input should be 'balanced', 'long_tailed', 'matched' or 'natural', found 'long_tail'",
        ),
        ("seeds", -1, "grid.seeds.0: Input should be greater than or equal to 0, found -1"),
    ],
)
def test_unknown_name_in_the_grid_is_refused(
    axis: str, name: Any, expected: str, base_config: Config
) -> None:
    assert expected in message(changed(base_config, f"grid.{axis}", [name]))


@pytest.mark.parametrize(
    ("axis", "values"), [("seeds", [0, 1, 0]), ("methods", ["focal", "focal"])]
)
def test_duplicates_in_the_grid_are_refused(
    axis: str, values: list[Any], base_config: Config
) -> None:
    text = message(changed(base_config, f"grid.{axis}", values))
    assert text == f"grid.{axis}: names a value twice: {values}"


@pytest.mark.parametrize("label", ["", "  ", "two\nlines", "a\x00b", "a\u2028b"])
@pytest.mark.parametrize("entry", ["methods.ldam", "backbones.vit_micro", "datasets.digits"])
def test_a_label_is_one_line_of_text(entry: str, label: str, base_config: Config) -> None:
    text = message(changed(base_config, f"{entry}.label", label))
    assert text == f"{entry}.label: should be printable text on one line, found {label!r}"


def test_a_label_fits_into_figures(base_config: Config) -> None:
    base_config["methods"]["ldam"]["label"] = "x" * 60
    assert parse(base_config).methods["ldam"].label == "x" * 60
    base_config["methods"]["ldam"]["label"] = "x" * 61
    with pytest.raises(ConfigurationError) as error:
        parse(base_config)
    assert str(error.value) == (
        "methods.ldam.label: should be at most 60 characters, to fit into figures and tables, "
        "found 61"
    )


@pytest.mark.parametrize("axis", ["datasets", "train_sets", "backbones", "methods", "seeds"])
def test_empty_axis_is_refused(axis: str, base_config: Config) -> None:
    assert f"grid.{axis}: give at least one, found none" in message(
        changed(base_config, f"grid.{axis}", [])
    )


def test_missing_key_is_named(base_config: Config) -> None:
    del base_config["recipe"]["optimizer"]
    assert message(base_config) == (
        "recipe.optimizer: is required and has no value. Give it in a file of conf, or with "
        "--params"
    )


def test_all_mistakes_are_reported_at_once(base_config: Config) -> None:
    config = changed(changed(base_config, "recipe.epochs", 0), "compute.threads", 0)
    assert [line.split(":")[0] for line in message(config).splitlines()] == [
        "recipe.epochs",
        "compute.threads",
    ]


@pytest.mark.parametrize("name", ["Focal", "a.b", "a/b", "_a", "a b", ""])
def test_names_that_cannot_be_paths_and_namespaces_are_refused(
    name: str, base_config: Config
) -> None:
    for registry, known in (("methods", "focal"), ("backbones", "vit_micro")):
        config = deepcopy(base_config)
        config[registry][name] = config[registry][known]
        config["grid"][registry] = [name, known]
        assert message(config) == (
            f"{registry}.{name}: a name has lower-case letters, digits and _, and no _ in front"
        )


def test_a_method_has_not_the_name_of_a_family(base_config: Config) -> None:
    base_config["methods"]["re-sampling"] = base_config["methods"]["focal"]
    assert message(base_config) == (
        "methods.re-sampling: this is the name of a family; give the method another one"
    )


def test_an_unknown_method_of_any_spelling_is_named(base_config: Config) -> None:
    base_config["grid"]["methods"] = ["Softmax"]
    assert message(base_config).startswith(
        "grid.methods: unknown method 'Softmax'. Did you mean 'softmax'? Valid: softmax, "
    )


def test_section_of_another_type_is_refused(base_config: Config) -> None:
    below = "should have keys of its own below it, found 3"
    assert message({**base_config, "recipe": 3}) == f"recipe: {below}"
    assert message({**base_config, "methods": {"focal": 3}}) == f"methods.focal: {below}"
    unknown = changed(base_config, "datasets.digits.unknown", 3)
    assert message(unknown) == f"datasets.digits.unknown: {below}"


def test_parameters_cannot_be_changed_after_the_check(base_config: Config) -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse(base_config).recipe.epochs = 3  # type: ignore[misc]


def test_unknown_word_without_a_near_one_gets_no_hint() -> None:
    assert unknown("xyz", ["one", "two"], "key") == "unknown key 'xyz'. Valid: one, two"
    assert unknown("oen", ["one", "two"], "key").startswith("unknown key 'oen'. Did you mean 'one'")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (
            "options",
            {"depth": 2},
            "vit_micro.options: 'vit_micro' takes none; leave them out",
        ),
        (
            "pretrained",
            True,
            "pretrained: there are no pretrained weights of 'vit_micro' except",
        ),
    ],
)
def test_own_networks_are_as_they_are(
    key: str, value: Any, expected: str, base_config: Config
) -> None:
    config = changed(base_config, f"backbones.vit_micro.{key}", value)
    assert expected in message(config)
    config = changed(config, "backbones.vit_micro.weights", "of/a/file.safetensors")
    if key == "pretrained":
        assert parse(config).backbones["vit_micro"].pretrained


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"recipe.epochs": 2},
            "recipe.warmup_epochs: must be less than epochs (2), found 2",
        ),
        (
            {"recipe.schedule": {"kind": "step", "milestones": [3, 12], "factor": 0.1}},
            "recipe.schedule.milestones: must be less than epochs (12), found [3, 12]",
        ),
        (
            {"recipe.schedule": {"kind": "step", "milestones": [5, 3], "factor": 0.1}},
            "recipe.schedule.milestones: should be in ascending order, found [5, 3]",
        ),
        (
            {"recipe.schedule": {"kind": "step", "milestones": [3, 3], "factor": 0.1}},
            "recipe.schedule.milestones: should be in ascending order, found [3, 3]",
        ),
        (
            {"methods.ldam.name": "focal"},
            "methods.ldam.name: the name is the key, 'ldam'; leave name out, found 'focal'",
        ),
        (
            {"backbones.resnetv2_micro.options": {"a": {"b": float("inf")}}},
            "backbones.resnetv2_micro.options: a.b should be a finite number, found inf",
        ),
        (
            {"recipe.schedule": {"kind": "step", "milestones": [], "factor": 0.1}},
            "recipe.schedule.milestones: give at least one, found none",
        ),
        (
            {"backbones.resnetv2_micro.options": {"a": [1, [float("nan")]]}},
            "backbones.resnetv2_micro.options: a.1.0 should be a finite number, found nan",
        ),
        (
            {"backbones.resnetv2_micro.options": {"embed_dim": 2**63}},
            f"backbones.resnetv2_micro.options: embed_dim should be an integer of at most 64 bits, "
            f"found {2**63}",
        ),
        (
            {"backbones.resnetv2_micro.options": {"num_classes": 1001}},
            "backbones.resnetv2_micro.options.num_classes: the classes are those of the training "
            "images: leave it out",
        ),
        (
            {"datasets.digits.unknown": {"classes": 10**30}},
            f"datasets.digits.unknown.classes: give how many classes (1 to 1000000000) or a list "
            f"of their names, found {10**30}",
        ),
        (
            {"datasets.digits.unknown": {"classes": ["a", ""]}},
            "datasets.digits.unknown.classes: give how many classes (1 to 1000000000) or a list "
            "of their names, found ['a', '']",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(
    changes: Config, expected: str, base_config: Config
) -> None:
    for key, value in changes.items():
        base_config = changed(base_config, key, value)
    assert message(base_config) == expected


def test_a_name_that_is_the_key_is_valid(base_config: Config) -> None:
    assert parse(changed(base_config, "methods.ldam.name", "ldam")).methods["ldam"].name == "ldam"


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ({"epcohs": 3}, "unknown key 'epcohs'. Did you mean 'epochs'?"),
        ({"epochs": True}, "Input should be a valid integer, found True"),
        ({"schedule": {"kind": "step", "milestones": [2, 1], "factor": 0.1}}, "should be in asc"),
        ({"schedule": {"kind": "stepped"}}, "unknown value 'stepped'. Valid: cosine, step"),
    ],
)
@pytest.mark.parametrize("entry", ["methods.logit_adjustment", "backbones.resnetv2_micro"])
def test_recipes_of_backbones_and_methods_outside_the_grid_are_checked(
    entry: str, recipe: Config, expected: str, base_config: Config
) -> None:
    base_config["grid"]["backbones"] = ["vit_micro"]
    [line] = message(changed(base_config, f"{entry}.recipe", recipe)).splitlines()
    assert line.startswith(f"{entry}.recipe")
    assert expected in line


def test_a_recipe_that_another_layer_completes_is_valid(base_config: Config) -> None:
    steps = {"kind": "step", "milestones": [5, 9], "factor": 0.1}
    base_config = changed(base_config, "backbones.vit_micro.recipe", {"schedule": steps})
    base_config = changed(base_config, "methods.ldam.recipe", {"schedule": {"factor": 0.5}})
    assert parse(base_config).methods["ldam"].recipe == {"schedule": {"factor": 0.5}}
