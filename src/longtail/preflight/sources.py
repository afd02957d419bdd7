"""The check of the sources of images."""

from __future__ import annotations

from longtail import sources
from longtail.errors import ConfigurationError
from longtail.parameters import Dataset, DigitsSource, FolderSource, Parameters
from longtail.records.source_captures import capture_reader

# The images of the smallest class, where they are known before they are read.
IMAGES_PER_CLASS = {"digits": 174, "cifar100": 600}


def check_sources(parameters: Parameters, made: set[str]) -> None:
    """Refuse sources of images that a run would read and cannot.

    Raises:
        DataError: if a source is missing.
        ConfigurationError: if it has too few images for its hold-out.
    """
    for name in parameters.grid.datasets:
        if f"{name}_images" in made:
            _check_holdout(parameters.datasets[name])
            source = parameters.datasets[name].source
            sources.check_source(source, name)
            if isinstance(source, FolderSource):
                capture_reader(source, f"datasets.{name}.source")  # reads the table of traps


def _check_holdout(dataset: Dataset) -> None:
    """Refuse a hold-out that the number of images, where it is known before, does not allow."""
    holdout, key = dataset.imbalance.holdout, f"datasets.{dataset.name}.imbalance.holdout"
    if isinstance(dataset.source, DigitsSource) and holdout.kind in ("official", "official_test"):
        raise ConfigurationError(
            f"{key}: '{holdout.kind}' needs official test images, which the digits do not have. "
            f"Use {{kind: per_class, test: 50, validation: 14}}"
        )
    images = IMAGES_PER_CLASS.get(dataset.source.kind)
    if images is not None and images < dataset.smallest_class:
        raise ConfigurationError(
            f"{key}: holds out {dataset.smallest_class - 1:,} images of each class for testing and "
            f"validation, and at least one must be left to train on, but a class has only {images}"
        )
