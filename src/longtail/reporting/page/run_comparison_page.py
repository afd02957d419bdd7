"""The page that compares two runs."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from longtail.arrays import UInt8Array
from longtail.reporting.page.gallery import thumbnail
from longtail.reporting.page.templates import template
from longtail.wording import counted, first_names

# For each of two kinds: images that became right, and images that became wrong.
SHOWN_IMAGES = 24
SHOWN_TRIALS = 3


@dataclass(frozen=True)
class RunComparison:
    """The differences between two runs of one data set.

    Attributes:
        label: label of the data set.
        versions: versions of the two runs' outputs.
        parameters: see :func:`longtail.evaluation.run_comparison.parameter_changes`.
        unrecorded: versions of the runs whose parameters of the data set MLflow does not know.
        data: see :func:`longtail.evaluation.run_comparison.data_changes`.
        accuracies: by test set, see :func:`longtail.evaluation.run_comparison.accuracy_changes`.
        both: number of trials that both runs have.
        only: trials that only the first, and that only the second run has.
        answers: see :func:`longtail.evaluation.run_comparison.changed_answers`, with the column
            ``file``.
    """

    label: str
    versions: tuple[str, str]
    parameters: pd.DataFrame
    unrecorded: list[str]
    data: pd.DataFrame
    accuracies: dict[str, pd.DataFrame]
    both: int
    only: tuple[list[str], list[str]]
    answers: pd.DataFrame

    @property
    def shown_trial(self) -> str | None:
        """The trial whose images are shown: that with the largest difference, up or down."""
        for table in self.accuracies.values():
            if len(table):
                return str(table["trial"].iloc[table["difference"].abs().to_numpy().argmax()])
        return None


def comparison_page(compared: RunComparison, confidence: float, images: UInt8Array) -> str:
    """Write the page as HTML. It contains all its images and loads nothing from the network."""
    trials = {trials_text(names, compared.both) for names in compared.parameters["trials"]}
    return template("run_comparison.html.j2").render(
        compared=compared,
        verdict=verdict(compared, confidence),
        confidence=confidence,
        parameters=[
            {**row, "trials": trials_text(row["trials"], compared.both)}
            for row in compared.parameters.to_dict("records")
        ],
        for_all=len(trials) == 1,
        accuracies={name: table.to_dict("records") for name, table in compared.accuracies.items()},
        galleries=galleries(compared, images),
    )


def verdict(compared: RunComparison, confidence: float) -> str:
    """Count in one sentence the trials that became better or worse beyond noise.

    It is about the first test set. A difference counts if its corrected p-value is below one minus
    the confidence.
    """
    accuracies = next(iter(compared.accuracies.values()))
    if accuracies.empty:
        return "The two runs have no trial with a common test image."
    gains = accuracies.loc[accuracies["p_adjusted"] < 1 - confidence, "difference"]
    better, worse = int((gains > 0).sum()), int((gains < 0).sum())
    return (
        f"Of {counted(len(accuracies), 'trial')} that both runs have, {better} became better and "
        f"{worse} worse beyond noise."
    )


def trials_text(names: Sequence[str], every: int) -> str:
    """Name the first of some trials and count the others; or say that it is every one."""
    if len(names) == every > 1:
        return f"all {every:,} trials"
    return ", ".join(first_names(names, SHOWN_TRIALS))


def galleries(compared: RunComparison, images: UInt8Array) -> list[tuple[str, int, list[Any]]]:
    """Return the images whose answers became right, and wrong: heading, number, the first."""
    of_trial = compared.answers[compared.answers["trial"] == compared.shown_trial]
    found = []
    for right, heading in (("after", "Right now, wrong before"), ("before", "Wrong now")):
        changed = of_trial[of_trial["right"] == right]
        shown = [
            {**row, "jpeg": b64encode(thumbnail(images[row["place"]])).decode()}
            for row in changed.head(SHOWN_IMAGES).to_dict("records")
        ]
        if shown:
            found.append((heading, len(changed), shown))
    return found
