"""Which workers cannot be used, and what is said of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from longtail.cluster.checks import Expected, Probe, Requirements, probing, server_of, slots
from longtail.cluster.on_worker import Introduction, introduce
from longtail.errors import DataError
from longtail.parameters import Compute
from tests.pipelines.support import PROJECT


def ask(probe: Probe, server: tuple[str, int] | None = None) -> Introduction:
    answer = str(probe.answer("tcp://a:1"))
    return Introduction(*introduce(str(PROJECT), str(probe.file), probe.content, answer, server))


def compute(**changes: Any) -> Compute:
    values = {"device": "auto", "threads": 1, "workers": None, "compile": "never"}
    return Compute(**{**values, **changes})


def expected(
    data: Path, probe: Probe, tracking: str = "http://a:5000", device: str = "cpu"
) -> Expected:
    required = Requirements(data, tracking, compute(device=device), None, 30)
    return Expected.here(PROJECT, required, probe)


def test_the_machine_itself_is_fit_and_nothing_is_left_in_its_data_folder(tmp_path: Path) -> None:
    with probing(tmp_path) as probe:
        assert expected(tmp_path, probe).unfit(ask(probe), answered=True) == ""
        assert probe.answer("tcp://a:1").exists()
    assert list((tmp_path / ".runs").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"python": "2.7"}, "Python 2.7 (here"),
        ({"versions": {"torch": "1.0"}}, "torch 1.0 (here"),
        ({"versions": {}}, "no longtail"),
        ({"code": "other"}, "its code of longtail is not the one here"),
        ({"loaded": "older"}, "restart the worker"),
        ({"has_project": False}, "at the same path on every machine"),
        ({"sees_probe": False}, "does not see this run's data"),
        ({"can_write": False}, "does not write this run's data"),
        ({"sees_lock": False}, "file locks on"),
        ({"unreachable": "refused"}, "does not reach MLflow"),
    ],
)
def test_what_differs_is_reported(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    with probing(tmp_path) as probe:
        worker = ask(probe)._replace(**change)
        assert told in expected(tmp_path, probe).unfit(worker, answered=True)


def test_a_data_folder_of_the_same_name_that_is_not_shared_is_reported(tmp_path: Path) -> None:
    with probing(tmp_path) as probe:
        assert "does not write" in expected(tmp_path, probe).unfit(ask(probe), answered=False)


def test_a_worker_without_the_project_s_code_is_reported(tmp_path: Path) -> None:
    with probing(tmp_path) as probe:
        error = ModuleNotFoundError("No module named 'longtail'")
        assert "cannot import longtail" in expected(tmp_path, probe).unfit(error, answered=False)


def test_a_database_file_serves_one_machine_only(tmp_path: Path) -> None:
    with probing(tmp_path) as probe:
        here, there = ask(probe), ask(probe)._replace(host="elsewhere")
        of_file = expected(tmp_path, probe, "sqlite:////shared/mlflow.db")
        assert of_file.unfit(here, answered=True) == ""
        assert "Start a server" in of_file.unfit(there, answered=True)
        assert expected(tmp_path, probe).unfit(there, answered=True) == ""


def test_the_probe_is_looked_at_and_not_only_looked_for(tmp_path: Path) -> None:
    with probing(tmp_path) as probe:
        assert ask(probe).sees_probe
        assert ask(probe).sees_lock
        assert not ask(Probe(probe.file, "other")).sees_probe
        unlocked = Probe(tmp_path / "unlocked", "content")
        unlocked.file.write_text("content")
        assert ask(unlocked).sees_probe
        assert not ask(unlocked).sees_lock


def test_a_server_that_does_not_answer_is_noticed(tmp_path: Path) -> None:
    with probing(tmp_path) as probe:
        assert ask(probe, ("127.0.0.1", 1)).unreachable


def test_a_data_folder_that_cannot_be_written_to_is_reported(tmp_path: Path) -> None:
    (tmp_path / ".runs").touch()
    with pytest.raises(DataError, match="--params=data="), probing(tmp_path):
        pass


@pytest.mark.parametrize(
    ("uri", "server"),
    [
        ("http://host:5000", ("host", 5000)),
        ("https://user:secret@host", ("host", 443)),
        ("postgresql+psycopg2://host/runs", ("host", 5432)),
        ("sqlite:////folder/mlflow.db", None),
        ("databricks", None),
    ],
)
def test_where_mlflow_listens(uri: str, server: tuple[str, int] | None) -> None:
    assert server_of(uri) == server


@pytest.mark.parametrize(
    ("threads", "resources", "has_gpu", "gpu", "changes", "count"),
    [
        (4, {}, False, False, {}, 4),
        (4, {}, False, False, {"threads": 2}, 2),
        (1, {}, False, False, {"threads": 2}, 1),
        (4, {}, True, False, {}, 1),
        (4, {}, True, False, {"device": "cpu"}, 4),
        (4, {"GPU": 1.0}, True, True, {}, 1),
        (4, {"GPU": 2.0}, True, True, {}, 2),
        (1, {"GPU": 2.0}, True, True, {}, 1),
        (4, {}, True, True, {}, 0),
    ],
)
def test_how_many_trials_a_worker_runs(
    threads: int,
    resources: dict[str, float],
    has_gpu: bool,
    gpu: bool,
    changes: dict[str, Any],
    count: int,
    tmp_path: Path,
) -> None:
    with probing(tmp_path) as probe:
        worker = ask(probe)._replace(has_gpu=has_gpu)
    assert slots(worker, threads, resources, compute(**changes), gpu) == count


def test_a_gpu_that_is_asked_for_has_to_be_there(tmp_path: Path) -> None:
    with probing(tmp_path) as probe:
        needs = expected(tmp_path, probe, device="cuda")
        without = ask(probe)._replace(has_gpu=False)
        assert "has no GPU" in needs.unfit(without, answered=True)
        assert needs.unfit(without._replace(has_gpu=True), answered=True) == ""
