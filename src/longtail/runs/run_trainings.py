"""Which trainings a run has done, and which it has found in the store."""

from __future__ import annotations

from dataclasses import dataclass

from kedro.pipeline import Pipeline

from longtail.catalog import LongtailCatalog
from longtail.runs.data_layout import STORE
from longtail.runs.run_files import is_step, path_of
from longtail.storage.store import TrainingStore
from longtail.wording import counted


@dataclass(frozen=True)
class RunTrainings:
    """The numbers of different trainings that a run has done and reused, and of its trials."""

    done: int
    reused: int
    trials: int

    def __str__(self) -> str:
        of = f" for {counted(self.trials, 'trial')}"
        were = "was" if self.reused == 1 else "were"
        if not self.done:
            return (
                f"Nothing was trained: {counted(self.reused, 'training')}{of} {were} found stored"
            )
        found = f"; {self.reused:,} {were} found stored" if self.reused else ""
        return f"Trained {self.done:,} of {counted(self.done + self.reused, 'training')}{of}{found}"


def trainings_of_run(
    pipeline: Pipeline, catalog: LongtailCatalog, since: float
) -> RunTrainings | None:
    """The trainings of the trials that a run has fitted; None if it has fitted none.

    Args:
        pipeline: pipeline of the run.
        catalog: catalog of the run.
        since: when the run began, in seconds since 1970. What was stored later was trained by it,
            or by another run at the same time.
    """
    fits = [node for node in pipeline.nodes if is_step(node, "fit")]
    names = [f"{node.namespace}.card" for node in fits]
    cards = [catalog.load(name) for name in catalog.versions(names)]
    if not cards:
        return None
    found = {card["fingerprint"] for card in cards}
    found |= {card["first_stage"] for card in cards if card.get("first_stage")}
    store = TrainingStore(path_of(catalog, STORE))
    done = sum((store.stored_at(each) or 0.0) >= since for each in found)
    return RunTrainings(done, len(found) - done, len(cards))
