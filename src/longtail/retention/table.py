"""The table that `kedro prune` shows before it asks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from rich import filesize
from rich.table import Table
from rich.text import Text

from longtail.retention.plan import NEWEST, ItemDecision, RemovalPlan, freed
from longtail.retention.scan import Item, Version
from longtail.wording import counted

# Longer lists of versions are shown by the first and the last.
FEW = 3


def table(plan: RemovalPlan) -> Table:
    """One row for each entry of the catalog, or kind in the store, that loses something."""
    groups = _groups(plan)
    sizes = _sizes(groups.values())
    shown = Table(show_footer=True, caption="\n".join(plan.notes), caption_justify="left")
    shown.add_column("artifact", "sum", overflow="fold")
    shown.add_column("remove", _number(plan), overflow="fold")
    shown.add_column("keep, and why", overflow="fold")
    shown.add_column("frees", filesize.decimal(sum(sizes)), justify="right", no_wrap=True)
    for (entry, group), size in zip(groups.items(), map(filesize.decimal, sizes), strict=True):
        cells = (_title(entry, group), _labels(_removed(group)), _reasons(group), size)
        shown.add_row(*map(Text, cells))
    return shown


def summary(plan: RemovalPlan) -> str:
    """What is removed, in words: ``12 versions, 1 training: 1.2 GB``."""
    return f"{_number(plan)}: {filesize.decimal(sum(_sizes(_groups(plan).values())))}"


def _groups(plan: RemovalPlan) -> dict[str, list[ItemDecision]]:
    groups: dict[str, list[ItemDecision]] = defaultdict(list)
    for decision in plan.decisions:
        groups[str(decision.item.entry)].append(decision)
    return {entry: group for entry, group in groups.items() if _removed(group)}


def _removed(decisions: Iterable[ItemDecision]) -> list[Item]:
    return [decision.item for decision in decisions if not decision.reasons]


def _sizes(groups: Iterable[Iterable[ItemDecision]]) -> list[int]:
    return freed([[file for item in _removed(group) for file in item.contents] for group in groups])


def _title(entry: str, group: Iterable[ItemDecision]) -> str:
    """The path of an artifact; of several the entry that they are of, and their number."""
    artifacts = {item.artifact for item in _removed(group) if isinstance(item, Version)}
    if len(artifacts) == 1:
        return artifacts.pop()
    return f"{entry} ({len(artifacts)} artifacts)" if artifacts else entry


def _labels(items: Sequence[Item]) -> str:
    labels = sorted({item.label for item in items})
    listed = ", ".join(labels if len(labels) <= FEW else [labels[0], "…", labels[-1]])
    return listed if len(items) == 1 else f"{len(items)}: {listed}"


def _reasons(group: Iterable[ItemDecision]) -> str:
    kept = Counter(reason for decision in group for reason in decision.reasons)
    newest_first = sorted(kept.items(), key=lambda item: item[0] != NEWEST)
    return ", ".join(f"{count} {reason}" for reason, count in newest_first)


def _number(plan: RemovalPlan) -> str:
    numbers = Counter(item.noun for item in plan.removed)
    return ", ".join(counted(number, noun) for noun, number in numbers.items())
