"""Every loss with parameters that matter, the batches it is tried on, and its expected value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import settings, strategies as st
from torch import Tensor

from longtail.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from longtail.learning.training.criterion import Criterion
from longtail.parameters import (
    LDAM,
    BalancedSoftmax,
    CanonicalLoss,
    ClassBalanced,
    ClassDependentTemperatures,
    Classifier,
    DeferredWeights,
    Equalization,
    Focal,
    LabelAwareSmoothing,
    LogitAdjustment,
    Loss,
    Method,
    Softmax,
    VectorScaling,
    WeightedSoftmax,
)
from longtail.trials.loss_schedule import loss_schedule
from tests.learning.training import reference_losses as reference

LINEAR = Classifier()
SCALED = Classifier(kind="linear", scale=30)
COSINE = Classifier(kind="cosine", scale=30)

# The same examples in every run, few enough to be quick.
SEEDED = settings(derandomize=True, max_examples=20)


@dataclass(frozen=True)
class Case:
    """A loss as a method trains with it in its last epoch."""

    loss: Loss
    classifier: Classifier = LINEAR
    deferred_beta: float | None = None

    def form(self, n: Int64Array) -> CanonicalLoss:
        deferred = None if self.deferred_beta is None else DeferredWeights(beta=self.deferred_beta)
        method = Method(
            name="case",
            label="L",
            loss=self.loss,
            classifier=self.classifier,
            deferred_weights=deferred,
        )
        return loss_schedule(method, n, epochs=10).last

    @property
    def name(self) -> str:
        values = list(self.loss.model_dump().values())
        deferred = [] if self.deferred_beta is None else [f"drw{self.deferred_beta}"]
        return "-".join(
            map(str, [*values, f"{self.classifier.kind}{self.classifier.scale:g}", *deferred])
        )


def weighted_softmax(convention: str, exponent: float = 1.0) -> WeightedSoftmax:
    values = {"name": "weighted_softmax", "convention": convention, "exponent": exponent}
    return WeightedSoftmax.model_validate(values)


CASES = [
    Case(Softmax(name="softmax")),
    Case(Focal(name="focal", gamma=2)),
    Case(Focal(name="focal", gamma=0.5)),
    Case(weighted_softmax("balanced")),
    Case(weighted_softmax("min_ratio", 0.5)),
    Case(weighted_softmax("log")),
    Case(ClassBalanced(name="class_balanced", beta=0.9)),
    Case(ClassBalanced(name="class_balanced", beta=0.9999)),
    Case(BalancedSoftmax(name="balanced_softmax")),
    Case(LogitAdjustment(name="logit_adjustment", tau=1)),
    Case(LogitAdjustment(name="logit_adjustment", tau=2.5)),
    Case(Equalization(name="equalization", threshold=0.02, probability=0.9)),
    Case(LDAM(name="ldam", max_margin=0.5), COSINE),
    Case(LDAM(name="ldam", max_margin=0.5), SCALED),
    Case(ClassDependentTemperatures(name="cdt", gamma=0.3)),
    Case(VectorScaling(name="vs", gamma=0.15, tau=1)),
    Case(LabelAwareSmoothing(name="label_aware_smoothing", head=0.4, tail=0.1)),
    Case(LabelAwareSmoothing(name="label_aware_smoothing", head=0.1, tail=0.1)),
    Case(VectorScaling(name="vs", gamma=0.3, tau=1), deferred_beta=0.9999),
    Case(Softmax(name="softmax"), deferred_beta=0.9999),
    Case(weighted_softmax("min_ratio", 0.5), deferred_beta=0.99),
    Case(Focal(name="focal", gamma=2), deferred_beta=0.9999),
    Case(LDAM(name="ldam", max_margin=0.5), COSINE, deferred_beta=0.9999),
]
EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
EVERY_FIXED_CASE = pytest.mark.parametrize(
    "case", [c for c in CASES if not isinstance(c.loss, Equalization)], ids=lambda case: case.name
)

# Temperatures scale the logits of a class, and so what is added to all of them.
EVERY_UNSCALED_CASE = pytest.mark.parametrize(
    "case",
    [c for c in CASES if not isinstance(c.loss, ClassDependentTemperatures | VectorScaling)],
    ids=lambda case: case.name,
)


@dataclass(frozen=True)
class Batch:
    """Logits float32 (samples, classes), labels (samples,), and training images by class."""

    z: Float32Array
    y: Int64Array
    n: Int64Array

    @property
    def reach(self) -> float:
        """How large numbers become on the way to a loss; float32 rounds in proportion."""
        return float(np.abs(self.z).max()) + 40


def batch(seed: int, classes: int, largest_count: int, spread: float, samples: int) -> Batch:
    """Drawn whole from a seed, which is much faster than number by number."""
    random = np.random.default_rng(seed)
    counts = np.exp(random.uniform(0, np.log(largest_count), classes)).round().astype(np.int64)
    return Batch(
        z=random.uniform(-spread, spread, (samples, classes)).astype(np.float32),
        y=random.integers(0, classes, samples),
        n=counts,
    )


def batches(
    spreads: tuple[float, ...], classes: int = 200, samples: int = 16
) -> st.SearchStrategy[Batch]:
    """2 to ``classes`` classes of 1 to 100,000 images, and logits up to one of ``spreads``."""
    return st.builds(
        batch,
        seed=st.integers(0, 2**32),
        classes=st.integers(2, classes),
        largest_count=st.sampled_from([1, 10, 500, 100_000]),
        spread=st.sampled_from(spreads),
        samples=st.integers(1, samples),
    )


def value(form: CanonicalLoss, z: Tensor, y: Int64Array, seed: int = 0) -> Tensor:
    result: Tensor = Criterion(form, seed)(z, torch.from_numpy(y))
    return result


def value_and_gradient(form: CanonicalLoss, z: Tensor, y: Int64Array) -> tuple[Tensor, Tensor]:
    """The mean loss of the logits, and its slope along each of them."""
    leaf = z.clone().requires_grad_()
    result = value(form, leaf, y)
    (gradient,) = torch.autograd.grad(result, leaf)
    return result.detach(), gradient


def drawn(shape: tuple[int, int], probability: float, seed: int = 0) -> BoolArray:
    """Which negatives a criterion with this seed may spare in its first batch."""
    chance = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
    result: BoolArray = (chance < probability).numpy()
    return result


def expected(case: Case, z: Float64Array, y: Int64Array, counts: Int64Array) -> float:
    """The mean loss of float64 logits by the papers' formulas."""
    n = counts.astype(np.float64)
    weights = np.ones(len(n))
    match case.loss:
        case Softmax():
            losses = reference.softmax(z, y)
        case Focal(gamma=gamma):
            losses = reference.focal(z, y, gamma)
        case WeightedSoftmax(convention=convention, exponent=exponent):
            losses = reference.softmax(z, y)
            weights = reference.class_weights(n, convention, exponent)
        case ClassBalanced(beta=beta):
            losses = reference.softmax(z, y)
            weights = reference.class_weights(n, "effective_number", beta)
        case BalancedSoftmax():
            losses = reference.balanced_softmax(z, y, n)
        case LogitAdjustment(tau=tau):
            losses = reference.logit_adjustment(z, y, n, tau)
        case Equalization(threshold=threshold, probability=probability):
            mask = drawn((len(z), len(n)), probability)
            losses = reference.equalization(z, y, n, threshold, mask)
        case LDAM(max_margin=max_margin):
            scale = case.classifier.scale
            losses = reference.ldam(z / scale, y, n, max_margin, scale)
        case ClassDependentTemperatures(gamma=gamma):
            losses = reference.vector_scaling(z, y, n, gamma, 0)
        case VectorScaling(gamma=gamma, tau=tau):
            losses = reference.vector_scaling(z, y, n, gamma, tau)
        case LabelAwareSmoothing(head=head, tail=tail):
            losses = reference.label_aware_smoothing(z, y, n, head, tail)
    if case.deferred_beta is not None:
        weights = weights * reference.class_weights(n, "effective_number", case.deferred_beta)
    return reference.weighted_mean(losses, weights, y)
