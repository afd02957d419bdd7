"""A signal ends a command with the same message at any time, and processes with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project

from longtail.cli import cli
from longtail.errors import RunInterruptedError
from longtail.interruption import MESSAGE, SIGNALS, interruptible

PROJECT = Path(__file__).parents[1]
# What a run calls before, between and after its nodes.
PHASES = (
    "longtail.context.create_pipelines",  # the session and its parameters
    "longtail.catalog.dataset_class",  # the catalog
    "longtail.hooks.preflight.check_pixels",  # the hooks before the run
    "longtail.pipelines.ingest.nodes.read_digits",
    "longtail.hooks.summary.made",  # the hooks after the run
)


@pytest.fixture
def heard() -> Iterator[None]:
    """No signal is ignored, as some are in a shell's background jobs, which tests may be."""
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGHUP: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_is_one_message(
    phase: str,
    number: signal.Signals,
    mlflow_uri: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), number)
        raise AssertionError("the signal did not arrive")

    if phase.endswith("read_digits"):
        monkeypatch.setattr("longtail.sources.digits.read_digits", interrupted)
        monkeypatch.setattr("longtail.sources.read.read_digits", interrupted)
    else:
        monkeypatch.setattr(phase, interrupted)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    monkeypatch.chdir(PROJECT)
    bootstrap_project(PROJECT)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    options = ["--env=test", "--pipelines=ingest", f"--params=data={tmp_path}/data"]
    result = CliRunner().invoke(cli, ["run", *options])
    assert result.exit_code == 130
    assert isinstance(result.exception, SystemExit)
    assert result.output.endswith(f"Error: {MESSAGE}\n")
    assert "Traceback" not in result.output
    assert {number: signal.getsignal(number) for number in SIGNALS} == before


def test_an_ignored_signal_stays_ignored() -> None:
    """As `nohup` ignores SIGHUP, and a shell's background jobs Ctrl-C."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGHUP)
        with pytest.raises(RunInterruptedError), interruptible():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_where_python_drops_errors_is_not_lost(number: signal.Signals) -> None:
    """As in a callback of a weak reference, of which PyTorch has thousands."""

    class Interrupted:
        def __del__(self) -> None:
            signal.raise_signal(number)

    hook, ended = sys.unraisablehook, False
    with pytest.raises(RunInterruptedError), interruptible():
        Interrupted()
        time.sleep(10)
        ended = True
    assert not ended
    assert sys.unraisablehook is hook


def test_other_errors_that_python_drops_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __del__(self) -> None:
            raise ValueError("broken")

    reported: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: reported.append(str(lost.exc_value)))
    with interruptible():
        Broken()
    assert reported == ["broken"]


def test_other_threads_may_run_sessions() -> None:
    ended = []

    def work() -> None:
        with interruptible():
            ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [True]


@pytest.mark.parametrize(
    ("program", "start"),
    [
        (
            "kedro",
            "from kedro.framework.project import settings; settings.configure('%s.settings')",
        ),
        ("longtail", "from %s.__main__ import main; main()"),
    ],
)
def test_a_signal_during_the_imports_is_the_same_message(program: str, start: str) -> None:
    code = (
        f"import sys; sys.argv[0] = '{program}'\n"
        "import builtins, os, signal; original = builtins.__import__\n"
        "def slow(name, *rest):\n"
        "    if name == 'omegaconf': os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return original(name, *rest)\n"
        "import kedro.framework.cli; builtins.__import__ = slow\n" + start % "longtail"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (130, f"Error: {MESSAGE}\n")


SERVER = """
import multiprocessing.forkserver, os, signal, sys
from longtail import workers
workers.PRELOADED = [workers.PRELOADED[0], "endless_import"]
workers.warm_up()
server = multiprocessing.forkserver._forkserver._forkserver_pid
os.kill(server, signal.SIGINT)  # as Ctrl-C does, which reaches all processes of a terminal
print(server, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot end it so early")
def test_the_fork_server_ends_with_its_parent_while_it_imports_and_ignores_ctrl_c(
    tmp_path: Path,
) -> None:
    code = (
        f"import pathlib, time; pathlib.Path({str(tmp_path / 'begun')!r}).touch(); time.sleep(600)"
    )
    (tmp_path / "endless_import.py").write_text(code)
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        server = psutil.Process(int(parent.stdout.readline()))
        while not (tmp_path / "begun").exists():
            assert server.status() != psutil.STATUS_ZOMBIE
            time.sleep(0.05)
        parent.kill()
        _, alive = psutil.wait_procs([server], timeout=60)
        assert parent.stderr.read() == ""
    for process in alive:
        process.kill()
    assert not alive
