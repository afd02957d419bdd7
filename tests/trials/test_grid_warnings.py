from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from longtail.parameters import (
    LDAM,
    Backbone,
    BalancedSoftmax,
    Classifier,
    CustomLoss,
    DeferredWeights,
    Equalization,
    Experts,
    Focal,
    LabelAwareSmoothing,
    LogitAdjustment,
    Loss,
    Method,
    PostHocLogitAdjustment,
    PowerSampling,
    Recipe,
    SecondStage,
    Softmax,
    Trial,
)
from longtail.parameters.layers import merge
from longtail.parameters.run import parse
from longtail.trials import grid
from longtail.trials.grid_warnings import double_corrections, method_warnings, no_effect_warnings
from tests.custom_losses import Given

from ..conftest import PROJECT
from .losses import ONE_OF_EACH

BALANCED = PowerSampling(kind="power", exponent=0)
SOFTMAX = Softmax(name="softmax")
COSINE = Classifier(kind="cosine", scale=30)
ADJUSTED = PostHocLogitAdjustment(kind="logit_adjustment", tau=(1.0,))


@pytest.mark.parametrize(
    ("loss", "deferred", "twice"),
    [
        (Softmax(name="softmax"), None, False),
        (BalancedSoftmax(name="balanced_softmax"), None, True),
        (Softmax(name="softmax"), DeferredWeights(), True),
    ],
)
def test_sampling_with_a_loss_for_class_imbalance_corrects_twice(
    loss: Any, deferred: Any, twice: bool
) -> None:
    method = Method(name="m", label="L", loss=loss, deferred_weights=deferred, sampling=BALANCED)
    assert bool(double_corrections(method)) == twice
    assert not double_corrections(method.model_copy(update={"sampling": None}))


@pytest.mark.parametrize(
    ("loss", "experts", "twice"),
    [
        (Softmax(name="softmax"), None, False),
        (LDAM(name="ldam"), None, False),  # margins are no prior: LDAM-DRW is as published
        (BalancedSoftmax(name="balanced_softmax"), None, True),
        (Softmax(name="softmax"), Experts(tau=(0, 1, 2)), True),
        (Softmax(name="softmax"), Experts(), False),
    ],
)
def test_deferred_weights_with_a_loss_for_class_imbalance_correct_twice(
    loss: Any, experts: Any, twice: bool
) -> None:
    weights = DeferredWeights()
    method = Method(name="m", label="L", loss=loss, deferred_weights=weights, experts=experts)
    assert bool(double_corrections(method)) == twice
    assert not double_corrections(method.model_copy(update={"deferred_weights": None}))


def test_the_warning_names_what_corrects_twice() -> None:
    loss = BalancedSoftmax(name="balanced_softmax")
    method = Method(name="m", label="L", loss=loss, sampling=BALANCED)
    assert list(method_warnings(method)) == [
        "methods.m corrects class imbalance more than once, by its loss and sampling, and favours "
        "rare classes"
    ]
    deferred = method.model_copy(update={"deferred_weights": DeferredWeights()})
    assert double_corrections(deferred) == ["loss", "deferred_weights", "sampling"]
    assert double_corrections(Method(name="m", label="L", loss=loss, post_hoc=ADJUSTED)) == [
        "loss",
        "post_hoc",
    ]


@pytest.mark.parametrize("loss", ONE_OF_EACH, ids=lambda loss: loss.name)
def test_what_a_loss_does_to_classes_is_seen_in_its_canonical_form(loss: Loss) -> None:
    method = Method(name="m", label="L", loss=loss, sampling=BALANCED)
    plain = (Softmax, Focal, Equalization, LDAM, LabelAwareSmoothing)
    assert bool(double_corrections(method)) == (not isinstance(loss, plain))


def test_a_logit_adjustment_of_nothing_does_not_re_balance() -> None:
    none = LogitAdjustment(name="logit_adjustment", tau=0)
    assert not double_corrections(Method(name="m", label="L", loss=none, sampling=BALANCED))


def test_a_loss_of_the_users_re_balances_by_its_form(monkeypatch: pytest.MonkeyPatch) -> None:
    enet = CustomLoss(name="custom", type="tests.custom_losses.ENet")
    assert double_corrections(Method(name="m", label="L", loss=enet, sampling=BALANCED))
    given = CustomLoss(name="custom", type="tests.custom_losses.Given")
    monkeypatch.setattr(Given, "form", {"focus": 1.0})
    assert not double_corrections(Method(name="m", label="L", loss=given, sampling=BALANCED))
    # What is only possible for other numbers of classes is not known before their images are.
    short = CustomLoss(name="custom", type="tests.custom_losses.TooShort")
    assert not double_corrections(Method(name="m", label="L", loss=short, sampling=BALANCED))


@pytest.mark.parametrize(
    ("values", "twice"),
    [
        ({"loss": SOFTMAX}, False),
        ({"loss": LDAM(name="ldam")}, False),
        ({"loss": BalancedSoftmax(name="balanced_softmax")}, True),
        ({"loss": SOFTMAX, "deferred_weights": DeferredWeights()}, True),
        ({"loss": SOFTMAX, "experts": Experts(tau=(0, 1, 2))}, True),
        # Logits are adjusted after the second stage, whose loss is softmax.
        (
            {
                "loss": BalancedSoftmax(name="balanced_softmax"),
                "second_stage": SecondStage(epochs=2),
            },
            False,
        ),
    ],
)
def test_an_adjustment_of_logits_with_a_loss_for_class_imbalance_corrects_twice(
    values: dict[str, Any], twice: bool
) -> None:
    assert (
        bool(double_corrections(Method(name="m", label="L", post_hoc=ADJUSTED, **values))) == twice
    )
    nothing = ADJUSTED.model_copy(update={"tau": (0.0,)})
    assert not double_corrections(Method(name="m", label="L", post_hoc=nothing, **values))


def test_ldam_without_cosines_is_told_with_the_key_of_its_classifier() -> None:
    ldam = LDAM(name="ldam")
    advice = (
        " is the default, linear, but the margins of LDAM are between cosines. Set it to {kind: "
        "cosine, scale: 30}, which is LDAM as published"
    )
    assert list(method_warnings(Method(name="m", label="L", loss=ldam))) == [
        f"methods.m.classifier{advice}"
    ]
    assert list(method_warnings(Method(name="m", label="L", loss=ldam, classifier=COSINE))) == []
    later = SecondStage(epochs=2, loss=ldam)
    assert list(method_warnings(Method(name="m", label="L", loss=SOFTMAX, second_stage=later))) == [
        f"methods.m.second_stage.classifier{advice}"
    ]
    cosine = later.model_copy(update={"start": "random", "classifier": COSINE})
    assert (
        list(method_warnings(Method(name="m", label="L", loss=SOFTMAX, second_stage=cosine))) == []
    )


@pytest.mark.parametrize(
    "environment", sorted(path.parent for path in (PROJECT / "conf").glob("*/parameters"))
)
def test_no_environment_has_warnings(environment: Path, base_config: dict[str, Any]) -> None:
    files = sorted(environment.glob("parameters/*.yml"))
    layers = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    parameters = parse(merge(base_config, *layers))
    methods = parameters.methods.values()
    assert [sentence for method in methods for sentence in method_warnings(method)] == []
    assert list(no_effect_warnings(grid.trials(parameters))) == []


def test_cached_views_that_no_trial_uses_are_named(
    make_trial: Callable[..., Trial], make_recipe: Callable[..., Recipe]
) -> None:
    backbone = Backbone(name="r", label="R", architecture="resnet18", pretrained=True)
    views = {"cached_views": 4, "crop_padding": 2}
    trials = [make_trial(recipe=make_recipe(**views))]
    assert list(no_effect_warnings(trials)) == [
        "recipe.cached_views has no effect: no trial that has it has a frozen backbone without "
        "adapters (recipe.freeze: backbone)",
    ]
    trials.append(make_trial(backbone=backbone, recipe=make_recipe(**views, freeze="backbone")))
    assert list(no_effect_warnings(trials)) == []
    assert list(no_effect_warnings([make_trial()])) == []


FROZEN = {"freeze": "backbone"}


@pytest.mark.parametrize(
    ("unused", "used", "sentence"),
    [
        (
            {"recipe": {"cosine_start": "class_means"}},
            {"recipe": {"cosine_start": "class_means", **FROZEN}},
            "recipe.cosine_start has no effect: no trial that has it has a frozen backbone "
            "(recipe.freeze: backbone)",
        ),
        (
            {"recipe": {"layer_decay": 0.7, **FROZEN}},
            {"recipe": {"layer_decay": 0.7, "freeze": 0.5}},
            "recipe.layer_decay has no effect: in all trials that have it the backbone is frozen, "
            "and the classifier is one layer. Set recipe.freeze to none or a share of the layers, "
            "or recipe.layer_decay to 1",
        ),
        (
            {"recipe": FROZEN, "experts": Experts(shared=0.5)},
            {"experts": Experts(shared=0.5)},
            "methods.m.experts.shared has no effect: experts always share a frozen backbone "
            "(recipe.freeze: backbone). Leave it out",
        ),
        (
            {"backbone": {"weights": "w.npz"}},
            {"backbone": {"weights": "w.npz", "pretrained": True}},
            "backbones.b.weights has no effect: the network starts from random weights. Set "
            "pretrained of this backbone to true",
        ),
        (
            {"draw_per_seed": True, "train_set": "natural"},
            {"draw_per_seed": True, "train_set": "balanced"},
            "grid.draw_per_seed has no effect: the training set natural has all images, so that "
            "all seeds train on the same ones",
        ),
    ],
)
def test_a_key_that_changes_no_trial_is_named(
    unused: dict[str, Any],
    used: dict[str, Any],
    sentence: str,
    make_trial: Callable[..., Trial],
    make_recipe: Callable[..., Recipe],
) -> None:
    def trial(values: dict[str, Any]) -> Trial:
        rest = dict(values)
        network: dict[str, Any] = {"name": "b", "label": "B", "architecture": "vit_micro"}
        return make_trial(
            recipe=make_recipe(**rest.pop("recipe", {})),
            backbone=Backbone(**network | rest.pop("backbone", {})),
            method=Method(name="m", label="M", loss=SOFTMAX, experts=rest.pop("experts", None)),
            **rest,
        )

    assert list(no_effect_warnings([trial(unused)])) == [sentence]
    assert list(no_effect_warnings([trial(used)])) == []
    assert list(no_effect_warnings([trial(unused), trial(used)])) == []
