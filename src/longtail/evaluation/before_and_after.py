"""Comparison of a model before and after its data set grew, on the same test photographs."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from longtail.evaluation.run_comparison import common_answers, p_of_change
from longtail.wording import counted

# The largest number of species with the largest differences that are named.
NAMED_SPECIES = 5


@dataclass(frozen=True)
class BeforeAndAfter:
    """Two models on the photographs that tested both.

    Attributes:
        images: number of photographs that tested both.
        right_before: number of them that the model named correctly before.
        right_after: number of them that it names correctly after.
        p: p-value of McNemar's exact test that both are equally good.
        by_species: change of the number of correct names, for species where it has changed.
    """

    images: int
    right_before: int
    right_after: int
    p: float
    by_species: dict[str, int]

    def sentence(self, model: str, level: float) -> str:
        """Describe the comparison in one sentence.

        Args:
            model: name of the model.
            level: significance level; the difference is called clear if p is below it.
        """
        difference = self.right_after - self.right_before
        points = f"{100 * difference / self.images:+.1f} points"
        verdict = "a clear difference" if self.p < level else "no clear difference"
        text = (
            f"{model} names {self.right_after:,} of the same "
            f"{counted(self.images, 'test photograph')} correctly, {self.right_before:,} before "
            f"the data set changed: {points} (McNemar's test: p = {self.p:.2g}, {verdict})"
        )
        ordered = sorted(self.by_species.items(), key=lambda item: (-abs(item[1]), item[0]))
        for words, sign in (("better on", 1), ("worse on", -1)):
            named = [f"{name} ({n:+d})" for name, n in ordered if n * sign > 0]
            if named:
                others = len(named) - NAMED_SPECIES
                more = f" and {counted(others, 'other')}" if others > 0 else ""
                text += f"; {words} {', '.join(named[:NAMED_SPECIES])}{more}"
        return text


def compare_models(before: pd.DataFrame, after: pd.DataFrame) -> BeforeAndAfter | None:
    """Compare two models on the photographs that tested both; None if there is none.

    Args:
        before: answers of the first model, see :mod:`longtail.evaluation.run_comparison`.
        after: answers of the second model.
    """
    named_now = before.assign(predicted=before["predicted"].replace(_renamed(before, after)))
    both = common_answers(named_now, after)
    if both.empty:
        return None
    net = both["change"].groupby(both["true"]).sum()
    return BeforeAndAfter(
        len(both),
        int((both["before"] == both["true"]).sum()),
        int((both["after"] == both["true"]).sum()),
        p_of_change(both["change"]),
        {str(name): int(difference) for name, difference in net[net != 0].items()},
    )


def _renamed(before: pd.DataFrame, after: pd.DataFrame) -> dict[str, str]:
    """Return the new names of renamed species, if all their photographs have the new name."""
    both = common_answers(before, after)
    was, now = ({*table["true"], *table["predicted"]} for table in (before, after))
    names = both["true"].groupby(both["was"]).unique()
    return {
        str(name): of_photographs[0]
        for name, of_photographs in names.items()
        if len(of_photographs) == 1 and name not in now and of_photographs[0] not in was
    }
