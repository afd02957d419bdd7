"""Class priors: which one the logits assume, and how they are corrected to another.

A model also learns how common the classes are. For data with another prior, its posteriors are
corrected by the ratio of the two priors (Saerens, Latinne and Decaestecker 2002):
``p'(c | x)`` is proportional to ``p(c | x) * target_c / assumed_c``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy

from longtail.arrays import Float64Array
from longtail.parameters import CanonicalLoss

# The minimiser of the loss of mixed images is known on mixed images alone.
INEXACT_MIXING = "images are mixed in training, and named as they are"


def assumed_prior(
    loss: CanonicalLoss, seen_counts: Float64Array, mixed: bool = False
) -> tuple[Float64Array, str]:
    """The prior under which a trained model's softmax is the posterior.

    The minimiser of weighted cross-entropy is proportional to ``w_c p(c | x)``, and softmax of
    the logits plus the loss' offsets ``o``. So softmax of the logits alone is the posterior under
    a prior proportional to ``n_c w_c exp(-o_c)``: the training prior for cross-entropy, a uniform
    one for balanced softmax and for weights of ``1 / n_c``, ``n_c ** (1 - tau)`` for logit
    adjustment.

    Args:
        loss: loss of the last epoch.
        seen_counts: images of each class in the last epoch, all above 0: the training images, if
            each is seen once.
        mixed: whether the training mixes images and their labels.

    Returns:
        The prior, (classes,), which sums to 1, and a note on how exact it is.
    """
    mass = np.log(seen_counts)
    if loss.weights is not None:
        mass = mass + np.log(loss.weights)
    if loss.offsets is not None:
        mass = mass - loss.offsets
    prior = np.exp(mass - mass.max())
    reasons = [reason for reason in (loss.inexact, INEXACT_MIXING if mixed else None) if reason]
    exact = "exact for the minimiser of the loss"
    return prior / prior.sum(), f"approximate: {'; '.join(reasons)}" if reasons else exact


def posteriors(
    logits: npt.ArrayLike, temperature: float, assumed: Float64Array, target: Float64Array
) -> Float64Array:
    """Probabilities under another prior than the logits assume.

    Args:
        logits: (images, classes).
        temperature: divisor of the logits.
        assumed: the prior that they assume, all above 0.
        target: the prior of the data they are applied to; 0 for a class that cannot occur.

    Returns:
        Rows of shape (images, classes) that sum to 1.
    """
    return np.exp(log_posteriors(logits, temperature, assumed, target))


def log_posteriors(
    logits: npt.ArrayLike, temperature: float, assumed: Float64Array, target: Float64Array
) -> Float64Array:
    """The logarithm of :func:`posteriors`, minus infinity where the target prior is 0."""
    scores = np.asarray(logits, dtype=np.float64) / temperature + prior_shift(assumed, target)
    return scipy.special.log_softmax(scores, axis=1)


def prior_shift(assumed: Float64Array, target: Float64Array) -> Float64Array:
    """The offsets of logits for another prior than they assume; minus infinity where it is 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(target) - np.log(assumed))
