from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor, nn

from longtail.learning.augmentation.epoch import Augmentation, shuffled
from longtail.learning.augmentation.mixup_cutmix import MixupCutmix
from longtail.learning.data.image_source import ResidentImages
from longtail.learning.execution import Execution
from longtail.learning.training.cached_views import FeatureClassifier
from longtail.learning.training.checkpoint import Checkpoint
from longtail.learning.training.epoch_mixing import epoch_mixing, mixes_in
from longtail.learning.training.train import TrainingResult, train
from longtail.learning.training.training_state import TrainingState
from longtail.parameters import (
    CanonicalLoss,
    DeferredWeights,
    Method,
    Mixing,
    PowerSampling,
    Softmax,
    Trial,
)
from longtail.sources.digits import read_digits
from longtail.trials.loss_schedule import LossSchedule, loss_schedule
from tests.learning.training.jobs import killed_after, resumed, same_weights, training_job

DIGITS = read_digits(16)
COUNTS = np.array([2000, 400, 80, 20])
LABELS = torch.from_numpy(np.repeat(np.arange(4), COUNTS))[
    torch.randperm(int(COUNTS.sum()), generator=torch.Generator().manual_seed(0))
]
CUTMIX: dict[str, Any] = {"kind": "cutmix", "alpha": 1.0}
CMO: dict[str, Any] = {**CUTMIX, "partner_exponent": 0.0}
MakeState = Callable[..., TrainingState]
# Of an image that is not pasted, where a pasted one has its label.
BLANK = 9


@pytest.fixture
def make_state(make_recipe: Callable[..., Any]) -> MakeState:
    """The state of a training on images of four pixels."""

    def make(mixing: dict[str, Any], seed: int = 0) -> TrainingState:
        recipe = make_recipe(epochs=10, image_size=2, mixing=mixing)
        execution = Execution(torch.device("cpu"), "float32", "never")
        model = FeatureClassifier(nn.Linear(12, 4))
        return TrainingState(model, LossSchedule(CanonicalLoss()), recipe, seed, execution)

    return make


def mixed_epoch(state: TrainingState, labels: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
    """The mixed images of each batch, and the labels that its loss is computed for."""
    shape = (len(labels), 3, 2, 2)
    pixels = labels.to(torch.uint8)[:, None, None, None].expand(shape).contiguous()
    batches = shuffled(len(labels), 50, torch.Generator().manual_seed(1), torch.device("cpu"))
    augment = Augmentation(state.recipe).epoch
    result = []
    with closing(epoch_mixing(state, ResidentImages(pixels), labels, batches, augment)) as mixing:
        for step, numbers in enumerate(batches):
            asked: list[Tensor] = []

            def criterion(_: Tensor, labels: Tensor, asked: list[Tensor] = asked) -> Tensor:
                asked.append(labels)
                return torch.zeros(())

            shown = mixing.images(torch.full((len(numbers), 3, 2, 2), float(BLANK)), step)
            mixing.loss(criterion, torch.zeros(len(numbers), 4), labels[numbers], step)
            assert torch.equal(asked[0], labels[numbers])
            result.append((shown, asked))
    return result


def test_partners_are_drawn_by_the_power_of_their_class_and_pasted(make_state: MakeState) -> None:
    for exponent in (0.0, 0.5):
        partners = []
        for seed in range(8):
            state = make_state({**CMO, "partner_exponent": exponent}, seed)
            for shown, (_, labels) in mixed_epoch(state, LABELS):
                partners.append(labels)
                of_label = shown == labels[:, None, None, None]
                assert ((shown == BLANK) | of_label).all()
        powers = COUNTS**exponent
        found = np.bincount(torch.cat(partners), minlength=4)
        assert chisquare(found, found.sum() * powers / powers.sum()).pvalue > 1e-3


def test_partners_of_equal_classes_are_those_of_cutmix(make_state: MakeState) -> None:
    equal = torch.arange(4).repeat(100)
    for cmo, cutmix in zip(
        mixed_epoch(make_state(CMO), equal), mixed_epoch(make_state(CUTMIX), equal), strict=True
    ):
        assert torch.equal(cmo[0], cutmix[0])
        assert all(map(torch.equal, cmo[1], cutmix[1]))


def test_partner_of_plain_mixing_is_the_image_before(make_state: MakeState) -> None:
    for _, (own, partners) in mixed_epoch(make_state(CUTMIX), LABELS):
        assert torch.equal(partners, own.roll(1))


def test_batches_that_are_not_mixed_stay_as_they_are(make_state: MakeState) -> None:
    epoch = mixed_epoch(make_state({**CMO, "probability": 0.5}), LABELS)
    plain = [shown for shown, labels in epoch if len(labels) == 1]
    assert 15 < len(plain) < 35  # of 50
    assert all((shown == BLANK).all() for shown in plain)
    assert any((shown != BLANK).any() for shown, labels in epoch if len(labels) == 2)


@pytest.mark.parametrize("mixing", [{**CMO, "probability": 1e-9}, {**CMO, "start": 0.5}])
def test_epoch_without_mixed_batches_is_plain(
    mixing: dict[str, Any], make_state: MakeState
) -> None:
    assert all((s == BLANK).all() for s, _ in mixed_epoch(make_state(mixing), LABELS))


def test_partners_depend_on_seed_and_epoch_alone(make_state: MakeState) -> None:
    def drawn(seed: int, epoch: int) -> Tensor:
        state = make_state(CMO, seed)
        state.history = [{}] * (epoch - 1)
        torch.rand(3, generator=state.generator)
        return torch.cat([labels[1] for _, labels in mixed_epoch(state, LABELS)])

    assert torch.equal(drawn(0, 1), drawn(0, 1))
    assert not torch.equal(drawn(0, 1), drawn(0, 2))
    assert not torch.equal(drawn(0, 1), drawn(1, 1))


def test_epochs_at_the_start_and_the_end_have_no_mixing() -> None:
    def epochs(of: int, **share: float) -> list[int]:
        mixing = Mixing(kind="cutmix", alpha=1, **share)  # type: ignore[arg-type]
        return [epoch for epoch in range(1, of + 1) if mixes_in(mixing, epoch, of)]

    # As in the code of Park et al. 2022: the 5th of 200 epochs to the third from last but one.
    assert epochs(200, start=0.02, end=0.985) == list(range(5, 198))
    assert epochs(10, start=0.29, end=0.71) == [3, 4, 5, 6, 7, 8]
    assert epochs(1, start=0.9, end=0.95) == [1]
    assert epochs(3) == [1, 2, 3]


def trained(
    trial: Trial, checkpoint: Checkpoint | None = None, last: int = 0, counts: Any = None
) -> TrainingResult:
    """Train on a long tail of digits, and stop as a killed process does after epoch ``last``."""
    labels = DIGITS.index["label"].to_numpy()
    counts = [30 - 3 * c for c in range(10)] if counts is None else counts
    images = np.concatenate([np.flatnonzero(labels == c)[:n] for c, n in enumerate(counts)])
    losses = loss_schedule(trial.method, np.array(counts), trial.recipe.epochs)
    sampling = trial.method.sampling
    job = training_job(trial, losses, labels, images, np.arange(1500, 1520), sampling=sampling)
    return train(job, DIGITS.pixels, None, killed_after(last), checkpoint)


REMIX: dict[str, Any] = {"kind": "mixup", "alpha": 1.0, "remix": {"kappa": 2.0, "tau": 0.5}}
SAMPLED = PowerSampling(kind="power", exponent=0.5)
DEFERRED = DeferredWeights(beta=0.99, start=0.5)
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "cmo": ({"mixing": {**CMO, "probability": 0.5, "start": 0.25}}, {}, {}),
    "cmo streamed, bf16, averaged": (
        {"mixing": CMO, "precision": "bfloat16", "ema_decay": 0.5, "crop_padding": 2},
        {"images": "streaming"},
        {},
    ),
    "remix, sampled, deferred": ({"mixing": REMIX}, {}, {"sampling": SAMPLED}),
    "remix, partners of rare classes, deferred": (
        {"mixing": {**REMIX, "partner_exponent": 0.0}}, {}, {"deferred_weights": DEFERRED},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("recipe", "compute", "method"), CASES.values(), ids=CASES)
def test_mixed_training_resumes_with_the_same_bits(
    recipe: dict[str, Any],
    compute: dict[str, Any],
    method: dict[str, Any],
    make_trial: Any,
    make_recipe: Any,
    tmp_path: Path,
) -> None:
    trial = make_trial(
        recipe=make_recipe(epochs=4, **recipe),
        method=Method(name="m", label="M", loss=Softmax(name="softmax"), **method),
    )
    trial = trial.model_copy(update={"compute": trial.compute.model_copy(update=compute)})
    whole = resumed(partial(trained, trial), tmp_path, last=3)
    plain = trial.model_copy(update={"recipe": trial.recipe.model_copy(update={"mixing": None})})
    assert not same_weights(whole, trained(plain))


def test_streamed_training_has_the_bits_of_the_resident_one(
    make_trial: Any, make_recipe: Any
) -> None:
    trial = make_trial(recipe=make_recipe(epochs=2, mixing=CMO, crop_padding=2))
    streaming = trial.compute.model_copy(update={"images": "streaming"})
    assert same_weights(trained(trial), trained(trial.model_copy(update={"compute": streaming})))


@pytest.mark.parametrize(
    ("one", "other", "counts"),
    [
        (CMO, CUTMIX, [12] * 10),
        ({**REMIX, "remix": {"kappa": 20.0}}, {**REMIX, "remix": None}, None),
    ],
    ids=["cmo on equal classes is cutmix", "remix of no two classes is mixup"],
)
def test_neutral_settings_train_the_same_bits(
    one: dict[str, Any], other: dict[str, Any], counts: Any, make_trial: Any, make_recipe: Any
) -> None:
    first, second = (
        trained(make_trial(recipe=make_recipe(epochs=2, mixing=mixing)), counts=counts)
        for mixing in (one, other)
    )
    assert same_weights(first, second)
    plain = trained(make_trial(recipe=make_recipe(epochs=2)), counts=counts)
    assert not same_weights(first, plain)


def test_late_mixing_leaves_the_epochs_before(make_trial: Any, make_recipe: Any) -> None:
    late, plain = (
        trained(make_trial(recipe=make_recipe(epochs=4, mixing=mixing))).history["train_loss"]
        for mixing in ({**CMO, "start": 0.75}, None)
    )
    np.testing.assert_array_equal(late[:3], plain[:3])
    assert late[3] != plain[3]


def test_mixup_of_batches_is_unchanged_by_newer_settings() -> None:
    plain = Mixing(kind="cutmix", alpha=1)
    given = Mixing(kind="cutmix", alpha=1, partner_exponent=1, probability=1, start=0, end=1)
    assert plain.model_dump(exclude_defaults=True) == given.model_dump(exclude_defaults=True)
    assert plain.model_dump(exclude_defaults=True) == {"kind": "cutmix", "alpha": 1}
    drawn = MixupCutmix(plain, 3, 8, torch.Generator().manual_seed(0), torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    # As many random numbers as before.
    torch.randint(0, 2**62, (1,), generator=generator)
    torch.rand((2, 3), generator=generator)
    after = torch.Generator().manual_seed(0)
    MixupCutmix(plain, 3, 8, after, torch.device("cpu"))
    assert drawn.mixed == [True] * 3
    assert torch.equal(after.get_state(), generator.get_state())
