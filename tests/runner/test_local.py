"""The order of the runner and how it handles failures, with trivial nodes."""

from __future__ import annotations

import io
import signal
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import MemoryDataset
from kedro.pipeline import Node, Pipeline
from rich.console import Console

from longtail import progress
from longtail.errors import (
    ConfigurationError,
    DiskFullError,
    RunInterruptedError,
    SilentWorkerError,
    TrainingError,
    TrialsFailedError,
)
from longtail.runner import GridRunner
from tests.pipelines.toy import (
    BACKBONES,
    METHODS,
    Recorder,
    broken,
    catalog_with,
    execute,
    interrupted,
    one,
    terminated,
    toy,
    trial_name,
    twice,
)


def test_everything_is_run_once() -> None:
    recorder = Recorder()
    assert execute(toy(), recorder) == 2 * 6 * 4
    assert sorted(recorder.started) == sorted(node.name for node in toy().nodes)


def test_preparation_then_trials_then_what_gathers_them() -> None:
    recorder = Recorder()
    execute(toy(), recorder)
    assert recorder.started[0] == "zz_prepare"
    assert recorder.started[-2:] == ["gather", "page"]


def test_preparation_runs_before_trials_that_do_not_need_it() -> None:
    pipeline = Pipeline([*toy().nodes, Node(one, None, "aside", name="zzz_aside")])
    trial = Pipeline([Node(one, None, "result", name="work")], namespace=trial_name("a", "odd"))
    early = Pipeline(trial.nodes, tags=["trial"])
    recorder = Recorder()
    execute(Pipeline([pipeline, early]), recorder)
    assert set(recorder.started[:2]) == {"zz_prepare", "zzz_aside"}


def test_what_comes_after_the_trials_is_announced(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="longtail"):
        execute(toy(), Recorder())
    (line,) = [
        message for message in caplog.messages if message.startswith("Gathering the results")
    ]
    assert line in ("Gathering the results: 2 steps", "Gathering the results: 3 steps")


@pytest.mark.parametrize(
    ("before", "steps"), [(toy(), {4, 5}), (Pipeline([Node(one, None, "page", name="read")]), {2})]
)
def test_a_report_is_announced_with_and_without_trials(
    before: Pipeline,
    steps: set[int],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=80)
    monkeypatch.setattr("rich.get_console", lambda: console)
    nodes = [
        Node(twice, "page", "twice", name="draw", namespace="report.toy"),
        Node(twice, "twice", "result", name="write", namespace="report.toy"),
    ]
    with caplog.at_level("INFO", logger="longtail"):
        GridRunner(max_workers=1).run(Pipeline([before, *nodes]), catalog_with())
    (line,) = [message for message in caplog.messages if message.startswith("Writing the report")]
    assert line in {f"Writing the report: {number} steps" for number in steps}
    assert "All trials" not in terminal.getvalue().rpartition("Writing the report")[2]
    assert " 100%" in terminal.getvalue().rpartition("Writing the report")[2]


def test_a_method_is_run_on_all_backbones_before_the_next_one() -> None:
    recorder = Recorder()
    execute(toy(), recorder)
    works = [name.split(".")[3:5] for name in recorder.started if name.endswith(".work")]
    assert [method for _, method in works] == ["plain"] * 2 + ["odd"] * 2 + ["even"] * 2
    assert {backbone for backbone, _ in works[:2]} == set(BACKBONES)


def test_a_trial_s_nodes_run_one_after_the_other() -> None:
    recorder = Recorder()
    execute(toy(), recorder)
    trials = [name for name in recorder.started if name.endswith((".work", ".finish"))]
    pairs = list(zip(trials[::2], trials[1::2], strict=True))
    assert all(a.removesuffix("work") == b.removesuffix("finish") for a, b in pairs)


def test_a_failed_trial_does_not_affect_the_others() -> None:
    recorder = Recorder()
    catalog = catalog_with()
    manager = _create_hook_manager()
    manager.register(recorder)
    with pytest.raises(TrialsFailedError) as raised:
        GridRunner(max_workers=1).run(toy({"small.odd": broken}), catalog, manager, "test")
    assert catalog.load("page") == 2 * 5 * 4
    assert recorder.failed == [f"{trial_name('small', 'odd')}.work"]
    assert f"{trial_name('small', 'odd')}.finish" not in recorder.started
    assert len([name for name in recorder.started if name.endswith(".finish")]) == 5
    message = str(raised.value)
    assert message.startswith("1 trial failed")
    assert f"{trial_name('small', 'odd')}: ValueError: boom 1" in message
    assert f"kedro run --pipelines=full --namespaces={trial_name('small', 'odd')}" in message
    assert trial_name("large", "odd") not in message


def diverged(_: int) -> int:
    raise TrainingError("the loss is nan. Lower recipe.learning_rate")


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        (
            diverged,
            "the loss is nan. Lower recipe.learning_rate\n"
            "    After that, to retry only this trial: ",
        ),
        (broken, "ValueError: boom 1\n    To retry only this trial: "),
    ],
)
def test_a_trial_that_would_fail_again_is_retried_after_a_change(
    fails: Callable[[int], int], said: str
) -> None:
    with pytest.raises(TrialsFailedError) as raised:
        execute(toy({"small.odd": fails}))
    name, message = trial_name("small", "odd"), str(raised.value)
    assert f"\n  {name}: {said}kedro run --pipelines=full --namespaces={name}\n" in message
    assert message.endswith("\nFinished trials are trained again only if their parameters change.")


def test_a_reason_that_trials_share_is_stated_once_and_there_are_no_others() -> None:
    def fails(_: int) -> int:
        raise ValueError("boom")

    with pytest.raises(TrialsFailedError) as raised:
        execute(
            toy({f"{backbone}.{method}": fails for backbone in BACKBONES for method in METHODS})
        )
    [first, *lines] = str(raised.value).splitlines()
    assert first == "6 trials failed:"
    assert sum("ValueError: boom" in line for line in lines) == 1
    assert sum(line.endswith(": the same") for line in lines) == 5
    assert sum("To retry only this trial: " in line for line in lines) == 1


def test_a_trial_is_run_again_as_often_as_its_worker_is_silent() -> None:
    tries = []

    def silent_three_times(number: int) -> int:
        tries.append(number)
        if len(tries) <= 3:
            raise SilentWorkerError("the worker has not answered for 300 s")
        return 2 * number

    catalog = catalog_with()
    GridRunner(max_workers=1).run(toy({"small.odd": silent_three_times}), catalog)
    assert catalog.load("page") == 2 * 6 * 4
    assert tries == [1, 1, 1, 1]


def test_a_gathering_of_lost_trials_only_is_lost_and_the_others_are_not() -> None:
    recorder, catalog, manager = Recorder(), catalog_with(), _create_hook_manager()
    manager.register(recorder)
    all_small = {f"small.{method}": broken for method in METHODS}
    with pytest.raises(TrialsFailedError, match=r"^3 trials failed"):
        GridRunner(max_workers=1).run(toy(all_small), catalog, manager, "test")
    assert catalog.load("page") == 2 * 3 * 4
    assert "train.small" not in recorder.started
    assert "train.large" in recorder.started


def test_when_all_trials_fail_nothing_is_gathered() -> None:
    recorder = Recorder()
    everything = {f"{b}.{m}": broken for b in BACKBONES for m in METHODS}
    with pytest.raises(TrialsFailedError, match=r"^6 trials failed"):
        execute(toy(everything), recorder)
    assert {"train.small", "train.large", "gather", "page"}.isdisjoint(recorder.started)


def test_what_needs_the_very_trial_that_failed_is_not_run() -> None:
    result = f"{trial_name('small', 'odd')}.result"
    own = Node(twice, result, "own", name="own", namespace="train")
    recorder = Recorder()
    with pytest.raises(TrialsFailedError):
        execute(Pipeline([*toy({"small.odd": broken}).nodes, own]), recorder)
    assert "train.own" not in recorder.started
    execute(Pipeline([*toy().nodes, own]), recorder)
    assert "train.own" in recorder.started


def test_a_slice_that_begins_with_a_trial_gathers_after_it() -> None:
    """As with ``--from-nodes``, where the other trials' results are stored already."""
    name = trial_name("small", "odd")
    pipeline = toy().from_nodes(f"{name}.work")
    others = {f"{trial_name('small', method)}.result": 40 for method in ("plain", "even")}
    given = {"prepared": 1, "large_sum": 100, **others}
    catalog = catalog_with(**{key: MemoryDataset(value) for key, value in given.items()})
    recorder, manager = Recorder(), _create_hook_manager()
    manager.register(recorder)
    GridRunner(max_workers=1).run(pipeline, catalog, manager, "test")
    assert recorder.started == [f"{name}.work", f"{name}.finish", "train.small", "gather", "page"]
    assert catalog.load("page") == 2 * (100 + 40 + 4 + 40)


@pytest.mark.parametrize("prepare", [one, broken])
def test_a_run_that_ended_is_not_told_of_later_trainings(prepare: Callable[..., int]) -> None:
    seen: list[progress.Event] = []
    later = progress.EpochDone("later", 1, 2, 0.5)
    with progress.watched(seen.append):
        with suppress(ValueError) if prepare is broken else nullcontext():
            GridRunner(max_workers=1).run(toy(prepare=prepare), catalog_with())
        progress.tell(later)
    assert seen == [later]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failed_preparation_ends_the_run_before_any_trial(workers: int) -> None:
    recorder = Recorder()
    with pytest.raises(ValueError, match="boom 0"):
        execute(toy(prepare=broken), recorder, workers)
    assert recorder.started == ["zz_prepare"]


def test_an_interrupt_without_trials_speaks_of_none() -> None:
    def read() -> int:
        return interrupted(0)

    with pytest.raises(RunInterruptedError, match=r"interrupted\. Run the same command again\.$"):
        execute(Pipeline([Node(read, None, "images", name="read")]), Recorder())


@pytest.mark.parametrize("how", [interrupted, terminated])
def test_an_interrupt_ends_the_run(how: Callable[[int], int]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    recorder = Recorder()
    with pytest.raises(RunInterruptedError, match="Finished trials are saved"):
        execute(toy({"small.odd": how}), recorder)
    assert not any(".even." in name for name in recorder.started)
    assert "page" not in recorder.started
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(
    ("given", "repeated"),
    [
        (["run", "--env=test"], "kedro run --env=test"),
        (["run", "--params=grid.methods=[odd]"], "kedro run '--params=grid.methods=[odd]'"),
        (["run", "--env=test", "--namespaces=train.toy"], "kedro run --env=test"),
        (["run", "--namespaces", "train.toy", "--env=test"], "kedro run --env=test"),
        (["run", "-ns", "train.toy", "--env=test"], "kedro run --env=test"),
    ],
)
def test_the_retry_is_the_command_that_was_given(
    monkeypatch: pytest.MonkeyPatch, given: list[str], repeated: str
) -> None:
    monkeypatch.setattr("sys.argv", ["/somewhere/bin/kedro", *given])
    with pytest.raises(TrialsFailedError) as raised:
        execute(toy({"small.odd": broken}))
    lines = str(raised.value).splitlines()
    assert any(line.endswith(f": {repeated}") for line in lines)
    alone = f"{repeated} --namespaces={trial_name('small', 'odd')}"
    assert any(line.endswith(f": {alone}") for line in lines)


def test_outside_a_project_the_retry_is_a_command_of_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["/packages/longtail/__main__.py", "run", "--env=test"])
    with pytest.raises(TrialsFailedError) as raised:
        execute(toy({"small.odd": broken}))
    assert str(raised.value).splitlines()[-2].endswith(": longtail run --env=test")


@pytest.mark.parametrize("arguments", [{"max_workers": 0}, {"is_async": True}])
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        GridRunner(**arguments)


def out_of_space(number: int) -> int:
    raise DiskFullError(f"the disk is full: {number}")


def test_a_full_disk_ends_the_run_at_once() -> None:
    """The other trials could not be kept either."""
    recorder = Recorder()
    with pytest.raises(DiskFullError, match="the disk is full"):
        execute(toy({"small.plain": out_of_space}), recorder)
    assert "page" not in recorder.started
    assert "gather" not in recorder.started
