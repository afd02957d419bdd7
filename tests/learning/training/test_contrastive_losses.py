"""Contrastive losses against references in NumPy and scipy, and their gradients."""

from __future__ import annotations

from math import lgamma, log

import numpy as np
import pytest
import torch
from scipy.special import ive
from torch.nn import functional as F

from longtail.learning.training.contrastive_losses import (
    MAX_CONCENTRATION,
    ProCo,
    SupervisedContrastive,
    log_bessel,
    proco_logits,
)

T = 0.1
DIMENSION = 128
COUNTS = torch.tensor([6, 3, 1])


def unit_vectors(count: int, dimension: int = DIMENSION, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(count, dimension, generator=generator, dtype=torch.float64))


def proco(seed: int = 0, counts: torch.Tensor = COUNTS) -> ProCo:
    return ProCo(T, counts, DIMENSION, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("order", [15, 31, 63])
def test_bessel_function_is_scipys(order: int) -> None:
    k = np.logspace(-1, 5.1, 200)
    expected = np.log(ive(order, k)) + k - order * np.log(k)
    found = log_bessel(order, torch.from_numpy(k) ** 2).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-9 if order == 15 else 1e-12, atol=5e-9)
    at_zero = log_bessel(order, torch.zeros(1, dtype=torch.float64)).item()
    assert at_zero == pytest.approx(-order * log(2) - lgamma(order + 1), rel=1e-9)


def test_gradient_of_the_bessel_function_is_the_ratio_of_two() -> None:
    k = torch.logspace(-1, 5, 50, dtype=torch.float64, requires_grad=True)
    [gradient] = torch.autograd.grad(log_bessel(63, k**2).sum(), k)
    x = k.detach().numpy()
    # d/dk (log I_v(k) - v log k) = I_{v+1}(k) / I_v(k)
    np.testing.assert_allclose(gradient.numpy(), ive(64, x) / ive(63, x), rtol=1e-9)


def test_supervised_contrastive_is_the_formula_of_the_paper() -> None:
    vectors, labels = unit_vectors(7), np.array([0, 1, 0, 2, 1, 0, 3])
    z = vectors.numpy()
    losses = []
    for i in range(7):
        others = [a for a in range(7) if a != i]
        positives = [p for p in others if labels[p] == labels[i]]
        if positives:
            total = sum(np.exp(z[i] @ z[a] / T) for a in others)
            losses.append(-np.mean([np.log(np.exp(z[i] @ z[p] / T) / total) for p in positives]))
    assert len(losses) == 5
    found = SupervisedContrastive(T)(vectors, torch.from_numpy(labels))
    assert found.item() == pytest.approx(np.mean(losses), rel=1e-12)


def test_supervised_contrastive_without_two_images_of_a_class_is_zero() -> None:
    vectors = unit_vectors(3).requires_grad_()
    loss = SupervisedContrastive(T)(vectors, torch.arange(3))
    [gradient] = torch.autograd.grad(loss, vectors)
    assert loss.item() == 0
    assert not gradient.any()


def reference_logits(z: np.ndarray, means: np.ndarray) -> np.ndarray:
    """The expectation of Du et al. 2024 in closed form, with scipy's Bessel functions."""
    order = DIMENSION / 2 - 1

    def log_constant(kappa: float) -> float:
        return float(order * np.log(kappa) - np.log(ive(order, kappa)) - kappa)

    logits = np.empty((len(z), len(means)))
    for c, mean in enumerate(means):
        norm = float(np.linalg.norm(mean))
        kappa = min(DIMENSION * norm / (1 - norm**2), 1e5)
        for i, vector in enumerate(z):
            tilted = np.linalg.norm(kappa * mean / norm + vector / T)
            logits[i, c] = log_constant(kappa) - log_constant(float(tilted))
    return logits


def test_proco_is_the_formula_of_the_paper_at_all_concentrations() -> None:
    norms = torch.tensor([1e-3, 0.1, 0.5, 0.9, 0.999, 1 - 1e-9], dtype=torch.float64)
    vectors, means = unit_vectors(5), norms[:, None] * unit_vectors(6, seed=1)
    found = proco_logits(vectors, means, T).numpy()
    np.testing.assert_allclose(
        found, reference_logits(vectors.numpy(), means.numpy()), rtol=1e-8, atol=1e-8
    )


def test_proco_of_a_class_of_equal_vectors_is_their_cosine() -> None:
    vectors, means = unit_vectors(4), unit_vectors(3, seed=1)
    cosines = vectors @ means.T / T
    # The largest concentration is finite: to first order, this is left of the spread.
    left = (T**-2 + DIMENSION / T) / (2 * MAX_CONCENTRATION)
    found = proco_logits(vectors, means * (1 + 1e-12), T)
    torch.testing.assert_close(found, cosines, rtol=0, atol=left)


def test_proco_logit_is_the_logarithm_of_a_mean_over_samples() -> None:
    """A class of many random vectors in few directions of the sphere, at a mild temperature."""
    samples = F.normalize(unit_vectors(40_000, 32) + 0.5 * unit_vectors(1, 32, seed=1))
    vectors = unit_vectors(3, 32, seed=2)
    found = proco_logits(vectors, samples.mean(0, keepdim=True), 1.0)[:, 0]
    expected = (vectors @ samples.T).exp().mean(1).log()
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-3)


def test_loss_of_proco_adds_the_log_frequencies() -> None:
    loss, labels = proco(), torch.tensor([0, 0, 1, 2])
    vectors = unit_vectors(4)
    found = loss(vectors.float(), labels).item()
    z = F.normalize(vectors.float()).double().numpy()
    means = np.stack([z[:2].mean(0), z[2], z[3]])
    means[1:] *= 1 - 1e-6  # the mean of one vector: the largest concentration
    logits = reference_logits(z, means) + np.log(COUNTS.numpy() / 10)
    log_shares = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    expected = -log_shares[np.arange(4), labels.numpy()].mean()
    assert found == pytest.approx(expected, rel=1e-5)


def test_class_without_images_is_left_out() -> None:
    loss = proco(counts=torch.tensor([3, 0, 3]))
    vectors = unit_vectors(4).requires_grad_()
    value = loss(vectors, torch.tensor([0, 2, 2, 0]))
    [gradient] = torch.autograd.grad(value, vectors)
    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()
    assert loss.log_counts[1] == -torch.inf


def test_class_means_are_of_this_epoch_and_the_one_before() -> None:
    loss = proco()
    start = loss.means.clone()
    torch.testing.assert_close(start.norm(dim=1), torch.full((3,), 0.9, dtype=torch.float64))
    labels = torch.tensor([0, 1, 0, 0, 1, 0])
    epochs = [unit_vectors(6, seed=seed) for seed in range(3)]
    for vectors in epochs:
        loss.begin_epoch()
        for part in (slice(0, 2), slice(2, 6)):
            loss(vectors[part], labels[part])
    seen = torch.cat(epochs[1:])
    labels = labels.repeat(2)
    for label in (0, 1):
        expected = seen[labels == label].mean(0)
        torch.testing.assert_close(loss.means[label], expected, rtol=1e-12, atol=1e-14)
    assert loss.seen.tolist() == [8, 4, 0]
    assert torch.equal(loss.means[2], start[2])


@pytest.mark.parametrize("kind", ["supervised", "proco"])
def test_gradients_are_those_of_differences(kind: str) -> None:
    labels = torch.tensor([0, 1, 0, 2, 1, 0])
    loss = SupervisedContrastive(T) if kind == "supervised" else proco()
    means = None if kind == "supervised" else 0.7 * unit_vectors(3, seed=3)

    def value(vectors: torch.Tensor) -> torch.Tensor:
        if means is None:
            result: torch.Tensor = loss(vectors, labels)
            return result
        return F.cross_entropy(proco_logits(vectors, means, T) + COUNTS.log(), labels)

    assert torch.autograd.gradcheck(value, unit_vectors(6).requires_grad_())
