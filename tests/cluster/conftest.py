"""Dask clusters for the tests: one with a worker, and one for tests that have their own workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kedro.framework.startup import bootstrap_project

from tests.cluster.support import Cluster
from tests.pipelines.support import PROJECT


@pytest.fixture(scope="module")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler and a worker with the resource ``GPU``, which runs trials one by one."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    cluster.worker("--nthreads=1", "--resources=GPU=1")
    yield cluster
    cluster.end()


@pytest.fixture(scope="package")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler whose workers come and go with each test."""
    cluster = Cluster(tmp_path_factory.mktemp("scheduler"))
    yield cluster
    cluster.end()


@pytest.fixture
def cluster(scheduler: Cluster) -> Iterator[Cluster]:
    """A scheduler without workers."""
    yield scheduler
    scheduler.end_workers()


@pytest.fixture
def in_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """The project's folder is the current one."""
    monkeypatch.chdir(PROJECT)
    bootstrap_project(PROJECT)
