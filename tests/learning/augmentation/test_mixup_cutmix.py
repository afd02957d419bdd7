from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from longtail.learning.augmentation.mixup_cutmix import MixupCutmix, remix_shares
from longtail.learning.training.criterion import Criterion
from longtail.parameters import CanonicalLoss, Mixing, Remix

CPU = torch.device("cpu")


def mixer(
    kind: Literal["mixup", "cutmix"], alpha: float = 1.0, batches: int = 4, size: int = 10
) -> MixupCutmix:
    mixing = Mixing(kind=kind, alpha=alpha)
    return MixupCutmix(mixing, batches, size, torch.Generator().manual_seed(1), CPU)


def shown() -> Tensor:
    """Three images of one colour each: 0, 100 and 200."""
    return torch.tensor([0.0, 100.0, 200.0])[:, None, None, None].expand(3, 3, 10, 10).contiguous()


def test_mixup_blends_each_image_with_its_partner() -> None:
    mixed = mixer("mixup").images(shown(), partners(), 2)
    share = 1 - mixed[0, 0, 0, 0].item() / 200  # the first one has the last before it
    assert 0 < share < 1
    expected = [200 * (1 - share), 100 * share, 200 * share + 100 * (1 - share)]
    assert mixed[:, 0, 3, 4].tolist() == pytest.approx(expected, rel=1e-5)
    assert all(torch.equal(image, image[:, :1, :1].expand_as(image)) for image in mixed)


def test_cutmix_pastes_a_rectangle_of_the_partner_and_counts_its_pixels() -> None:
    found = mixer("cutmix", batches=50)
    pasted = []
    for batch in range(50):
        mixed = found.images(shown(), partners(), batch)[:, 0]
        other = mixed[0] == 200
        assert torch.equal(mixed[1] == 0, other) and torch.equal(mixed[2] == 100, other)
        assert other.sum() == other.any(1).sum() * other.any(0).sum()  # a rectangle
        labels = (torch.tensor([1, 0]), torch.tensor([0, 1]))
        loss = found.loss(lambda _, labels: labels.sum() * 1.0, shown(), *labels, batch)
        assert loss.item() == pytest.approx(1.0)
        own = found.loss(lambda _, labels: labels[0] * 1.0, shown(), *labels, batch)
        assert own.item() == pytest.approx(1 - other.float().mean().item(), abs=1e-6)
        pasted.append(other.float().mean().item())
    assert len(set(pasted)) > 20 and 0.2 < np.mean(pasted) < 0.6


def partners() -> Tensor:
    """The image before each."""
    return shown().roll(1, 0)


@pytest.mark.parametrize(
    "loss",
    [CanonicalLoss(), CanonicalLoss(weights=np.array([0.5, 1.0, 1.5])), CanonicalLoss(focus=2.0)],
    ids=["plain", "weighted", "focal"],
)
def test_loss_is_that_of_both_labels_weighted_by_lambda(loss: CanonicalLoss) -> None:
    criterion, found = Criterion(loss, 0), mixer("mixup")
    logits, labels = torch.randn(3, 3), torch.tensor([0, 2, 1])
    share = 1 - found.images(shown(), partners(), 1)[0, 0, 0, 0].item() / 200
    of_partners = torch.tensor([1, 0, 2])
    own, others = criterion(logits, labels), criterion(logits, of_partners)
    expected = share * own + (1 - share) * others
    mixed = found.loss(criterion, logits, labels, of_partners, 1)
    assert mixed.item() == pytest.approx(expected.item(), rel=1e-5)
    assert own.item() != pytest.approx(others.item())


def test_lambdas_are_of_the_beta_distribution() -> None:
    def spread(alpha: float) -> float:
        found = mixer("mixup", alpha, batches=4000)
        shares = found._lambdas.double()
        assert shares.mean().item() == pytest.approx(0.5, abs=0.03)
        return float(shares.var())

    for alpha in (0.2, 1.0, 5.0):
        assert spread(alpha) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.08)


def test_batches_of_one_epoch_differ_and_are_reproducible() -> None:
    first, again = mixer("mixup"), mixer("mixup")
    assert torch.equal(first.images(shown(), partners(), 0), again.images(shown(), partners(), 0))
    assert not torch.equal(
        first.images(shown(), partners(), 0), first.images(shown(), partners(), 1)
    )


def test_batches_are_mixed_with_the_probability() -> None:
    mixing = Mixing(kind="cutmix", alpha=1, probability=0.3)
    drawn = MixupCutmix(mixing, 5000, 10, torch.Generator().manual_seed(0), CPU).mixed
    assert np.mean(drawn) == pytest.approx(0.3, abs=0.02)
    assert all(mixer("cutmix", batches=50).mixed)


COUNTS = np.array([90, 30, 29, 9])


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize(("kappa", "tau"), [(3.0, 0.5), (2.0, 0.9), (10.0, 0.3), (3.0, 0.0)])
def test_remix_shares_are_those_of_the_paper(share: float, kappa: float, tau: float) -> None:
    own, other = (grid.ravel() for grid in np.meshgrid(COUNTS, COUNTS))
    expected = [
        0.0 if i / j >= kappa and share < tau else 1.0 if i / j <= 1 / kappa and 1 - share < tau
        else share
        for i, j in zip(own, other, strict=True)
    ]  # fmt: skip
    remix = Remix(kappa=kappa, tau=tau)
    found = remix_shares(remix, torch.tensor(share), torch.tensor(own), torch.tensor(other))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("weights", [None, np.array([0.1, 0.4, 0.5, 3.0])], ids=["plain", "drw"])
def test_loss_of_remix_is_the_mean_of_both_labels_by_shares_and_weights(
    weights: np.ndarray | None,
) -> None:
    mixing = Mixing(kind="mixup", alpha=1, remix=Remix(kappa=3, tau=0.9))
    generator = torch.Generator().manual_seed(1)
    found = MixupCutmix(mixing, 4, 10, generator, CPU, torch.tensor(COUNTS))
    logits = torch.randn(6, 4, generator=generator)
    own, other = np.array([0, 0, 1, 3, 2, 1]), np.array([3, 1, 2, 0, 2, 0])
    criterion = Criterion(CanonicalLoss(weights=weights), 0)
    loss = found.loss(criterion, logits, torch.tensor(own), torch.tensor(other), 2)
    share = found._lambdas[2].item()
    ratios = COUNTS[own] / COUNTS[other]
    shares = np.where(ratios >= 3, 0.0 if share < 0.9 else share, share)
    shares = np.where(ratios <= 1 / 3, 1.0 if 1 - share < 0.9 else share, shares)
    assert len(set(shares)) == 3  # 0, 1 and lambda
    z = logits.double().numpy()
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    w = np.ones(4) if weights is None else weights
    rows = np.arange(6)
    total = shares * w[own] * -log_p[rows, own] + (1 - shares) * w[other] * -log_p[rows, other]
    expected = total.sum() / (shares * w[own] + (1 - shares) * w[other]).sum()
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_remix_of_experts_is_the_mean_of_theirs() -> None:
    mixing = Mixing(kind="mixup", alpha=1, remix=Remix(kappa=3, tau=0.9))
    generator = torch.Generator().manual_seed(1)
    found = MixupCutmix(mixing, 4, 10, generator, CPU, torch.tensor(COUNTS))
    logits = torch.randn(2, 6, 4, generator=generator)
    labels = torch.tensor([0, 0, 1, 3, 2, 1]), torch.tensor([3, 1, 2, 0, 2, 0])
    criterion = Criterion(CanonicalLoss(weights=np.array([0.1, 0.4, 0.5, 3.0])), 0)
    own = [found.loss(criterion, of_expert, *labels, 2).item() for of_expert in logits]
    assert found.loss(criterion, logits, *labels, 2).item() == pytest.approx(np.mean(own))


@pytest.mark.parametrize(
    ("remix", "counts"),
    [(Remix(kappa=3, tau=0), [90, 9]), (Remix(kappa=20, tau=0.5), [90, 9, 0])],
    ids=["tau 0", "kappa of no two classes"],
)
def test_remix_without_effect_is_mixup_bit_for_bit(remix: Remix, counts: list[int]) -> None:
    def loss(remix: Remix | None) -> Tensor:
        mixing = Mixing(kind="mixup", alpha=1, remix=remix)
        generator = torch.Generator().manual_seed(1)
        found = MixupCutmix(mixing, 4, 10, generator, CPU, torch.tensor(counts))
        labels = torch.tensor([0, 1, 0, 0])
        logits = torch.randn(4, 3, generator=generator)
        return found.loss(Criterion(CanonicalLoss(), 0), logits, labels, labels.roll(1, 0), 3)

    assert torch.equal(loss(remix), loss(None))


def test_remix_where_shares_are_all_lambda_is_the_loss_of_mixup() -> None:
    mixing = Mixing(kind="mixup", alpha=1, remix=Remix(kappa=3, tau=0.5))
    generator = torch.Generator().manual_seed(1)
    found = MixupCutmix(mixing, 4, 10, generator, CPU, torch.tensor(COUNTS))
    plain = MixupCutmix(Mixing(kind="mixup", alpha=1), 4, 10, torch.Generator().manual_seed(1), CPU)
    criterion = Criterion(CanonicalLoss(weights=np.array([0.1, 0.4, 0.5, 3.0])), 0)
    labels = torch.tensor([1, 2, 2, 1])  # 30 and 29 images
    arguments = (criterion, torch.randn(4, 4, generator=generator), labels, labels.roll(1, 0), 3)
    assert found.loss(*arguments).item() == pytest.approx(plain.loss(*arguments).item(), rel=1e-6)
