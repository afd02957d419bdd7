"""The command `kedro mlflow`."""

from __future__ import annotations

import os
import sys

import click

from longtail.runs import tracking, tracking_errors

# MLflow opens its pages for language models by default, which are empty here.
RUNS_PAGE = "#/experiments/{}/runs?workflowType=machine_learning"


def open_runs(port: int) -> None:
    """Start MLflow's pages in place of this process, and print the address of the runs' table.

    If runs are tracked by a server, only the address is printed.

    Raises:
        DataError: if MLflow cannot be reached.
    """
    try:
        page = RUNS_PAGE.format(tracking.experiment())
    except tracking_errors.failures() as error:
        raise tracking_errors.unreachable(error) from None
    uri = tracking.uri()
    if uri.startswith("http"):
        click.echo(f"Runs: {tracking.shown_uri().rstrip('/')}/{page}")
        return
    click.echo(f"Runs: http://127.0.0.1:{port}/{page}\nStop with Ctrl+C")
    sys.stdout.flush()
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--workers", "1"]
    os.execv(sys.executable, [*command, "--port", str(port)])
