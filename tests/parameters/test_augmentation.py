from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from longtail.errors import ConfigurationError
from longtail.parameters import Recipe
from longtail.parameters.run import parse
from longtail.trials.grid import trials


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"rand_augment": {"operations": 0, "magnitude": 9}}, "rand_augment.operations: .*greater"),
        ({"rand_augment": {"operations": 2, "magnitude": 11}}, "rand_augment.magnitude: .*10"),
        ({"rand_augment": {"operations": 2}}, "rand_augment.magnitude: .*required"),
        ({"rand_augment": {"operation": 2}}, "unknown key 'operation'.*'operations'"),
        (
            {"random_resized_crop": {"scale": [0.5, 1], "ratio": [1, 1]}},
            r"crop_padding to 0 \(it is 2\), or random_resized_crop to null",
        ),
        (
            {"crop_padding": 0, "random_resized_crop": {"scale": [1, 0.5], "ratio": [1, 1]}},
            r"^recipe\.random_resized_crop\.scale: should be \[least, most\], found \[1.0, 0.5\]",
        ),
        (
            {"crop_padding": 0, "random_resized_crop": {"scale": [1e-9, 1e-8], "ratio": [1, 1]}},
            r"^recipe\.random_resized_crop\.scale\.0: .*or equal to 0.001, found 1e-09",
        ),
        (
            {"random_erasing": {"probability": 0.5, "scale": [0.1, 1.5], "ratio": [1, 1]}},
            "random_erasing.scale.1: .*less than or equal to 1, found 1.5",
        ),
        (
            {"random_erasing": {"probability": 0.5, "scale": [0.1, 0.5], "ratio": [2, 1]}},
            r"^recipe\.random_erasing\.ratio: should be \[least, most\]",
        ),
        (
            {"mixing": {"kind": "both", "alpha": 1}},
            "mixing.kind: .*'mixup' or 'cutmix', found 'both'",
        ),
        (
            {"mixing": {"kind": "mixup", "alpha": 1, "partner_exponent": 2}},
            "mixing.partner_exponent: .*less than or equal to 1, found 2",
        ),
        (
            {"mixing": {"kind": "mixup", "alpha": 1, "start": 0.5, "end": 0.5}},
            r"mixing.start: must be less than end \(0.5\), found 0.5",
        ),
        (
            {"mixing": {"kind": "mixup", "alpha": 1, "remix": {"kappa": 1, "tau": 0.5}}},
            "mixing.remix.kappa: .*greater than 1, found 1",
        ),
        (
            {"mixing": {"kind": "cutmix", "alpha": 1}, "freeze": "backbone"},
            "mixing.kind: cutmix pastes parts of images, but with freeze: backbone",
        ),
        ({"mixing": {"kind": "mixup", "alpha": 0}}, "mixing.alpha: .*greater than 0, found 0"),
        ({"rotation": 0}, "rotation: .*greater than 0, found 0"),
        ({"auto_augment": "imagenet"}, "auto_augment: .*'cifar10', found 'imagenet'"),
        ({"cutout": 33}, r"cutout: must be at most image_size \(32\), found 33"),
        ({"nesterov": True}, "nesterov: belongs to optimizer: sgd .* found adamw with 0.9"),
        (
            {"optimizer": "sgd", "momentum": 0, "nesterov": True},
            "nesterov: .* momentum above 0, found sgd with 0",
        ),
        ({"five_crop_size": 32}, r"five_crop_size: must be more than image_size \(32\).* found 32"),
        ({"five_crop_size": 65}, "five_crop_size: .* at most twice as much.* found 65"),
        ({"ema_decay": 1.0}, "ema_decay: .*less than 1, found 1.0"),
    ],
)
def test_invalid_values_are_reported_with_their_key(
    recipe: dict[str, Any], message: str, base_config: dict[str, Any]
) -> None:
    base_config["recipe"] |= recipe
    with pytest.raises(ConfigurationError, match=message):
        parse(base_config)


def test_all_of_it_reaches_the_trials_and_is_off_by_default(base_config: dict[str, Any]) -> None:
    off = trials(parse(base_config))[0].recipe
    assert (off.rand_augment, off.random_erasing, off.mixing, off.ema_decay) == (None,) * 4
    base_config["recipe"] |= {"mixing": {"kind": "mixup", "alpha": 0.2}, "ema_decay": 0.99}
    method = base_config["grid"]["methods"][0]
    base_config["methods"][method]["recipe"] = {"mixing": {"kind": "cutmix", "alpha": 1.0}}
    first, *others = trials(parse(base_config))
    assert first.recipe.mixing is not None and first.recipe.mixing.kind == "cutmix"
    assert others[1].recipe.mixing is not None and others[1].recipe.mixing.alpha == 0.2


def test_null_turns_off_what_a_layer_below_turned_on(base_config: dict[str, Any]) -> None:
    base_config["recipe"]["rand_augment"] = {"operations": 2, "magnitude": 9}
    for backbone in base_config["backbones"].values():
        backbone["recipe"] = {**backbone.get("recipe", {}), "rand_augment": None}
    assert all(trial.recipe.rand_augment is None for trial in trials(parse(base_config)))


def test_what_is_off_is_not_in_the_dump_that_is_hashed(make_recipe: Callable[..., Recipe]) -> None:
    required = {name for name, field in Recipe.model_fields.items() if field.is_required()}
    dump = make_recipe().model_dump(mode="json", exclude_defaults=True)
    assert set(dump) == required
    assert {"epochs", "momentum"} < required < set(Recipe.model_fields)
