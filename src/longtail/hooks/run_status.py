"""What Kedro-Viz shows of the last run: which nodes ran, for how long, and which failed.

The hook of Kedro-Viz itself follows Kedro's SequentialRunner only. This one writes the same file
for our runners. Nodes of trials may run in other processes and on other machines: what happens to
them reaches the main process as log records, as all that they log does.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from longtail.catalog import LongtailCatalog
from longtail.kedro_internals import viz_id
from longtail.project import is_kedro_project, root
from longtail.runs.run_files import made
from longtail.storage.files import atomic_file
from longtail.wording import first_names

log = logging.getLogger(__name__)
# Its records have an attribute `event` and are not for people.
_events = log.getChild("events")
_events.setLevel(logging.INFO)

# Where Kedro-Viz looks, from the project's folder.
FILE = Path(".viz/kedro_pipeline_events.json")


class RunStatusHook:
    """Writes what happened to the nodes and datasets of a run when it ends."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._nodes = _LastEvents()
        self._start = _now()

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Begin a new list: Kedro has one hook per process."""
        self._nodes, self._start = _LastEvents(), _now()
        # Only here, since records of a worker process must reach the main one.
        _events.handlers, _events.propagate = [self._nodes], False

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Note when it began."""
        self._began[node.name] = perf_counter()

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Tell the main process, which may be this one."""
        seconds = perf_counter() - self._began.pop(node.name)
        _tell(event="after_node_run", duration=seconds, status="success", **_named(node))

    @hook_impl
    def on_node_error(self, error: Exception, node: Node) -> None:
        """Tell it that a node has failed, or a process that ran it was killed."""
        trace = "".join(traceback.format_exception(error))
        _tell(event="on_node_error", error=str(error), traceback=trace, **_named(node))

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: LongtailCatalog) -> None:
        """Write the file."""
        self._write(pipeline, catalog, {"event": "after_pipeline_run"})

    @hook_impl
    def on_pipeline_error(
        self, error: Exception, pipeline: Pipeline, catalog: LongtailCatalog
    ) -> None:
        """Write the file of a run that has ended with an error."""
        trace = "".join(traceback.format_exception(error))
        failed = {"event": "on_pipeline_error", "error": str(error), "traceback": trace}
        self._write(pipeline, catalog, failed)

    def _write(self, pipeline: Pipeline, catalog: LongtailCatalog, end: dict[str, Any]) -> None:
        if not is_kedro_project(root()):
            return
        events = [
            {"event": "before_pipeline_run", "timestamp": self._start},
            *self._nodes.events.values(),
            *_of_namespaces(self._nodes.events),
            *_of_datasets(pipeline, catalog, set(self._nodes.succeeded())),
            {**end, "timestamp": _now()},
        ]
        try:
            (root() / FILE).parent.mkdir(exist_ok=True)
            with atomic_file(root() / FILE) as draft:
                draft.write_text(json.dumps(events, indent=1), encoding="utf-8")
        except OSError as error:
            log.warning("Kedro-Viz will not show this run: %s", error)


class _LastEvents(logging.Handler):
    """Keeps the last event of each node: a trial that was resumed has run its nodes again."""

    def __init__(self) -> None:
        super().__init__()
        self.events: dict[str, dict[str, Any]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        event = record.__dict__["event"]
        self.events[event["node"]] = event

    def succeeded(self) -> list[str]:
        """The names of the nodes that have ended without an error."""
        return [name for name, event in self.events.items() if "error" not in event]


def _tell(**event: Any) -> None:
    _events.info("", extra={"event": event})


def _named(node: Node) -> dict[str, str]:
    return {"node": node.name, "node_id": viz_id(node)}


def _of_namespaces(nodes: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """An event for each namespace: Kedro-Viz calls a folded one without its own skipped."""
    parts = defaultdict[str, list[Mapping[str, Any]]](list)
    for name, event in nodes.items():
        namespace = name
        while namespace := namespace.rpartition(".")[0]:
            parts[namespace].append(event)
    events = []
    for namespace, own in parts.items():
        of = {"node": namespace, "node_id": namespace}  # its key in Kedro-Viz, too
        failed = [event["node"] for event in own if "error" in event]
        seconds = sum(event["duration"] for event in own if "error" not in event)
        if failed:
            text = f"{', '.join(first_names(failed))} failed"
            events.append({"event": "on_node_error", "error": text, "traceback": "", **of})
        else:
            done = {"event": "after_node_run", "duration": seconds, "status": "success"}
            events.append(done | of)
    return events


def _of_datasets(
    pipeline: Pipeline, catalog: LongtailCatalog, ran: set[str]
) -> list[dict[str, Any]]:
    """An event for each input and output of the nodes that ran, with the bytes of saved files."""
    nodes = [node for node in pipeline.nodes if node.name in ran]
    saved = {name for node in nodes for name in node.outputs}
    loaded = {name for node in nodes for name in node.inputs} - saved
    files = made(pipeline, catalog, ("",))  # every name ends with ""
    sizes = {name: file.stat().st_size for name, file in files.items() if file.is_file()}
    return [
        {
            "event": f"after_dataset_{what}",
            "dataset": name,
            "node_id": viz_id(name),
            "status": "Available",
            **({"size": sizes[name]} if name in sizes else {}),
        }
        for what, names in (("loaded", loaded), ("saved", saved))
        for name in sorted(names)
        if not name.startswith("params:")
    ]


def _now() -> str:
    return datetime.now(tz=UTC).isoformat()
