"""A loss that is defined outside the package, from its file to its row in the tables."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from longtail.errors import DataError
from tests.own_loss_example import METHOD, forget_example, write_example
from tests.pipelines.support import Run, run

# A loss of the package with the same weights.
SQUARE_ROOT = {"name": "weighted_softmax", "convention": "min_ratio", "exponent": 0.5}
PARAMETERS = {
    "methods": {**METHOD, "same": {"label": "The same", "loss": SQUARE_ROOT}},
    "grid": {
        "train_sets": ["long_tailed"],
        "backbones": ["convnext_micro"],
        "methods": ["power_of_counts", "same"],
    },
}


def started(data: Path, stage: str) -> Run:
    forget_example()
    return run(data, PARAMETERS, stages=[stage], workers=2)


def test_a_custom_loss_is_trained_and_reported_like_any_other(
    tracking: MlflowClient,  # noqa: ARG001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = write_example(tmp_path, monkeypatch)
    data = tmp_path / "data"
    ended = started(data, "full")
    assert ended.error is None
    results = ended.load("digits_results").set_index(["method", "test_set"])
    figures = ["loss", "acc1", "f1"]
    assert results.loc["power_of_counts", figures].equals(results.loc["same", figures])
    assert (
        results.loc["power_of_counts", "fingerprint"].iloc[0]
        != results.loc["same", "fingerprint"].iloc[0]
    )
    appendix = next((data / "08_reporting").rglob(f"{ended.run_id}/appendix.tex"))
    assert "Power of counts" in appendix.read_text(encoding="utf-8")

    file.write_text(f"{file.read_text(encoding='utf-8')}\n# another comment\n")
    error = started(data, "report").error
    assert isinstance(error, DataError)
    assert "digits.long_tailed.convnext_micro.power_of_counts.seed0" in str(error)
    assert (
        f"or the file that defines the loss '{METHOD['power_of_counts']['loss']['type']}'"
        in str(error)
    )
    assert "same.seed0" not in str(error)
