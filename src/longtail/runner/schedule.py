"""The order in which the parts of a pipeline run, and what failures prevent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from longtail.kedro_internals import with_inputs
from longtail.trials.tags import GATHER_TAG, TRIAL_TAG

# What the names of the report's nodes begin with.
REPORT = "report."


@dataclass(frozen=True)
class Unit:
    """Nodes that run in order in one process: those of a trial, or a single other node."""

    name: str
    nodes: tuple[Node, ...]

    @property
    def is_trial(self) -> bool:
        """Whether this is a trial."""
        return TRIAL_TAG in self.nodes[0].tags

    @property
    def gathers(self) -> bool:
        """Whether this gathers trials, and can run without some of them."""
        return GATHER_TAG in self.nodes[0].tags

    @property
    def is_of_report(self) -> bool:
        """Whether this makes a part of the report, which nothing else waits for."""
        return self.name.startswith(REPORT)

    def without(self, lost: list[Unit]) -> Unit:
        """The unit without the outputs of other units among its inputs."""
        missing = {name for unit in lost for node in unit.nodes for name in node.outputs}
        nodes = (
            with_inputs(node, [name for name in node.inputs if name not in missing])
            for node in self.nodes
        )
        return Unit(self.name, tuple(nodes)) if missing else self


class Schedule:
    """Which units are waiting, done, or cannot run."""

    def __init__(self, pipeline: Pipeline, methods: Sequence[str]) -> None:
        groups: dict[str, list[Node]] = {}
        for node in pipeline.nodes:  # sorted, parents first
            groups.setdefault(_unit_name(node), []).append(node)
        # Parents before children: gathering units come after all of their trials.
        self._units = {name: Unit(name, tuple(nodes)) for name, nodes in groups.items()}
        self._starting_order = [u.name for u in _interleaved(list(self._units.values()), methods)]
        dependencies = pipeline.node_dependencies
        self._parents = {
            name: {_unit_name(parent) for node in unit.nodes for parent in dependencies[node]}
            - {name}
            for name, unit in self._units.items()
        }
        self._waiting = set(self._units)
        self._done: set[str] = set()
        self._lost: set[str] = set()
        self.failures: dict[str, BaseException] = {}

    @property
    def trials(self) -> list[Unit]:
        """The trials, in the order in which they start."""
        return [unit for name in self._starting_order if (unit := self._units[name]).is_trial]

    @property
    def waiting(self) -> list[Unit]:
        """The units that have not been taken."""
        return [unit for name, unit in self._units.items() if name in self._waiting]

    @property
    def waits_for_trials(self) -> bool:
        """Whether there are trials among the units that have not been taken."""
        return any(unit.is_trial for unit in self.waiting)

    def preparation(self) -> list[Unit]:
        """The units that are not trials and do not depend on any, parents first.

        The report comes last, also without trials.
        """
        late: set[str] = set()
        for name, unit in self._units.items():
            if unit.is_trial or unit.is_of_report or late & self._parents[name]:
                late.add(name)
        return [unit for name, unit in self._units.items() if name not in late]

    def done(self, unit: Unit) -> None:
        """Record that a unit has run."""
        self._waiting.discard(unit.name)
        self._done.add(unit.name)

    def failed(self, unit: Unit, error: BaseException) -> None:
        """Record that a unit has failed."""
        self._lost.add(unit.name)
        self.failures[unit.name] = error

    def take_ready(self) -> list[Unit]:
        """Take the units that can run now; those that gather leave out what has failed."""
        ready = []
        for name in [name for name in self._starting_order if name in self._waiting]:
            unit, parents = self._units[name], self._parents[name]
            lost = parents & self._lost
            if lost and (not unit.gathers or lost == parents):
                self._waiting.discard(name)
                self._lost.add(name)
            elif parents <= self._done | self._lost:
                self._waiting.discard(name)
                ready.append(unit.without([self._units[parent] for parent in lost]))
        return ready


def _interleaved(units: list[Unit], methods: Sequence[str]) -> list[Unit]:
    """The first method of all backbones, then the second of all, and so on.

    Trials that differ only in their method often share a training: started at the same time, one
    would wait for the other.
    """

    def rank(unit: Unit) -> int:
        return methods.index(unit.name.split(".")[-2]) if unit.is_trial else 0

    return sorted(units, key=rank)  # stable: otherwise as they were


def _unit_name(node: Node) -> str:
    return str(node.namespace) if TRIAL_TAG in node.tags else node.name
