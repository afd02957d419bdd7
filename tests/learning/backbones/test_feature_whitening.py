from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from longtail.arrays import Float64Array, Int64Array
from longtail.learning.backbones import FeatureWhitening

CLASSES, FEATURES = 6, 9


def random_features(per_class: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    """Features whose directions vary unequally, and labels of which class 3 has none."""
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2, 4, 5], per_class)
    means = generator.normal(size=(CLASSES, FEATURES))
    spread = np.linspace(0.1, 2, FEATURES)
    features = means[labels] + spread * generator.normal(size=(len(labels), FEATURES))
    return torch.from_numpy(features).float(), torch.from_numpy(labels)


def shrunk_covariance(directions: Float64Array, labels: Int64Array) -> Float64Array:
    """The mean of the covariance within classes and a multiple of the identity."""
    classes = np.unique(labels)
    of_class = {c: directions[labels == c].mean(0) for c in classes}
    residuals = [d - of_class[c] for d, c in zip(directions, labels, strict=True)]
    products = np.stack([np.outer(r, r) for r in residuals])
    within = products.sum(0) / (len(labels) - len(classes))
    target = np.trace(within) / len(within) * np.eye(len(within))
    shrunk: Float64Array = (within + target) / 2
    return shrunk


def test_whitened_covariance_within_classes_is_the_identity() -> None:
    features, labels = random_features()
    whitening = FeatureWhitening(FEATURES)
    whitening.fit(features, labels)
    directions = F.normalize(features.double()).numpy()
    expected = shrunk_covariance(directions, labels.numpy())
    matrix = whitening.matrix.double().numpy()
    np.testing.assert_allclose(matrix.T @ expected @ matrix, np.eye(FEATURES), atol=1e-5)
    np.testing.assert_allclose(whitening.mean, directions.mean(0), atol=1e-6)
    np.testing.assert_allclose(
        whitening(features), (directions - directions.mean(0)) @ matrix, atol=1e-5
    )


def test_products_of_whitened_features_are_those_of_mahalanobis() -> None:
    features, labels = random_features()
    whitening = FeatureWhitening(FEATURES)
    whitening.fit(features, labels)
    whitened = whitening(features).double()
    directions = F.normalize(features.double()).numpy()
    centred = directions - directions.mean(0)
    inverse = np.linalg.inv(shrunk_covariance(directions, labels.numpy()))
    np.testing.assert_allclose(whitened @ whitened.T, centred @ inverse @ centred.T, rtol=1e-4)


def test_lengths_of_features_and_numbers_of_classes_do_not_matter() -> None:
    features, labels = random_features()
    one, other = FeatureWhitening(FEATURES), FeatureWhitening(FEATURES)
    one.fit(features, labels)
    other.fit(features * 8, 7 - labels)
    torch.testing.assert_close(one.matrix, other.matrix, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(one(features), other(features * 8), rtol=1e-5, atol=1e-4)


def test_with_one_image_of_each_class_features_are_only_centred() -> None:
    features, labels = random_features(per_class=1)
    whitening = FeatureWhitening(FEATURES)
    whitening.fit(features, labels)
    directions = F.normalize(features)
    assert torch.equal(whitening.matrix, torch.eye(FEATURES))
    torch.testing.assert_close(whitening(features), directions - directions.mean(0))


def test_whitening_is_fitted_to_the_last_images_only() -> None:
    features, labels = random_features()
    again = FeatureWhitening(FEATURES)
    again.fit(features[:12], labels[:12])
    again.fit(features, labels)
    once = FeatureWhitening(FEATURES)
    once.fit(features, labels)
    assert torch.equal(again.matrix, once.matrix)
    assert torch.equal(again.mean, once.mean)
