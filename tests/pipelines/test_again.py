"""A second run finds what the first has trained and made; older versions stay in reach."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from longtail.errors import DataError
from tests.pipelines.support import (
    SMALL,
    TRAINING,
    TRIALS,
    Run,
    dotted,
    pipelines,
    predictions_of,
    run,
)

TRIAL = "digits.long_tailed.convnext_micro.ldam.seed0"


def test_it_trains_nothing(full: Run, again: Run) -> None:
    assert again.error is None
    for trial in TRIALS:
        first, second = (each.load(f"train.{trial}.card") for each in (full, again))
        assert second["started"] == first["started"]
        assert second["fingerprint"] == first["fingerprint"]


def test_it_stores_nothing_twice(full: Run, again: Run) -> None:
    """Whether trials run in two processes, as in the first run, or in one, as in the second."""
    assert again.run_id > full.run_id
    names = pipelines("test")["full"].all_outputs()
    versioned = {name: full.file(name) for name in full.made}
    assert set(versioned) <= names
    assert len(versioned) > 200
    assert {name: again.file(name) for name in again.made} == versioned
    assert not list(full.data.rglob(again.run_id))
    assert {path.name for path in full.data.rglob("*.csv/*")} == {full.run_id}


def test_one_process_trains_the_same_bits_as_two(full: Run, tmp_path: Path) -> None:
    small = dotted("grid.backbones=[convnext_micro]", "grid.methods=[ldam]")
    alone = run(tmp_path, small, stages=TRAINING, workers=1)
    assert alone.error is None
    for train_set in ("balanced", "long_tailed"):
        trial = f"train.digits.{train_set}.convnext_micro.ldam.seed0"
        cards = [each.load(f"{trial}.card") for each in (full, alone)]
        assert cards[0]["fingerprint"] == cards[1]["fingerprint"]
        assert cards[0]["started"] != cards[1]["started"]
        models = [each.file(f"{trial}.model") for each in (full, alone)]
        assert models[0].read_bytes() == models[1].read_bytes()
        predictions = [predictions_of(each, trial.removeprefix("train.")) for each in (full, alone)]
        pd.testing.assert_frame_equal(predictions[0], predictions[1], check_exact=True)


@pytest.fixture(scope="module")
def recut(small: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A copy of a run's data, in which newer subsets are less imbalanced."""
    data = tmp_path_factory.mktemp("recut") / "data"
    shutil.copytree(small.data, data)
    milder = dotted("datasets.digits.imbalance.profile.imbalance_factor=2")
    return run(data, milder, stages=["imbalance"])


def test_the_newest_subsets_are_trained_on(small: Run, recut: Run) -> None:
    trained = run(recut.data, stages=["train"], namespaces=[f"train.{TRIAL}"])
    card = trained.load(f"train.{TRIAL}.card")
    newest = recut.load("digits_class_profile")["train_long_tailed"].sum()
    assert card["train_images"] == newest > 369
    assert card["started"] > small.load(f"train.{TRIAL}.card")["started"]


def test_an_older_version_of_the_subsets_can_be_trained_on(small: Run, recut: Run) -> None:
    chosen = {"digits_subsets": small.run_id}
    trained = run(recut.data, stages=["train"], namespaces=[f"train.{TRIAL}"], load_versions=chosen)
    card = trained.load(f"train.{TRIAL}.card")
    assert card["train_images"] == 369
    assert card["started"] == small.load(f"train.{TRIAL}.card")["started"]


def test_an_older_version_of_the_subsets_can_be_reported(small: Run, recut: Run) -> None:
    newest = run(recut.data, dotted(*SMALL), stages=["report"])
    assert isinstance(newest.error, DataError)
    assert "digits_subsets are not those" in str(newest.error)
    chosen = dict.fromkeys(["digits_subsets", "digits_class_profile"], small.run_id)
    older = run(recut.data, dotted(*SMALL), stages=["report"], load_versions=chosen)
    assert older.load("digits_appendix") == small.load("digits_appendix")
