"""What `kedro prune` shows before it asks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from longtail.retention.artifacts import Content
from longtail.retention.plan import NEWEST, Decision, Plan, StoreDecision, freed

KINDS = {
    "training": "finished trainings",
    "draft": "drafts of killed processes",
    "checkpoint": "checkpoints of unfinished trainings",
    "features": "features of frozen backbones",
    "logits": "logits of trained models",
}
# More versions than these are shown by the first and the last.
FEW = 3


class Row(NamedTuple):
    """A line of the table, and the files that go."""

    artifact: str
    removed: Sequence[str]
    kept: Counter[str]
    contents: list[Content]


def table(plan: Plan) -> Table:
    """A row for each group of artifacts of which versions go, and the sums."""
    rows = _rows(plan)
    sizes = freed([row.contents for row in rows])
    shown = Table(show_footer=True, caption="\n".join(plan.notes), caption_justify="left")
    shown.add_column("artifact", "sum", overflow="fold")
    shown.add_column("remove", _counted(plan), overflow="fold")
    shown.add_column("keep, and why", overflow="fold")
    shown.add_column("frees", human(sum(sizes)), justify="right", no_wrap=True)
    for row, size in zip(rows, sizes, strict=True):
        cells = (row.artifact, _names(row.removed), _reasons(row.kept), human(size))
        shown.add_row(*map(Text, cells))
    return shown


def summary(plan: Plan) -> str:
    """What goes, in words: ``12 versions, 1 training: 1.2 GB``."""
    return f"{_counted(plan)}: {human(sum(freed([row.contents for row in _rows(plan)])))}"


def human(size: int) -> str:
    """A number of bytes, rounded: ``1.2 GB``."""
    value, units = float(size), ["B", "kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return (
        f"{value:.0f} {units[0]}" if value >= 99.5 or value == size else f"{value:.1f} {units[0]}"
    )


def _rows(plan: Plan) -> list[Row]:
    rows = [*_version_rows(plan.decisions), *_store_rows(plan.store, plan.trainings)]
    if plan.leftovers:
        contents = [content for files in plan.leftovers.values() for content in files]
        rows.append(Row("left by an interrupted prune", list(plan.leftovers), Counter(), contents))
    return rows


def _version_rows(decisions: Iterable[Decision]) -> Iterable[Row]:
    """A row for all artifacts of an entry that lose the same versions and keep for the same."""
    groups: dict[tuple[object, ...], list[Decision]] = defaultdict(list)
    for decision in decisions:
        if decision.removed:
            names = tuple(version.name for version in decision.removed)
            kept = tuple(sorted(decision.kept.items()))
            groups[decision.artifact.entry, names, kept].append(decision)
    for group in groups.values():
        first = group[0]
        yield Row(
            _common([decision.artifact.path for decision in group]),
            [version.name for version in first.removed],
            Counter(reason for reasons in first.kept.values() for reason in reasons),
            [c for decision in group for version in decision.removed for c in version.contents],
        )


def _store_rows(store: str, decisions: Iterable[StoreDecision]) -> Iterable[Row]:
    groups: dict[str, list[StoreDecision]] = defaultdict(list)
    for decision in decisions:
        groups[decision.training.kind].append(decision)
    for kind, label in KINDS.items():
        gone = [decision.training for decision in groups[kind] if decision.kept is None]
        if gone:
            yield Row(
                f"{store}: {label}",
                [f"{training.fingerprint[:12]}…" for training in gone],
                Counter(decision.kept for decision in groups[kind] if decision.kept),
                [content for training in gone for content in training.contents],
            )


def _common(paths: Sequence[str]) -> str:
    """Paths of one entry as one, with a star for what differs, and how many they are."""
    if len(paths) == 1:
        return paths[0]
    steps = zip(*(path.split("/") for path in paths), strict=True)
    joined = "/".join(step[0] if len(set(step)) == 1 else _star(step) for step in steps)
    return f"{joined} ({len(paths)} artifacts)"


def _star(names: Sequence[str]) -> str:
    ends = {name.rpartition(".")[2] for name in names}
    return f"*.{ends.pop()}" if len(ends) == 1 and all("." in name for name in names) else "*"


def _names(names: Sequence[str]) -> str:
    shown = names if len(names) <= FEW else [names[0], "…", names[-1]]
    listed = ", ".join(shown)
    return listed if len(names) == 1 else f"{len(names)}: {listed}"


def _reasons(kept: Counter[str]) -> str:
    newest_first = sorted(kept.items(), key=lambda item: item[0] != NEWEST)
    return ", ".join(f"{count} {reason}" for reason, count in newest_first)


def _counted(plan: Plan) -> str:
    counts = {
        "version": len(plan.versions),
        "training": len(plan.removed_trainings),
        "leftover": len(plan.leftovers),
    }
    parts = [f"{n} {name}{'s' * (n != 1)}" for name, n in counts.items() if n]
    return ", ".join(parts)
