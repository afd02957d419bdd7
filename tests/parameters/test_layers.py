"""Layers of parameters: files of environments, ``--params``, recipes and overrides."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.project import settings
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationKeyError

from longtail.config import GridConfigLoader
from longtail.errors import ConfigurationError
from longtail.parameters import Parameters
from longtail.parameters.layers import merge, merge_resolved
from tests.pipelines.support import dotted

from ..conftest import PROJECT


@pytest.mark.parametrize(
    ("below", "above", "merged"),
    [
        ({"a": 1, "b": 2}, {"b": 3, "c": 4}, {"a": 1, "b": 3, "c": 4}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": {"b": 1}}, {"a": 2}, {"a": 2}),
        ({"a": None}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"kind": "x", "b": 1}}, {"a": {"kind": "y"}}, {"a": {"kind": "y"}}),
        ({"a": {"name": "x", "b": 1}}, {"a": {"name": "y"}}, {"a": {"name": "y"}}),
        ({"a": {"kind": "x", "b": 1}}, {"a": {"kind": "x"}}, {"a": {"kind": "x", "b": 1}}),
        ({"a": {"kind": "x", "b": 1}}, {"a": {"b": 2}}, {"a": {"kind": "x", "b": 2}}),
        ({"a": {"b": 1}}, {"a": {"kind": "x"}}, {"a": {"b": 1, "kind": "x"}}),
    ],
)
def test_another_kind_or_name_replaces_and_all_else_is_merged(
    below: dict[str, Any], above: dict[str, Any], merged: dict[str, Any]
) -> None:
    before = OmegaConf.to_container(OmegaConf.create([below, above]))
    assert merge(below, above) == merged
    assert [below, above] == before


def test_later_layers_go_over_earlier_ones() -> None:
    layers = [{"a": {"kind": kind, kind: 1}} for kind in "xyx"]
    assert merge(*layers) == {"a": {"kind": "x", "x": 1}}
    assert merge() == {}


def test_an_interpolation_refers_to_the_merged_parameters() -> None:
    layers: list[dict[str, Any]] = [
        {"a": 1, "b": "${a}", "loss": "${losses.focal}"},
        {"losses": {"focal": {"name": "focal", "gamma": 2}}},
        {"a": 3, "c": {"d": "${b}", "e": "${.d}"}, "loss": {"gamma": 5}},
    ]
    assert merge_resolved([OmegaConf.create(layer) for layer in layers]) == {
        "a": 3,
        "b": 3,
        "loss": {"name": "focal", "gamma": 5},
        "losses": {"focal": {"name": "focal", "gamma": 2}},
        "c": {"d": 3, "e": 3},
    }


def test_an_interpolation_of_a_replaced_key_is_an_error() -> None:
    layers: list[dict[str, Any]] = [
        {"a": {"kind": "x", "b": 1}, "c": "${a.b}"},
        {"a": {"kind": "y"}},
    ]
    with pytest.raises(InterpolationKeyError, match=r"'a\.b' not found"):
        merge_resolved([OmegaConf.create(layer) for layer in layers])


# --- files and `--params` ------------------------------------------------------------------------


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A folder of configurations with the base environment and an empty one called mine."""
    shutil.copytree(PROJECT / "conf/base", tmp_path / "conf/base")
    (tmp_path / "conf/mine/parameters").mkdir(parents=True)
    return tmp_path / "conf"


def parameters(conf: Path, text: str = "", *items: str) -> Parameters:
    """The checked parameters of an environment that states ``text``, with ``--params``."""
    (conf / "mine/parameters/mine.yml").write_text(text)
    loader = GridConfigLoader(
        str(conf), env="mine", runtime_params=dotted(*items), **settings.CONFIG_LOADER_ARGS
    )
    return loader.parameters()[0]


FOREIGN = [
    (
        "methods: {weighted_softmax: {loss: {name: weighted_softmax, beta: 0.999}}}",
        "methods.weighted_softmax.loss: unknown key 'beta' with name: weighted_softmax. "
        "Valid: name, convention, exponent",
    ),
    (
        "datasets: {cifar100: {imbalance: {holdout: {kind: official, test: 50}}}}",
        "datasets.cifar100.imbalance.holdout: unknown key 'test' with kind: official. Valid: kind",
    ),
    (
        "datasets: {digits: {imbalance: {holdout: {kind: per_class, minimum: 2}}}}",
        "datasets.digits.imbalance.holdout: unknown key 'minimum' with kind: per_class. "
        "Valid: kind, test, validation",
    ),
    (
        "recipe: {schedule: {kind: cosine, milestones: [3]}}",
        "recipe.schedule: unknown key 'milestones' with kind: cosine. Valid: kind",
    ),
    (
        "datasets: {digits: {imbalance: {profile: {kind: step, imbalance_factor: 9, alpha: 2}}}}",
        "datasets.digits.imbalance.profile: unknown key 'alpha' with kind: step. "
        "Valid: kind, imbalance_factor",
    ),
    (
        "datasets: {digits: {imbalance: {groups: {kind: thirds, few: 3}}}}",
        "datasets.digits.imbalance.groups: unknown key 'few' with kind: thirds. Valid: kind",
    ),
]


@pytest.mark.parametrize(("text", "expected"), FOREIGN)
def test_a_key_of_another_kind_is_refused_in_a_file(text: str, expected: str, conf: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parameters(conf, text)
    assert str(raised.value) == expected


def test_a_key_of_another_kind_is_refused_in_the_base_environment(conf: Path) -> None:
    file = conf / "base/parameters/recipe.yml"
    text = file.read_text()
    assert "schedule: {kind: cosine}" in text
    file.write_text(text.replace("{kind: cosine}", "{kind: cosine, factor: 0.1}"))
    with pytest.raises(
        ConfigurationError, match=r"^recipe\.schedule: unknown key 'factor' with kind: cosine\."
    ):
        parameters(conf)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            "methods.softmax.loss.gamma=2",
            "methods.softmax.loss: unknown key 'gamma' with name: softmax. Valid: name",
        ),
        (
            "recipe.schedule.milestones=[3]",
            "recipe.schedule: unknown key 'milestones' with kind: cosine. Valid: kind",
        ),
    ],
)
def test_a_key_of_another_kind_is_refused_on_the_command_line(
    item: str, expected: str, conf: Path
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parameters(conf, "", item)
    assert str(raised.value) == expected


FOCAL = "methods: {m: {label: M, loss: {name: focal, gamma: 3}}}"


@pytest.mark.parametrize(
    ("text", "items", "loss"),
    [
        (FOCAL, [], {"name": "focal", "gamma": 3}),
        (FOCAL, ["methods.m.loss.gamma=4"], {"name": "focal", "gamma": 4}),
        (FOCAL, ["methods.m.loss.name=focal"], {"name": "focal", "gamma": 3}),
        (FOCAL, ["methods.m.loss.name=ldam"], {"name": "ldam", "max_margin": 0.5}),
        (
            FOCAL,
            ["methods.m.loss.name=ldam", "methods.m.loss.max_margin=0.25"],
            {"name": "ldam", "max_margin": 0.25},
        ),
    ],
)
def test_the_command_line_changes_a_key_or_the_loss(
    text: str, items: list[str], loss: dict[str, Any], conf: Path
) -> None:
    assert parameters(conf, text, *items).methods["m"].loss.model_dump() == loss


def test_an_environment_changes_a_key_or_the_loss(conf: Path) -> None:
    found = parameters(
        conf,
        "methods: {equalization: {loss: {threshold: 0.125}}, focal: {loss: {name: softmax}}}",
    ).methods
    assert found["equalization"].loss.model_dump() == {
        "name": "equalization", "probability": 0.9, "threshold": 0.125,
    }  # fmt: skip
    assert found["focal"].loss.model_dump() == {"name": "softmax"}


def test_the_command_line_replaces_the_kind_of_an_environment_that_changed_one_key(
    conf: Path,
) -> None:
    text = "methods: {equalization: {loss: {threshold: 0.125}}}"
    found = parameters(conf, text, "methods.equalization.loss.name=focal").methods
    assert found["equalization"].loss.model_dump() == {"name": "focal", "gamma": 2}


def test_going_back_to_the_kind_of_the_base_environment_takes_nothing_from_there(
    conf: Path,
) -> None:
    text = "methods: {class_balanced: {loss: {name: ldam, max_margin: 0.25}}}"
    item = "methods.class_balanced.loss.name=class_balanced"
    (conf / "base/parameters/methods.yml").write_text(
        (PROJECT / "conf/base/parameters/methods.yml").read_text().replace("beta: 0.9}", "beta: 0}")
    )
    assert parameters(conf).methods["class_balanced"].loss.model_dump()["beta"] == 0
    assert parameters(conf, text, item).methods["class_balanced"].loss.model_dump()["beta"] == 0.9


def test_another_holdout_replaces_the_one_below(conf: Path) -> None:
    key = "datasets.cifar100.imbalance.holdout"
    found = parameters(conf, "", f"{key}.kind=per_class", f"{key}.test=5", f"{key}.validation=3")
    assert found.datasets["cifar100"].imbalance.holdout.model_dump() == {
        "kind": "per_class", "test": 5, "validation": 3,
    }  # fmt: skip
    with pytest.raises(ConfigurationError, match=rf"^{key}\.validation: is required"):
        parameters(conf, "", f"{key}.kind=per_class", f"{key}.test=5")
    with pytest.raises(ConfigurationError, match=r"profile\.alpha: is required"):
        parameters(conf, "", "datasets.digits.imbalance.profile.kind=pareto")


def test_interpolations_in_files_see_globals_other_files_and_the_command_line(conf: Path) -> None:
    (conf / "mine/globals.yml").write_text("rate: 0.25\nfocal: {name: focal, gamma: 4}\n")
    text = """
methods: {softmax: {loss: "${globals:focal}"}, focal: {loss: "${methods.ldam.loss}"}}
recipe:
  learning_rate: ${globals:rate}
  batch_size: ${runtime_params:size,64}
  cached_views: ${recipe.epochs}
"""
    found = parameters(conf, text, "recipe.epochs=9")
    recipe = found.recipe
    assert (recipe.learning_rate, recipe.batch_size, recipe.cached_views) == (0.25, 64, 9)
    assert found.methods["softmax"].loss.model_dump() == {"name": "focal", "gamma": 4}
    assert found.methods["focal"].loss.model_dump() == {"name": "ldam", "max_margin": 0.5}
    items = ["recipe.epochs=${predict.gallery}", "predict.gallery=8"]
    given = parameters(conf, text, *items).recipe
    assert (given.epochs, given.cached_views) == (8, 8)
    item = "methods.softmax.loss.gamma=5"
    assert parameters(conf, text, item).methods["softmax"].loss.model_dump()["gamma"] == 5
