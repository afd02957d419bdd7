"""What `kedro prune` keeps, and why. No file is touched here."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from operator import attrgetter

from longtail.retention.scan import Content, Item, Stored, Version
from longtail.retention.uses import Use
from longtail.version_names import is_in_future

# Younger checkpoints may still be resumed, and younger arrays used again; in seconds.
CHECKPOINT_AGE = 30 * 24 * 3600

NEWEST, IN_USE, NOT_IN_CATALOG = "newest", "run in progress", "not in the catalog"
UNTRACKED = "of runs not in MLflow"
FOREIGN, NAMED_BY_CARD, CLAIMED = "contains other files", "named by a kept card", "being trained"
YOUNG, UNSEEN = "younger than 30 days", "a symbolic link may hide its card"


@dataclass(frozen=True)
class Reference:
    """A version that something needs, of one artifact or, if that is None, of all."""

    version: str
    artifact: str | None
    reason: str


@dataclass(frozen=True)
class ItemDecision:
    """An item, and the reasons to keep it. It is removed if there are none."""

    item: Item
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class RemovalPlan:
    """What is removed and what is kept; `notes` are sentences for the user."""

    decisions: list[ItemDecision]
    notes: tuple[str, ...] = ()

    @property
    def removed(self) -> list[Item]:
        """What is removed."""
        return [decision.item for decision in self.decisions if not decision.reasons]

    def only(self, other: RemovalPlan) -> RemovalPlan:
        """This plan, without what the other one does not remove."""
        paths = {item.path for item in other.removed}
        decisions = [d for d in self.decisions if d.reasons or d.item.path in paths]
        return replace(self, decisions=decisions)


@dataclass(frozen=True)
class Needs:
    """What needs versions, besides being the newest.

    Attributes:
        references: references to versions of any artifacts.
        uses: uses of versions by the runs in progress.
        tracked: the versions of the runs that MLflow knows; None if it is not to be asked.
    """

    references: Sequence[Reference] = ()
    uses: Sequence[Use] = ()
    tracked: Collection[str] | None = None

    @cached_property
    def reasons(self) -> dict[tuple[str, str | None], list[str]]:
        """The reasons of the references, by version and artifact."""
        found: dict[tuple[str, str | None], list[str]] = defaultdict(list)
        for reference in self.references:
            found[reference.version, reference.artifact].append(reference.reason)
        return found


def decide_versions(versions: Iterable[Version], keep: int, needs: Needs) -> list[ItemDecision]:
    """Keep the newest versions of each artifact, and those that something needs.

    Of an artifact with versions from the future, the newest of the others are kept as well: an
    older release of the project did not see to it that the last run has the last name.

    Args:
        versions: sorted by artifact, oldest first.
        keep: how many of the newest versions that can be loaded; at least 1.
        needs: what needs versions.
    """
    decisions = []
    for _, group in groupby(versions, key=attrgetter("artifact")):
        of_artifact = list(group)
        names = [version.name for version in of_artifact if version.complete]
        past = [name for name in names if not is_in_future(name)]
        newest = {*names[-keep:], *past[-keep:]}
        for version in of_artifact:
            decisions.append(ItemDecision(version, tuple(_reasons(version, newest, needs))))
    return decisions


def _reasons(version: Version, newest: Collection[str], needs: Needs) -> Iterable[str]:
    if version.entry is None:
        yield NOT_IN_CATALOG
    if not version.own:
        yield FOREIGN
    if version.name in newest:
        yield NEWEST
    of_version = needs.reasons.get((version.name, version.artifact), [])
    yield from dict.fromkeys([*of_version, *needs.reasons.get((version.name, None), [])])
    if any(use.of(version.artifact, version.name) for use in needs.uses):
        yield IN_USE
    if version.complete and needs.tracked is not None and version.name not in needs.tracked:
        yield UNTRACKED


def read_before(versions: Iterable[Version], version: str, reason: str) -> list[Reference]:
    """What a run that did not record what it read can have read: the newest versions before it."""
    earlier = {v.artifact: v.name for v in versions if v.complete and v.name < version}
    return [Reference(name, artifact, reason) for artifact, name in earlier.items()]


def decide_stored(
    stored: Stored, *, named: Collection[str] | None, claimed: bool, running: bool, now: float
) -> ItemDecision:
    """Keep a finished training that a kept card names, and young checkpoints and features.

    Young logits are kept with their training.

    Args:
        stored: the entry of the store.
        named: the fingerprints that kept cards name; None if some cards may not have been found.
        claimed: whether a process holds its lock.
        running: whether a run is in progress, which may be about to use any training.
        now: current time, in seconds since 1970.
    """
    reason = _reason(stored, named, claimed, running, now)
    return ItemDecision(stored, (reason,) if reason else ())


def _reason(
    stored: Stored, named: Collection[str] | None, claimed: bool, running: bool, now: float
) -> str | None:
    is_old = now - stored.modified >= CHECKPOINT_AGE
    if not stored.own:
        return FOREIGN
    if running:
        return IN_USE
    if claimed:
        return CLAIMED
    if stored.kind in ("checkpoint", "features"):
        return None if is_old else YOUNG
    if stored.kind in ("draft", "damaged") or (stored.kind == "logits" and is_old):
        return None
    if named is None:
        return UNSEEN
    return NAMED_BY_CARD if stored.fingerprint in named else None


def freed(groups: Sequence[Iterable[Content]]) -> list[int]:
    """The bytes that removing several groups of files frees, by group.

    A file with several names is freed when all of them are removed. It is counted once: in the
    first group that contains it.
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
