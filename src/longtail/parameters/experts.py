"""Experts: several copies of a network's last layers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from longtail.parameters.strict import Contradictions, Strict, key_error
from longtail.parameters.types import Listed, Probability

Strengths = Listed[Annotated[float, Field(ge=0, le=5)]]


class Experts(Strict):
    """Experts on shared layers, whose mean logits are the prediction.

    RIDE (Wang et al. 2021, arXiv 2010.01809), SADE (Zhang et al. 2022, arXiv 2107.09249) and
    BalPoE (Sanchez Aimar et al. 2023, arXiv 2206.05260).

    Attributes:
        count: the number of experts; 1 is the method without experts.
        shared: the share of the network's layers, from the input on, that all experts share,
            rounded down to whole layers; 1 for experts that are classifiers only. A frozen
            backbone (``recipe.freeze: backbone``) is always shared.
        tau: the logit adjustment of each expert, in addition to the method's loss.
        reversed_tau: logit adjustment that is subtracted from ``tau``, with the counts in reversed
            order: the largest class has the count of the smallest one.
        diversity: the factor of a term that drives each expert's predictions away from the mean's.
        reduction: whether the losses of the experts are averaged or summed.
    """

    count: Annotated[int, Field(ge=1, le=16)] = 3
    shared: Probability = 0.375
    tau: Strengths | None = None
    reversed_tau: Strengths | None = None
    diversity: Annotated[float, Field(ge=0, le=10)] = 0.0
    reduction: Literal["mean", "sum"] = "mean"

    def _contradictions(self) -> Contradictions:
        noun = "expert" if self.count == 1 else "experts"
        for key in ("tau", "reversed_tau"):
            strengths = getattr(self, key)
            if strengths is not None and len(strengths) != self.count:
                yield key_error(
                    key,
                    f"needs a value for each of {self.count} {noun}, found {list(strengths)}",
                )

    @property
    def has_effect(self) -> bool:
        """Whether a method with them trains otherwise than without."""
        return self.count > 1 or self.re_balances

    @property
    def differ(self) -> bool:
        """Whether the experts have different losses."""
        return any(len(set(strengths or ())) > 1 for strengths in (self.tau, self.reversed_tau))

    @property
    def re_balances(self) -> bool:
        """Whether the losses of some experts make up for class imbalance."""
        return any(self.tau or ()) or any(self.reversed_tau or ())
