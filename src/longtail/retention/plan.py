"""What `kedro prune` keeps, and why. No file is touched here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from longtail.retention.artifacts import Artifact, Content, Training, Version
from longtail.retention.uses import Use

# How long an unfinished training may be gone on with, and arrays are used again, in seconds.
CHECKPOINT_AGE = 30 * 24 * 3600

NEWEST, IN_USE, NOT_IN_CATALOG = "newest", "run in progress", "not in the catalog"
FOREIGN, NAMED, CLAIMED = "holds other files", "named by a kept card", "being trained"
YOUNG, UNSEEN = "younger than 30 days", "a symbolic link may hide its card"


@dataclass(frozen=True)
class Reference:
    """Something that wants a version kept, of one artifact or, if that is None, of all."""

    version: str
    artifact: str | None
    reason: str


@dataclass(frozen=True)
class Decision:
    """What becomes of an artifact's versions: which go, and why each of the others stays."""

    artifact: Artifact
    removed: tuple[Version, ...]
    kept: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class StoreDecision:
    """What becomes of an entry of the store: why it stays, or None if it goes."""

    training: Training
    kept: str | None


@dataclass(frozen=True)
class Plan:
    """What is removed and what stays; paths are relative to the data folder.

    Attributes:
        decisions: by artifact.
        store: the folder of the trainings.
        trainings: what becomes of the store's entries.
        leftovers: what an interrupted removal has left, and the files in it.
        notes: what else a user should know, a sentence each.
    """

    decisions: list[Decision]
    store: str
    trainings: list[StoreDecision]
    leftovers: dict[str, tuple[Content, ...]]
    notes: tuple[str, ...] = ()

    @property
    def versions(self) -> list[str]:
        """The folders of the versions that go."""
        return [
            f"{decision.artifact.path}/{version.name}"
            for decision in self.decisions
            for version in decision.removed
        ]

    @property
    def removed_trainings(self) -> list[Training]:
        """The entries of the store that go."""
        return [decision.training for decision in self.trainings if decision.kept is None]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remove."""
        return not (self.versions or self.removed_trainings or self.leftovers)

    def only(self, other: Plan) -> Plan:
        """This plan, but for what the other one does not remove."""
        versions = set(other.versions)
        trainings = {training.name for training in other.removed_trainings}
        return replace(
            self,
            decisions=[
                replace(
                    decision,
                    removed=tuple(
                        version
                        for version in decision.removed
                        if f"{decision.artifact.path}/{version.name}" in versions
                    ),
                )
                for decision in self.decisions
            ],
            trainings=[
                decision
                for decision in self.trainings
                if decision.kept or decision.training.name in trainings
            ],
        )


def decide(
    artifact: Artifact, keep: int, references: Iterable[Reference], uses: Iterable[Use]
) -> Decision:
    """Keep the newest versions of an artifact, and those that something refers to or uses.

    Args:
        artifact: whose versions.
        keep: how many of the newest that can be loaded; at least 1.
        references: to any artifacts.
        uses: of the runs in progress.
    """
    loadable = [version.name for version in artifact.versions if version.complete]
    held = [reference for reference in references if reference.artifact in (None, artifact.path)]
    kept = {
        version.name: tuple(_reasons(artifact, version, loadable[-keep:], held, uses))
        for version in artifact.versions
    }
    removed = tuple(version for version in artifact.versions if not kept[version.name])
    return Decision(artifact, removed, {name: why for name, why in kept.items() if why})


def _reasons(
    artifact: Artifact,
    version: Version,
    newest: Collection[str],
    held: Iterable[Reference],
    uses: Iterable[Use],
) -> Iterable[str]:
    if artifact.entry is None:
        yield NOT_IN_CATALOG
    if not version.own:
        yield FOREIGN
    if version.name in newest:
        yield NEWEST
    yield from dict.fromkeys(r.reason for r in held if r.version == version.name)
    if any(use.of(artifact.path, version.name) for use in uses):
        yield IN_USE


def read_before(artifacts: Iterable[Artifact], run_id: str, reason: str) -> list[Reference]:
    """What a run that did not note what it read can have read: the newest versions before it."""
    references = []
    for artifact in artifacts:
        earlier = [v.name for v in artifact.versions if v.complete and v.name < run_id]
        references += [Reference(version, artifact.path, reason) for version in earlier[-1:]]
    return references


def decide_training(
    training: Training,
    *,
    named: Collection[str] | None,
    claimed: bool,
    running: bool,
    now: float,
) -> StoreDecision:
    """Keep a finished training that a kept card names, and young checkpoints and features.

    Young logits are kept with their training.

    Args:
        training: the entry.
        named: the fingerprints that kept cards name; None if not all cards can be seen.
        claimed: whether a process holds its lock.
        running: whether a run is in progress: it may be about to use any training.
        now: in seconds since 1970.
    """
    return StoreDecision(training, _why(training, named, claimed, running, now))


def _why(
    training: Training,
    named: Collection[str] | None,
    claimed: bool,
    running: bool,
    now: float,
) -> str | None:
    if not training.own:
        return FOREIGN
    if running:
        return IN_USE
    if claimed:
        return CLAIMED
    if training.kind in ("checkpoint", "features"):
        return YOUNG if now - training.modified < CHECKPOINT_AGE else None
    if training.kind == "draft":
        return None
    if training.kind == "logits" and now - training.modified >= CHECKPOINT_AGE:
        return None
    if named is None:
        return UNSEEN
    return NAMED if training.fingerprint in named else None


def freed(groups: Sequence[Iterable[Content]]) -> list[int]:
    """The bytes that removing several groups of files frees, by group.

    A file that lies under several names is freed when all of them go, and counted once: in the
    first group that has it.
    """
    contents = [list(group) for group in groups]
    removed = Counter(content.identity for group in contents for content in group)
    counted: set[tuple[int, int]] = set()
    sizes = []
    for group in contents:
        gone = {c.identity: c.size for c in group if removed[c.identity] >= c.links}
        sizes.append(sum(size for file, size in gone.items() if file not in counted))
        counted.update(gone)
    return sizes
