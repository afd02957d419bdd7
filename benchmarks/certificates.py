"""``python -m benchmarks.certificates``: how often certified error rates do not hold.

Photographs are simulated: their logits are normal noise, plus the skill of their class at the true
one. From many of them the true error rate above each threshold is known, for classes that are
mixed as the prior says. Then many small validation sets are drawn, a threshold is certified on
each, and those are counted whose true error rate is larger than the certified one.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import rich
from rich.progress import track
from rich.table import Table

from longtail.arrays import BoolArray, Float64Array, Int64Array
from longtail.naming.certified_threshold import JudgedAnswers, certify
from longtail.naming.error_rates import DEFAULT_RATES, LADDER

CONFIDENCE = 0.95
SIZE = 200_000  # photographs from which the truth is known


@dataclass(frozen=True)
class Case:
    """A kind of validation set.

    Attributes:
        sizes: the photographs of each class.
        accuracy: under a uniform prior.
        spread: half the difference in skill between the first and the last class.
        is_uniform: whether the stated prior is uniform; otherwise it is that of the sizes.
        scale: of the logits; large ones are sure, also of what is wrong.
    """

    sizes: tuple[int, ...]
    accuracy: float
    spread: float
    is_uniform: bool
    scale: float = 2.5

    @property
    def prior(self) -> Float64Array:
        """The stated prior, (classes,)."""
        sizes = np.array(self.sizes, dtype=np.float64)
        return np.full(len(sizes), 1 / len(sizes)) if self.is_uniform else sizes / sizes.sum()


def long_tailed(classes: int, largest: int, imbalance: float) -> tuple[int, ...]:
    """Sizes of classes that fall exponentially (Cui et al. 2019), at least 1."""
    sizes = largest * imbalance ** (-np.arange(classes) / (classes - 1))
    return tuple(int(size) for size in np.maximum(1, sizes.round()))


CASES = {
    "15 classes of 8": Case((8,) * 15, 0.85, 0.5, False),
    "40 classes of 10": Case((10,) * 40, 0.8, 0.5, False),
    "40 classes of 40 to 1": Case(long_tailed(40, 40, 40), 0.8, 1.0, False),
    "40 classes of 40 to 1, uniform prior": Case(long_tailed(40, 40, 40), 0.8, 1.0, True),
    "the same, tail much harder": Case(long_tailed(40, 40, 40), 0.7, 2.0, True),
    "the same, sure of errors": Case(long_tailed(40, 40, 40), 0.7, 2.0, True, scale=6.0),
    "100 classes of 20 to 1, uniform prior": Case(long_tailed(100, 20, 20), 0.8, 1.0, True),
}


@dataclass(frozen=True)
class Population:
    """Many photographs, as many of each class.

    Attributes:
        certainty: of their answers, (images,).
        right: whether they are right.
        label: of the classes.
        prior: how the classes are mixed in truth, (classes,).
    """

    certainty: Float64Array
    right: BoolArray
    label: Int64Array
    prior: Float64Array

    @classmethod
    def of(cls, case: Case, seed: int = 0) -> Self:
        """Simulate one."""
        classes = len(case.sizes)
        generator = np.random.default_rng(seed)
        label = np.arange(SIZE) % classes
        logits = generator.normal(size=(SIZE, classes))
        skill = np.linspace(case.spread, -case.spread, classes)[label]
        rows = np.arange(SIZE)
        own = logits[rows, label] + skill
        logits[rows, label] = -np.inf
        # The answer is right from this skill on.
        logits[rows, label] = own + np.quantile(logits.max(axis=1) - own, case.accuracy)
        scores = case.prior * np.exp(case.scale * (logits - logits.max(axis=1, keepdims=True)))
        certainty = scores.max(axis=1) / scores.sum(axis=1)
        return cls(certainty, scores.argmax(axis=1) == label, label, case.prior)

    def error_and_share(self, thresholds: Float64Array) -> tuple[Float64Array, Float64Array]:
        """The true error rate from each threshold on, and the share that is answered."""
        order = np.argsort(-self.certainty)
        weights = self.prior[self.label[order]]
        total = np.cumsum(weights)
        errors = np.cumsum(weights * ~self.right[order]) / total
        last = np.searchsorted(-self.certainty[order], -thresholds, side="right") - 1
        last = np.maximum(last, 0)
        return errors[last], (total / total[-1])[last]

    def draw(self, case: Case, generator: np.random.Generator) -> JudgedAnswers:
        """The answers to one validation set, weighted to the prior."""
        classes = len(case.sizes)
        of_class = np.arange(SIZE - SIZE % classes).reshape(-1, classes)
        drawn = np.concatenate(
            [
                of_class[generator.integers(len(of_class), size=n), k]
                for k, n in enumerate(case.sizes)
            ]
        )
        weights = (case.prior / np.array(case.sizes))[self.label[drawn]]
        return JudgedAnswers(self.certainty[drawn], self.right[drawn], weights)


@dataclass(frozen=True)
class Outcome:
    """What the certificates of one error rate are worth.

    Attributes:
        certified: the share of validation sets with a threshold.
        broken: the share whose true error rate is above the certified one.
        named: the mean share of photographs that get a name.
    """

    certified: float
    broken: float
    named: float


def outcomes(
    case: Case, choices: Sequence[Sequence[float]], draws: int, seed: int = 1
) -> list[Outcome]:
    """Certify error rates on many validation sets.

    Args:
        case: the kind of set.
        choices: of each the first error rate with a certificate is taken.
        draws: the number of sets.
        seed: of the draws.
    """
    population = Population.of(case)
    generator = np.random.default_rng(seed)
    found: list[list[tuple[float, float]]] = [[] for _ in choices]  # rates and thresholds
    for _ in range(draws):
        answers = population.draw(case, generator)
        rates = sorted({rate for choice in choices for rate in choice})
        certified = {rate: certify(answers, rate, CONFIDENCE, "").threshold for rate in rates}
        for column, choice in zip(found, choices, strict=True):
            sure = [(rate, of) for rate in choice if (of := certified[rate]) is not None]
            column.extend(sure[:1])
    results = []
    for own in found:
        chosen, thresholds = np.array(own).reshape(-1, 2).T
        errors, shares = population.error_and_share(thresholds)
        broken = float((errors > chosen).sum()) / draws
        results.append(Outcome(len(own) / draws, broken, float(shares.sum()) / draws))
    return results


def main() -> None:
    """Print how often certificates do not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000)
    draws = parser.parse_args().draws
    table = Table("validation set", "error rate", "certified", "named", "does not hold")
    for name, case in track(CASES.items(), "Certifying"):
        choices = [(rate,) for rate in LADDER] + [DEFAULT_RATES]
        for choice, outcome in zip(choices, outcomes(case, choices, draws), strict=True):
            table.add_row(
                name,
                " or ".join(f"{rate:.0%}" for rate in choice),
                f"{outcome.certified:.0%}",
                f"{outcome.named:.0%}",
                f"{outcome.broken:.1%}",
            )
    rich.print(table)


if __name__ == "__main__":
    main()
