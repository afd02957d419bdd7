"""A data set all of whose official test images test: nothing validates, and all else works."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from longtail.errors import ConfigurationError, DataError
from tests.pipelines.support import Run, dotted, loader, run

CLASSES = ("apple", "boy", "cup")
SIZES = {"train": 12, "test": 7}
SEEDS = (0, 1)
METHODS = ("softmax", "ldam")
TRIALS = [f"cifar100.matched.convnext_micro.{m}.seed{s}" for m in METHODS for s in SEEDS]
SMALL = (
    "grid.datasets=[cifar100]",
    "grid.train_sets=[matched]",
    "grid.backbones=[convnext_micro]",
    f"grid.methods=[{','.join(METHODS)}]",
    f"grid.seeds=[{','.join(map(str, SEEDS))}]",
    "datasets.cifar100.imbalance.holdout.kind=official_test",
    "datasets.cifar100.imbalance.profile.imbalance_factor=4",
)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of three classes of different brightness, in folders as CIFAR-100's."""
    folder = tmp_path_factory.mktemp("official")
    numbers = np.random.default_rng(0)
    for split, size in SIZES.items():
        for label, name in enumerate(CLASSES):
            (folder / split / name).mkdir(parents=True)
            for i in range(size):
                pixels = numbers.integers(80 * label, 80 * label + 90, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def official(
    tracking: object,  # noqa: ARG001
    images: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    path = f"datasets.cifar100.source.path={images}"
    given = dotted(*SMALL, path, "recipe.validate_every=0")
    return run(tmp_path_factory.mktemp("official_run"), given)


def test_it_ends_without_an_error(official: Run) -> None:
    assert official.error is None


def test_all_official_test_images_test_and_none_validates(official: Run) -> None:
    subsets, index = official.load("cifar100_subsets"), official.load("cifar100_index")
    assert set(subsets["role"]) == {"train", "test"}
    tested = subsets.loc[(subsets["role"] == "test") & (subsets["name"] == "balanced"), "image"]
    assert tested.tolist() == index.loc[index["split"] == "test", "image"].tolist()
    assert len(tested) == len(CLASSES) * SIZES["test"]


def test_a_trial_to_export_must_be_named_before_the_training(images: Path, tmp_path: Path) -> None:
    path = f"datasets.cifar100.source.path={images}"
    given = dotted(*SMALL, path, "recipe.validate_every=0")
    ended = run(tmp_path / "data", given, stages=["full", "export"])
    assert isinstance(ended.error, DataError)
    assert str(ended.error).endswith(f"Name a trial: --params=predict.trial={TRIALS[0]}")
    assert not (tmp_path / "data").exists()


def test_results_have_no_validation_rows(official: Run) -> None:
    results = official.load("cifar100_results")
    assert "validation" not in set(results["test_set"])
    assert set(results.loc[results["test_set"] == "balanced", "images"]) == {21}
    assert len(results.groupby(["method", "seed"])) == len(TRIALS)


def test_matched_training_is_as_large_as_long_tailed(official: Run) -> None:
    profile = official.load("cifar100_class_profile")
    assert profile["train_long_tailed"].tolist() == [12, 6, 3]
    for trial in TRIALS:
        assert official.load(f"train.{trial}.card")["train_images"] == 21


def test_histories_have_no_validation_figures(official: Run) -> None:
    histories = official.load("cifar100_histories")
    assert histories[["validation_loss", "validation_acc1"]].isna().all(axis=None)
    assert histories["train_loss"].notna().all()


def test_methods_are_compared_over_both_seeds(official: Run) -> None:
    comparisons = official.load("cifar100_comparisons")
    assert set(comparisons["seeds"]) == {len(SEEDS)}
    assert set(comparisons["test"]) == {"Student", "bootstrap"}
    assert set(comparisons["train_set"]) == {"matched"}


def test_the_report_is_written(official: Run) -> None:
    assert "CIFAR-100" in official.load("cifar100_appendix")
    assert "CIFAR-100" in official.load("cifar100_report")


def test_validating_is_refused_before_anything_is_done() -> None:
    with pytest.raises(ConfigurationError) as raised:
        loader("test", **dotted(*SMALL)).parameters()
    assert "recipe.validate_every" in str(raised.value)
    assert "datasets.cifar100.imbalance.holdout" in str(raised.value)
