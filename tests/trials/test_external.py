"""Trials whose predictions come from a file: their parameters, files and fingerprints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from longtail.errors import ConfigurationError, DataError
from longtail.parameters import External, Method, Trial
from longtail.parameters.run import parse
from longtail.trials.external import external_file, external_fingerprint
from longtail.trials.grid import tables, trials

MakeTrial = Callable[..., Trial]


def external(path: str, **changes: Any) -> Method:
    return Method.model_validate(
        {"name": "theirs", "label": "Theirs", "external": {"path": path}, **changes}
    )


def test_the_path_names_the_trial(make_trial: MakeTrial) -> None:
    method = external("x/{dataset}_{train_set}_{backbone}_{seed}.csv")
    trial = make_trial(method=method, seed=3)
    assert external_file(trial) == "x/digits_balanced_vit_3.csv"
    assert external_file(make_trial(method=external("y.npz"))) == "y.npz"


def test_an_unknown_placeholder_is_named(base_config: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        with_theirs(base_config, "x/{sed}_{dataset}.csv", ["softmax", "theirs"])
    assert str(raised.value) == (
        "methods.theirs.external.path: unknown placeholder 'sed'. Did you mean 'seed'? Valid: "
        "dataset, train_set, backbone, seed"
    )


def test_the_fingerprint_is_of_the_content(make_trial: MakeTrial, tmp_path: Path) -> None:
    def key(name: str, pixels: str = "ab", **changes: Any) -> str:
        method = external(str(tmp_path / name))
        of_file = External(path=str(tmp_path / name), **changes)
        return external_fingerprint(
            make_trial(method=method.model_copy(update={"external": of_file})), pixels
        )

    for name, content in (("a.csv", "1"), ("same.csv", "1"), ("b.csv", "2")):
        (tmp_path / name).write_text(content)
    assert key("a.csv") == key("same.csv") != key("b.csv")
    assert key("a.csv") != key("a.csv", "cd")
    assert key("a.csv") != key("a.csv", values="probabilities")
    with pytest.raises(DataError, match=r"methods.theirs.external.path: .*c.csv: there is no such"):
        key("c.csv")


def with_theirs(base_config: dict[str, Any], path: str, methods: list[str], **more: Any) -> Any:
    base_config["methods"]["theirs"] = {"label": "Theirs", "external": {"path": path}, **more}
    base_config["grid"] |= {"methods": methods, "seeds": [2, 0, 1]}
    base_config["grid"] |= {"backbones": ["vit_micro"], "train_sets": ["long_tailed"]}
    return parse(base_config)


@pytest.mark.parametrize(("path", "seeds"), [("p.csv", [2]), ("p{seed}.csv", [2, 0, 1])])
def test_there_are_as_many_trials_as_files(
    base_config: dict[str, Any], path: str, seeds: list[int]
) -> None:
    parameters = with_theirs(base_config, path, ["softmax", "theirs"])
    of_grid = trials(parameters)
    assert [t.seed for t in of_grid if t.method.name == "theirs"] == seeds
    assert [t.seed for t in of_grid if t.method.name == "softmax"] == [2, 0, 1]
    [table] = tables(parameters)["digits"].tables
    assert table.methods == {"softmax": "Softmax", "theirs": "Theirs (external)"}


def test_something_must_be_trained(base_config: dict[str, Any]) -> None:
    parameters = with_theirs(base_config, "p.csv", ["theirs"])
    with pytest.raises(ConfigurationError, match="Name a method that is trained"):
        trials(parameters)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": {"epochs": 3}}, "methods.theirs.recipe: has no effect on external"),
        ({"loss": {"name": "focal"}}, "methods.theirs.loss: has no effect on external"),
        ({"second_stage": {"epochs": 3}}, "methods.theirs.second_stage: has no effect"),
        ({"post_hoc": {"kind": "logit_adjustment"}}, "methods.theirs.post_hoc: has no effect"),
        ({"external": {"path": "p.txt"}}, "methods.theirs.external.path: must end in .csv or .npz"),
    ],
)
def test_what_has_no_effect_is_refused(
    base_config: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        with_theirs(base_config, "p.csv", ["softmax", "theirs"], **change)


def test_a_method_without_external_still_needs_a_loss(base_config: dict[str, Any]) -> None:
    base_config["methods"]["theirs"] = {"label": "Theirs"}
    with pytest.raises(ConfigurationError, match=r"methods\.theirs\.loss"):
        parse(base_config)
