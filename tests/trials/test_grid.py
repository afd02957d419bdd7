from __future__ import annotations

from typing import Any

import pytest

from longtail.errors import ConfigurationError
from longtail.parameters import Parameters, Trial
from longtail.parameters.run import parse
from longtail.trials.grid import nested, table_name, tables, trials

Config = dict[str, Any]
CELL = "digits.long_tailed.vit_micro.ldam.seed0"


@pytest.fixture
def config(base_config: Config) -> Config:
    """The default environment with a grid that no edit of its YAML files changes."""
    base_config["grid"] = {
        "datasets": ["digits"],
        "train_sets": ["balanced", "long_tailed"],
        "backbones": ["vit_micro", "convnext_micro"],
        "methods": ["softmax", "ldam", "focal"],
        "seeds": [0, 7],
    }
    return base_config


def expand(config: Config, command_line: Config | None = None) -> dict[str, Trial]:
    return {trial.name: trial for trial in trials(parse(config), command_line)}


def override(cell: str, values: Any) -> Config:
    """What stands under ``train`` to change one trial."""
    branch: Any = {"trial": values}
    for part in reversed(cell.split(".")):
        branch = {part: branch}
    return {"train": branch}


def message(config: Config) -> str:
    with pytest.raises(ConfigurationError) as caught:
        expand(config)
    return str(caught.value)


def test_every_combination_is_a_trial_in_the_order_of_the_grid(config: Config) -> None:
    assert list(expand(config)) == [
        f"digits.{train_set}.{backbone}.{method}.seed{seed}"
        for train_set in ("balanced", "long_tailed")
        for backbone in ("vit_micro", "convnext_micro")
        for method in ("softmax", "ldam", "focal")
        for seed in (0, 7)
    ]


def test_trial_holds_its_own_loss_classifier_and_network(config: Config) -> None:
    trial = expand(config)[CELL]
    assert trial.method.loss.name == "ldam"
    assert (trial.method.classifier.kind, trial.method.classifier.scale) == ("cosine", 30)
    assert trial.backbone.architecture == "vit_micro"
    assert (trial.train_set, trial.seed) == ("long_tailed", 0)


def test_recipe_layers_are_merged_in_order(config: Config) -> None:
    """Each layer sets what the later ones set too, so that the order shows."""
    keys = ["epochs", "batch_size", "validate_every", "crop_padding", "warmup_epochs"]
    for key in keys:
        config["recipe"][key] = 10
    config["recipe"]["warmup_epochs"] = 2
    config["backbones"]["vit_micro"]["recipe"] = dict.fromkeys(keys[1:], 3)
    config["methods"]["ldam"]["recipe"] = dict.fromkeys(keys[2:], 4)
    command_line = dict.fromkeys(keys[3:], 5)
    config |= override(CELL, {"recipe": {"warmup_epochs": 6}})
    found = expand(config, command_line)
    values = {name: [getattr(t.recipe, key) for key in keys] for name, t in found.items()}
    assert values.pop(CELL) == [10, 3, 4, 5, 6]
    for name, layers in values.items():
        backbone = 3 if "vit_micro" in name else 10
        method = 4 if "ldam" in name else backbone
        assert layers == [10, backbone, method, 5, 5]


def test_override_reaches_one_trial_and_keeps_the_rest_of_it(config: Config) -> None:
    plain = expand(config)
    config |= override(CELL, {"method": {"loss": {"max_margin": 0.2}}, "recipe": {"epochs": 30}})
    changed = expand(config)
    assert [name for name in plain if plain[name] != changed[name]] == [CELL]
    expected = plain[CELL].model_dump()
    expected["method"]["loss"]["max_margin"] = 0.2
    expected["recipe"]["epochs"] = 30
    assert changed[CELL].model_dump() == expected


def test_another_kind_replaces_the_old_one_whole(config: Config) -> None:
    schedule = {"kind": "step", "milestones": [3, 5], "factor": 0.1}
    config["methods"]["ldam"]["recipe"] = {"schedule": schedule}
    config |= override("digits.balanced.vit_micro.focal.seed0", {"method": {"loss": {
        "name": "equalization", "threshold": 0.1}}})  # fmt: skip
    found = expand(config)
    assert found[CELL].recipe.schedule.model_dump(mode="json") == schedule
    loss = found["digits.balanced.vit_micro.focal.seed0"].method.loss
    assert loss.model_dump() == {"name": "equalization", "threshold": 0.1, "probability": 0.9}


def test_override_of_a_cell_outside_the_grid_waits_for_it(config: Config) -> None:
    config |= override("cifar100.balanced.vit_micro.ldam.seed3", {"recipe": {"epochs": 30}})
    assert len(expand(config)) == 24
    # Grids differ in the keys beside it: 2 epochs are too few for this warm-up only.
    config |= override("cifar100.balanced.vit_micro.ldam.seed3", {"recipe": {"epochs": 2}})
    assert len(expand(config)) == 24


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"recipe": {"nonsense": 3}}, ".recipe: unknown key 'nonsense'."),
        ({"recipe": {"epochs": 0}}, ".recipe.epochs: Input should be greater than or equal to 1"),
        (
            {"method": {"loss": {"gamma": 2}}},
            ".method.loss: unknown key 'gamma' with name: ldam.",
        ),
        ({"method": {"name": "focal"}}, ": an override cannot rename the trial"),
        ({"recpie": {}}, ": unknown key 'recpie'. Did you mean 'recipe'?"),
        ({"seed": 3}, ": the grid sets seed"),
    ],
)
def test_an_override_of_a_cell_outside_the_grid_is_checked(
    values: Config, expected: str, config: Config
) -> None:
    cell = "cifar100.balanced.vit_micro.ldam.seed3"
    assert message(config | override(cell, values)).startswith(f"train.{cell}.trial{expected}")


@pytest.mark.parametrize("seed", ["seed99999999999999999999999", "seed00", "seed01", "seed-1"])
def test_an_override_of_a_seed_that_no_grid_can_have_is_refused(seed: str, config: Config) -> None:
    where = "digits.balanced.vit_micro.ldam"
    config |= override(f"{where}.{seed}", {"recipe": {"epochs": 30}})
    assert message(config) == f"train.{where}: expected seed<number>, found '{seed}'"
    config |= override(f"{where}.seed{2**63}", {"recipe": {"epochs": 30}})
    assert message(config).startswith(f"train.{where}.seed{2**63}.trial.seed: Input should be less")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("digit.balanced.vit_micro.ldam.seed0", "train: unknown dataset 'digit'. Did you mean"),
        (
            "digits.long_tail.vit_micro.ldam.seed0",
            "train.digits: unknown training set 'long_tail'. Did you mean 'long_tailed'? Valid: "
            "balanced, long_tailed, matched",
        ),
        ("digits.balanced.vit.ldam.seed0", "train.digits.balanced: unknown backbone 'vit'."),
        ("digits.balanced.vit_micro.lda.seed0", "train.digits.balanced.vit_micro: unknown method"),
        (
            "digits.balanced.vit_micro.ldam.0",
            "train.digits.balanced.vit_micro.ldam: expected seed<number>, found '0'",
        ),
    ],
)
def test_override_for_an_unknown_name_is_refused(cell: str, expected: str, config: Config) -> None:
    assert expected in message(config | override(cell, {"recipe": {"epochs": 3}}))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"recipe": {"epcohs": 3}}, ".recipe: unknown key 'epcohs'. Did you mean 'epochs'?"),
        (
            {"recipe": {"epochs": 0}},
            ".recipe.epochs: Input should be greater than or equal to",
        ),
        ({"recpie": {}}, ": unknown key 'recpie'. Did you mean 'recipe'?"),
        ({"seed": 3}, ": the grid sets seed"),
        (3, ": expected keys below it"),
    ],
)
def test_invalid_override_is_named_by_its_full_key(
    values: Any, expected: str, config: Config
) -> None:
    assert message(config | override(CELL, values)).startswith(f"train.{CELL}.trial{expected}")


@pytest.mark.parametrize("part", ["backbone", "method"])
def test_override_cannot_hold_the_recipe_of_another_layer(part: str, config: Config) -> None:
    values = {part: {"recipe": {"epochs": 3}}}
    assert message(config | override(CELL, values)) == (
        f"train.{CELL}.trial.{part}.recipe: has no effect on a single trial. Valid: "
        f"train.{CELL}.trial.recipe"
    )


def test_crops_that_can_miss_the_image_are_refused(config: Config) -> None:
    config |= override(CELL, {"recipe": {"crop_padding": 32}})
    assert message(config) == (
        f"train.{CELL}.trial: recipe.crop_padding is 32, but the images of datasets.digits are 32 "
        f"pixels wide. Valid: less than 32"
    )
    config |= override(CELL, {"recipe": {"crop_padding": 31}})
    assert expand(config)[CELL].recipe.crop_padding == 31


def test_images_that_are_enlarged_many_times_are_refused(config: Config) -> None:
    config |= override(CELL, {"recipe": {"image_size": 1032}})
    assert message(config) == (
        f"train.{CELL}.trial: recipe.image_size is 1032, but the images of datasets.digits are 32 "
        f"pixels wide, and larger ones have no more detail. Valid: at most 1024"
    )
    config |= override(CELL, {"recipe": {"image_size": 1024}})
    assert expand(config)[CELL].recipe.image_size == 1024


@pytest.mark.parametrize("kind", ["supervised", "proco"])
def test_contrastive_views_that_would_all_be_the_same_are_refused(
    kind: str, config: Config
) -> None:
    branch = {"method": {"contrastive": {"kind": kind}}}
    config |= override(CELL, {**branch, "recipe": {"crop_padding": 0}})
    refused = (
        f"train.{CELL}.trial.method.contrastive: learns from several views of each image, but all "
        f"views would be the same. Set methods.ldam.contrastive.augmentation or, without it, "
        f"recipe.crop_padding or recipe.horizontal_flip"
    )
    assert message(config) == refused
    # Views with an augmentation of their own do not have that of the recipe.
    for flips, recipe in ((True, {"crop_padding": 0}), (False, {"horizontal_flip": True})):
        own = {"contrastive": {"kind": kind, "augmentation": {"horizontal_flip": flips}}}
        config |= override(CELL, {"method": own, "recipe": recipe})
        if flips:
            assert expand(config)[CELL].method.contrastive is not None
        else:
            assert message(config) == refused
    for augmentation in ({"horizontal_flip": True}, {"rotation": 5.0}, {"cutout": 4}):
        config |= override(CELL, {**branch, "recipe": {"crop_padding": 0, **augmentation}})
        assert expand(config)[CELL].method.contrastive is not None


def test_weights_that_are_deferred_beyond_the_training_are_refused(config: Config) -> None:
    for start, last in ((1 - 1e-12, False), (11.5 / 12, True)):
        config |= override(CELL, {"method": {"deferred_weights": {"start": start}}})
        if last:
            assert expand(config)[CELL].method.deferred_weights is not None
        else:
            assert message(config) == (
                f"train.{CELL}.trial.method.deferred_weights.start: is after the last of 12 "
                f"epochs, found {start}. The last one starts at 0.916667"
            )


@pytest.mark.parametrize("entry", ["backbone", "method"])
def test_override_cannot_rename_a_trial(entry: str, config: Config) -> None:
    """Its name would be another cell's, or none of the grid's."""
    whole = expand(config)["digits.balanced.convnext_micro.softmax.seed0"]
    values = {entry: getattr(whole, entry).model_dump()}
    assert f"train.{CELL}.trial" in message(config | override(CELL, values))


def test_override_must_be_below_trial(config: Config) -> None:
    config["train"] = {"digits": {"balanced": {"vit_micro": {"ldam": {"seed0": {"recipe": {}}}}}}}
    assert message(config).endswith(".ldam.seed0: the one valid key here is 'trial'")
    config["train"] = {"digits": {"balanced": {"vit_micro": {"ldam": {0: {"trial": {}}}}}}}
    assert message(config).endswith(".ldam: expected seed<number>, found '0'")
    config["train"] = {"digits": 3}
    assert message(config) == "train.digits: expected keys below it, found 3"


@pytest.mark.parametrize("registry", ["backbones", "methods"])
def test_misspelt_key_in_a_recipe_layer_is_refused(registry: str, config: Config) -> None:
    config[registry]["vit_micro" if registry == "backbones" else "ldam"]["recipe"] = {"epoch": 1}
    assert "unknown key 'epoch'. Did you mean 'epochs'?" in message(config)


def test_tables_are_numbered_as_in_the_thesis(config: Config) -> None:
    contents = tables(parse(config))
    assert list(contents) == ["digits"]
    shown = contents["digits"].tables
    assert [(t.number, t.backbone, t.train_set) for t in shown] == [
        (1, "vit_micro", "balanced"),
        (3, "vit_micro", "long_tailed"),
        (5, "convnext_micro", "balanced"),
        (7, "convnext_micro", "long_tailed"),
    ]
    assert list(shown[0].methods.items()) == [
        ("softmax", "Softmax"),
        ("ldam", "LDAM"),
        ("focal", "Focal loss"),
    ]
    assert {t.seeds for t in shown} == {tuple(config["grid"]["seeds"])}
    assert table_name(shown[1]) == "digits.vit_micro.long_tailed"


def test_models_are_nested_by_their_dotted_names(config: Config) -> None:
    parameters: Parameters = parse(config)
    trial = expand(config)[CELL]
    tree = nested({f"{CELL}.trial": trial, "digits.recipe": parameters.recipe})
    assert tree["digits"]["long_tailed"]["vit_micro"]["ldam"]["seed0"]["trial"] is trial
    assert tree["digits"]["recipe"] is parameters.recipe


def test_small_networks_refuse_images_that_do_not_fit(config: Config) -> None:
    config["recipe"]["image_size"] = 40
    assert message(config).startswith(
        "recipe.image_size: must be a multiple of 32 for the architecture convnext_micro, found 40 "
        "(in train.digits."
    )


@pytest.fixture
def unvalidated(config: Config) -> Config:
    """A data set all of whose official test images test."""
    config["datasets"]["digits"]["imbalance"]["holdout"] = {"kind": "official_test"}
    return config


def test_validating_without_validation_images_is_refused(unvalidated: Config) -> None:
    assert unvalidated["recipe"]["validate_every"] == 2
    assert message(unvalidated) == (
        "train.digits.balanced.vit_micro.softmax.seed0.trial: recipe.validate_every is 2, but "
        "datasets.digits.imbalance.holdout (official_test) leaves no image to validate on. Set "
        "recipe.validate_every to 0, or the holdout to {kind: official}"
    )


@pytest.mark.parametrize("layer", ["backbone", "method", "command line", "trial"])
def test_no_layer_of_the_recipe_validates_unnoticed(layer: str, unvalidated: Config) -> None:
    unvalidated["recipe"]["validate_every"] = 0
    assert len(expand(unvalidated)) == 24
    asked = {"validate_every": 5}
    command_line = None
    if layer == "backbone":
        unvalidated["backbones"]["vit_micro"]["recipe"] = asked
    elif layer == "method":
        unvalidated["methods"]["ldam"]["recipe"] = asked
    elif layer == "trial":
        unvalidated |= override(CELL, {"recipe": asked})
    else:
        command_line = asked
    with pytest.raises(ConfigurationError, match=r"recipe\.validate_every is 5.*leaves no image"):
        expand(unvalidated, command_line)


def test_another_data_set_may_validate(unvalidated: Config) -> None:
    """What the holdout of one leaves out matters to its own trials only."""
    unvalidated["grid"]["datasets"] = ["cifar100"]
    assert len(expand(unvalidated)) == 24


@pytest.mark.parametrize(
    ("axis", "value", "expected"),
    [
        ("seeds", [-1], "grid.seeds.0: Input should be greater than or equal to 0, found -1"),
        (
            "seeds",
            ["a"],
            "grid.seeds.0: Input should be a valid integer, found 'a'",
        ),
        (
            "train_sets",
            ["balancd"],
            "grid.train_sets.0: Input should be 'balanced', 'long_tailed', 'matched' or 'natural', "
            "found 'balancd'",
        ),
        ("seeds", [], "grid.seeds: give at least one, found none"),
        ("seeds", 0, "grid.seeds: should be a list, such as [0], found 0"),
        ("methods", "ldam", "grid.methods: should be a list, such as [ldam], found 'ldam'"),
    ],
)
def test_a_wrong_axis_is_one_line(
    axis: str, value: Any, expected: str, base_config: Config
) -> None:
    base_config["grid"][axis] = value
    assert message(base_config) == expected


def test_a_frozen_network_starts_from_pretrained_weights(config: Config) -> None:
    config["recipe"]["freeze"] = "backbone"
    assert (
        "recipe.freeze: is backbone, but the network would start from random weights. There are "
        "none to download of vit_micro: leave out the method or the backbone, give weights in a "
        "file (backbones.vit_micro.weights), or set recipe.freeze to none (in "
        "train.digits.balanced.vit_micro.softmax.seed0.trial)"
    ) in message(config)
    config["backbones"]["vit_micro"]["architecture"] = "vit_tiny_patch16_224"
    assert "weights. Set backbones.vit_micro.pretrained to true, or set" in message(config)
    config["backbones"]["vit_micro"]["architecture"] = "vit_micro"
    for name in ("vit_micro", "convnext_micro"):
        config["backbones"][name] |= {"pretrained": True, "weights": "w.npz"}
    assert {trial.recipe.freeze for trial in expand(config).values()} == {"backbone"}


def test_cached_views_that_would_all_be_the_same_are_refused(config: Config) -> None:
    for name in ("vit_micro", "convnext_micro"):
        config["backbones"][name] |= {"pretrained": True, "weights": "w.npz", "recipe": {}}
    config["recipe"] |= {"freeze": "backbone", "cached_views": 4, "crop_padding": 0}
    assert "recipe.cached_views: is 4, but all views would be the same" in message(config)
    config["recipe"]["horizontal_flip"] = True
    assert {trial.recipe.cached_views for trial in expand(config).values()} == {4}


def test_augmentation_that_a_frozen_network_would_not_see_is_refused(config: Config) -> None:
    for name in ("vit_micro", "convnext_micro"):
        config["backbones"][name] |= {"pretrained": True, "weights": "w.npz", "recipe": {}}
    config["recipe"] |= {"freeze": "backbone", "rand_augment": {"operations": 2, "magnitude": 9}}
    assert "recipe.rand_augment: has no effect with recipe.freeze: backbone" in message(config)
    # The views but for the first are augmented.
    config["recipe"] |= {"cached_views": 2, "crop_padding": 0, "horizontal_flip": False}
    assert {trial.recipe.cached_views for trial in expand(config).values()} == {2}


def test_lift_augments_the_images_of_a_frozen_network_with_adapters(config: Config) -> None:
    config["grid"] |= {"methods": ["lift"], "backbones": ["vit_micro"]}
    refused = message(config)
    assert refused.startswith("methods.lift.recipe.freeze: is backbone, but the network would ")
    config["backbones"]["vit_micro"] |= {"pretrained": True, "weights": "w.npz"}
    for trial in expand(config).values():
        recipe = trial.recipe
        assert (recipe.freeze, recipe.cosine_start) == ("backbone", "class_means")
        assert (recipe.optimizer, recipe.learning_rate, recipe.epochs) == ("sgd", 0.01, 10)
        assert recipe.random_resized_crop is not None
        assert recipe.adapters is not None
        assert recipe.needs_layers
        assert not recipe.has_fixed_features
        assert trial.method.family == "transfer-learning"
