"""The table that `kedro prune` shows before it asks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from longtail.retention.plan import NEWEST, Decision, Plan, freed
from longtail.retention.scan import Item, Version
from longtail.wording import counted

# Longer lists of versions are shown by the first and the last.
FEW = 3


class Row(NamedTuple):
    """One row of the table: what is removed, and how often each reason keeps the rest."""

    group: str
    labels: Sequence[str]
    kept: Counter[str]
    items: list[Item]


def table(plan: Plan) -> Table:
    """One row per group of items of which some are removed, and the sums."""
    rows = _rows(plan)
    sizes = _sizes(rows)
    shown = Table(show_footer=True, caption="\n".join(plan.notes), caption_justify="left")
    shown.add_column("artifact", "sum", overflow="fold")
    shown.add_column("remove", _number(plan), overflow="fold")
    shown.add_column("keep, and why", overflow="fold")
    shown.add_column("frees", human(sum(sizes)), justify="right", no_wrap=True)
    for row, size in zip(rows, sizes, strict=True):
        cells = (row.group, _names(row.labels), _reasons(row.kept), human(size))
        shown.add_row(*map(Text, cells))
    return shown


def summary(plan: Plan) -> str:
    """What is removed, in words: ``12 versions, 1 training: 1.2 GB``."""
    return f"{_number(plan)}: {human(sum(_sizes(_rows(plan))))}"


def human(size: int) -> str:
    """A number of bytes, rounded: ``1.2 GB``."""
    value, units = float(size), ["B", "kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        units.pop(0)
    digits = 0 if value >= 99.5 or value == size else 1
    return f"{value:.{digits}f} {units[0]}"


def _rows(plan: Plan) -> list[Row]:
    groups: dict[str, list[Decision]] = defaultdict(list)
    for decision in plan.decisions:
        groups[_group(decision.item)].append(decision)
    # Artifacts of one entry of the catalog whose versions are decided alike share a row.
    alike: dict[object, list[str]] = defaultdict(list)
    for name, group in groups.items():
        if _removed(group):
            decided = tuple((decision.item.label, decision.reasons) for decision in group)
            alike[group[0].item.entry, decided].append(name)
    return [_row(names, [groups[name] for name in names]) for names in alike.values()]


def _group(item: Item) -> str:
    return item.artifact if isinstance(item, Version) else str(item.entry)


def _row(names: Sequence[str], groups: list[list[Decision]]) -> Row:
    return Row(
        _common(names),
        [item.label for item in _removed(groups[0])],
        Counter(reason for decision in groups[0] for reason in decision.reasons),
        [item for group in groups for item in _removed(group)],
    )


def _removed(decisions: Iterable[Decision]) -> list[Item]:
    return [decision.item for decision in decisions if not decision.reasons]


def _sizes(rows: Iterable[Row]) -> list[int]:
    return freed([[content for item in row.items for content in item.contents] for row in rows])


def _common(paths: Sequence[str]) -> str:
    """Paths of one entry as one path, with a star for what differs, and their number."""
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


def _number(plan: Plan) -> str:
    numbers = Counter(item.noun for item in plan.removed)
    return ", ".join(counted(number, noun) for noun, number in numbers.items())
