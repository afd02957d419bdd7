"""The runner of a Dask cluster."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from kedro.pipeline.node import Node

from longtail.catalog import LongtailCatalog
from longtail.cluster.checks import Requirements
from longtail.cluster.pool import DaskPool
from longtail.cluster.process import Site
from longtail.errors import ConfigurationError
from longtail.parameters import Compute, unknown
from longtail.progress import Sink
from longtail.project import root
from longtail.runner.engine import Pool, TrialRunner
from longtail.runner.local import ThisProcess
from longtail.runs import tracking

if TYPE_CHECKING:
    from distributed import Client

PARAMETERS = ["address", "gpu", "patience"]
SCHEDULER_TIMEOUT_S = 10
# The environment variables that are passed on to other machines.
PASSED_ON = ("MLFLOW_", "KEDRO_", "DO_NOT_TRACK")


class DaskRunner(TrialRunner):
    """Runs trials on the workers of a Dask scheduler, and everything else here.

    Args:
        address: the address of the scheduler, as ``tcp://host:8786``.
        gpu: whether each trial requires the resource ``GPU`` of a worker; by default if the
            workers offer it and ``compute.device`` is not ``cpu``.
        patience: how long to wait while there are no workers, in seconds.
        is_async: not supported; always passed by Kedro.
        others: unknown parameters, which are refused.
    """

    def __init__(
        self,
        address: str | None = None,
        gpu: bool | None = None,
        patience: float = 30,
        is_async: bool = False,
        **others: object,
    ) -> None:
        if others:
            raise ConfigurationError(
                f"DaskRunner: {unknown(next(iter(others)), PARAMETERS, 'runner parameter')}"
            )
        super().__init__(is_async)
        if not address:
            raise ConfigurationError(
                "DaskRunner needs the scheduler's address: --runner-params=address=tcp://host:8786"
            )
        if gpu is not None and not isinstance(gpu, bool):
            raise ConfigurationError(f"DaskRunner: gpu must be true or false, found {gpu!r}")
        if isinstance(patience, bool) or not isinstance(patience, int | float) or patience <= 0:
            raise ConfigurationError(
                f"DaskRunner: patience must be a number of seconds, found {patience!r}"
            )
        self._address, self._gpu, self._patience = str(address), gpu, float(patience)

    def _open_pool(
        self,
        trial_nodes: list[Node],
        catalog: LongtailCatalog,
        sink: Sink,
        here: Callable[[Node], None],
        run_id: str,
    ) -> AbstractContextManager[Pool]:
        if not trial_nodes:
            return nullcontext(ThisProcess(here))
        environment = {k: v for k, v in os.environ.items() if k.startswith(PASSED_ON)}
        environment["MLFLOW_TRACKING_URI"] = tracking.uri()
        project = root()
        return DaskPool(
            self._connected(),
            Site(project, environment, catalog),
            Requirements(
                project / catalog.load("params:data"),
                tracking.uri(),
                Compute.model_validate(catalog.load("params:compute")),
                self._gpu,
                self._patience,
            ),
            run_id,
            sink,
        )

    def _connected(self) -> Client:
        try:
            from distributed import Client
        except ModuleNotFoundError:
            raise ConfigurationError(
                "DaskRunner needs Dask, which is not installed. In the project's folder: "
                "pip install -e '.[dask]'"
            ) from None
        try:
            return Client(self._address, timeout=SCHEDULER_TIMEOUT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError, TypeError) as error:
            raise ConfigurationError(
                f"no Dask scheduler answers at {self._address} ({error or type(error).__name__}). "
                f"Start one (dask scheduler), or give its address: "
                f"--runner-params=address=tcp://host:8786"
            ) from None
