"""The losses in NumPy and float64, each as its paper writes it: the oracle of the criterion.

Nothing here comes from the package, and no loss is written by way of another's canonical form.

Throughout, ``z`` are logits of shape (samples, classes), ``y`` labels of shape (samples,), and
``n`` the training images of each class. A loss gives a value a sample, before any weighting.
"""

from __future__ import annotations

import numpy as np

from longtail.arrays import BoolArray, Float64Array, Int64Array


def log_probabilities(z: Float64Array) -> Float64Array:
    """log( e^z_k / sum_j e^z_j )."""
    largest = z.max(axis=1, keepdims=True)
    total = np.exp(z - largest).sum(axis=1, keepdims=True)
    result: Float64Array = z - largest - np.log(total)
    return result


def of_true_class(values: Float64Array, y: Int64Array) -> Float64Array:
    return np.array([row[label] for row, label in zip(values, y, strict=True)])


def softmax(z: Float64Array, y: Int64Array) -> Float64Array:
    """-log p_y."""
    return -of_true_class(log_probabilities(z), y)


def focal(z: Float64Array, y: Int64Array, gamma: float) -> Float64Array:
    """-(1 - p_y)^gamma log p_y (Lin et al. 2017, equation 4)."""
    log_p = of_true_class(log_probabilities(z), y)
    others = -np.expm1(log_p)  # 1 - p_y
    result: Float64Array = -(others**gamma) * log_p
    return result


def balanced_softmax(z: Float64Array, y: Int64Array, n: Float64Array) -> Float64Array:
    """-log( n_y e^z_y / sum_j n_j e^z_j ) (Ren et al. 2020)."""
    moved = z - z.max(axis=1, keepdims=True)
    result: Float64Array = (
        np.log((n * np.exp(moved)).sum(axis=1)) - np.log(n[y]) - of_true_class(moved, y)
    )
    return result


def logit_adjustment(z: Float64Array, y: Int64Array, n: Float64Array, tau: float) -> Float64Array:
    """-log( e^(z_y + tau log pi_y) / sum_j e^(z_j + tau log pi_j) ) (Menon et al. 2020)."""
    return -of_true_class(log_probabilities(z + tau * np.log(n / n.sum())), y)


def equalization(
    z: Float64Array, y: Int64Array, n: Float64Array, threshold: float, drawn: BoolArray
) -> Float64Array:
    """-log( e^z_y / sum_k w_k e^z_k ), w_k = 1 - beta T(f_k) (1 - 1[k = y]) (Tan et al. 2020).

    ``drawn`` of shape (samples, classes) is beta; T(f) is 1 where f = n / N < ``threshold``.
    """
    losses = []
    for logits, label, beta in zip(z, y, drawn, strict=True):
        weights = [
            1 - beta[k] * (count / n.sum() < threshold) * (k != label) for k, count in enumerate(n)
        ]
        kept = logits[np.array(weights) > 0]
        losses.append(np.logaddexp.reduce(kept) - logits[label])
    return np.array(losses)


def ldam(
    cosines: Float64Array, y: Int64Array, n: Float64Array, max_margin: float, scale: float
) -> Float64Array:
    """-log( e^(s (c_y - m_y)) / (e^(s (c_y - m_y)) + sum_(j != y) e^(s c_j)) ) (Cao et al. 2019).

    m_j = C / n_j^(1/4), with the constant C that makes the largest ``max_margin``.
    """
    margins = max_margin * (n.min() / n) ** 0.25
    losses = []
    for c, label in zip(cosines, y, strict=True):
        true = scale * (c[label] - margins[label])
        others = scale * np.delete(c, label)
        losses.append(np.logaddexp.reduce([true, *others]) - true)
    return np.array(losses)


def vector_scaling(
    z: Float64Array, y: Int64Array, n: Float64Array, gamma: float, tau: float
) -> Float64Array:
    """-log( e^(D_y z_y + i_y) / sum_j e^(D_j z_j + i_j) ) (Kini et al. 2021, equation 2).

    D_j = (n_j / n_max)^gamma, i_j = tau log pi_j; with tau 0 it is CDT (Ye et al. 2020).
    """
    scaled = z * (n / n.max()) ** gamma + tau * np.log(n / n.sum())
    return -of_true_class(log_probabilities(scaled), y)


def label_aware_smoothing(
    z: Float64Array, y: Int64Array, n: Float64Array, head: float, tail: float
) -> Float64Array:
    """-sum_i q_i log p_i, q_y = 1 - e_y, q_i = e_y / (K - 1) (Zhong et al. 2021, equation 3)."""
    log_p = log_probabilities(z)
    losses = []
    for row, label in zip(log_p, y, strict=True):
        rank = (n[label] - n.min()) / (n.max() - n.min()) if n.max() > n.min() else 0.0
        smoothing = tail + (head - tail) * np.sin(rank * np.pi / 2)
        q = np.full(len(n), smoothing / (len(n) - 1))
        q[label] = 1 - smoothing
        losses.append(-(q * row).sum())
    return np.array(losses)


def class_weights(n: Float64Array, convention: str, parameter: float = 1.0) -> Float64Array:
    """The conventions for a class' weight; ``parameter`` is an exponent, or beta."""
    weights: Float64Array
    if convention == "balanced":
        weights = n.sum() / (len(n) * n)
    elif convention == "min_ratio":
        weights = (n.min() / n) ** parameter
    elif convention == "log":
        weights = 1 - np.log(n / n.max())
    elif convention == "effective_number":
        weights = 1 / effective_numbers(n, parameter)
    else:
        raise ValueError(convention)
    return weights


def effective_numbers(n: Float64Array, beta: float) -> Float64Array:
    """1 + beta + ... + beta^(n - 1), summed term by term (Cui et al. 2019)."""
    sums: Float64Array = np.power(beta, np.arange(int(n.max()))).cumsum()
    return sums[n.astype(np.int64) - 1]


def weighted_mean(losses: Float64Array, weights: Float64Array, y: Int64Array) -> float:
    """Divided by the sum of the samples' weights, as torch.nn.CrossEntropyLoss does."""
    return float((weights[y] * losses).sum() / weights[y].sum())
