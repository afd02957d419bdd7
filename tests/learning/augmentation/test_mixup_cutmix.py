from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from longtail.learning.augmentation.mixup_cutmix import MixupCutmix
from longtail.learning.training.criterion import Criterion
from longtail.parameters import Mixing
from longtail.trials.canonical_loss import CanonicalLoss

CPU = torch.device("cpu")


def mixer(
    kind: Literal["mixup", "cutmix"], alpha: float = 1.0, batches: int = 4, size: int = 10
) -> MixupCutmix:
    mixing = Mixing(kind=kind, alpha=alpha)
    return MixupCutmix(mixing, batches, size, torch.Generator().manual_seed(1), CPU)


def shown() -> Tensor:
    """Three images of one colour each: 0, 100 and 200."""
    return torch.tensor([0.0, 100.0, 200.0])[:, None, None, None].expand(3, 3, 10, 10).contiguous()


def test_mixup_blends_each_image_with_the_one_before_it() -> None:
    mixed = mixer("mixup").images(shown(), 2)
    share = 1 - mixed[0, 0, 0, 0].item() / 200  # the first one has the last before it
    assert 0 < share < 1
    expected = [200 * (1 - share), 100 * share, 200 * share + 100 * (1 - share)]
    assert mixed[:, 0, 3, 4].tolist() == pytest.approx(expected, rel=1e-5)
    assert all(torch.equal(image, image[:, :1, :1].expand_as(image)) for image in mixed)


def test_cutmix_pastes_a_rectangle_of_the_one_before_it_and_counts_its_pixels() -> None:
    found = mixer("cutmix", batches=50)
    pasted = []
    for batch in range(50):
        mixed = found.images(shown(), batch)[:, 0]
        other = mixed[0] == 200
        assert torch.equal(mixed[1] == 0, other) and torch.equal(mixed[2] == 100, other)
        assert other.sum() == other.any(1).sum() * other.any(0).sum()  # a rectangle
        loss = found.loss(
            lambda _, labels: labels.sum() * 1.0, shown(), torch.tensor([1, 0]), batch
        )
        assert loss.item() == pytest.approx(1.0)
        own = found.loss(lambda _, labels: labels[0] * 1.0, shown(), torch.tensor([1, 0]), batch)
        assert own.item() == pytest.approx(1 - other.float().mean().item(), abs=1e-6)
        pasted.append(other.float().mean().item())
    assert len(set(pasted)) > 20 and 0.2 < np.mean(pasted) < 0.6


@pytest.mark.parametrize(
    "loss",
    [CanonicalLoss(), CanonicalLoss(weights=np.array([0.5, 1.0, 1.5])), CanonicalLoss(focus=2.0)],
    ids=["plain", "weighted", "focal"],
)
def test_loss_is_that_of_both_labels_weighted_by_lambda(loss: CanonicalLoss) -> None:
    criterion, found = Criterion(loss, 0), mixer("mixup")
    logits, labels = torch.randn(3, 3), torch.tensor([0, 2, 1])
    share = 1 - found.images(shown(), 1)[0, 0, 0, 0].item() / 200
    own, others = criterion(logits, labels), criterion(logits, torch.tensor([1, 0, 2]))
    expected = share * own + (1 - share) * others
    mixed = found.loss(criterion, logits, labels, 1)
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
    assert torch.equal(first.images(shown(), 0), again.images(shown(), 0))
    assert not torch.equal(first.images(shown(), 0), first.images(shown(), 1))
