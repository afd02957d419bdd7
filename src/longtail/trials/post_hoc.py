"""Post-hoc methods: other predictions from a trained model, without training it again.

Each one applies a factor and an offset per class to the logits, so it needs only stored logits, not
images. The method is not part of a training's fingerprint; it is recorded with the results.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from longtail.arrays import BoolArray, Float32Array, FloatArray, Int64Array
from longtail.evaluation.metrics import Answers, Tally, balanced_accuracy
from longtail.parameters import Method, PostHoc, PostHocLogitAdjustment, TauNormalization
from longtail.trials.canonical_loss import refuse_missing_classes

# What results without a post-hoc method record.
NONE = "none"
# What results of whole images, not of five crops, record.
WHOLE_IMAGE = 0


@dataclass(frozen=True)
class LastLayer:
    """The parameters of the last layer.

    Attributes:
        norms: the Euclidean norm of each class' weight vector, (classes,).
        biases: the bias of each class, (classes,).
    """

    norms: FloatArray
    biases: FloatArray


class Evaluation(NamedTuple):
    """Adjusted logits, and how they were adjusted.

    Attributes:
        logits: float32 (images, classes).
        tau: the strength.
        validation: the balanced accuracy of each ``tau`` on the validation images; empty if there
            was only one.
    """

    logits: Float32Array
    tau: float
    validation: dict[float, float]


def check(method: Method, class_counts: Int64Array) -> None:
    """Refuse a method that could not be evaluated, before it is trained.

    Raises:
        ConfigurationError: if class frequencies are needed and a class has no training image.
    """
    if isinstance(method.post_hoc, PostHocLogitAdjustment):
        refuse_missing_classes(class_counts, "post_hoc")


def effective(post_hoc: PostHoc | None, class_counts: Int64Array) -> PostHoc | None:
    """``post_hoc``, or None if it changes no logit: on equal counts, or with ``tau`` 0."""
    if isinstance(post_hoc, PostHocLogitAdjustment):
        equal = len(set(class_counts.tolist())) == 1
        return None if equal or not any(post_hoc.tau) else post_hoc
    return post_hoc


def recorded(post_hoc: PostHoc | None, class_counts: Int64Array) -> str:
    """How results record a post-hoc method: as JSON, or ``none``."""
    own = effective(post_hoc, class_counts)
    return NONE if own is None else json.dumps(own.model_dump(mode="json"))


def evaluation_keys(results: pd.DataFrame) -> pd.Series[str]:
    """A key of each row's logits: its training, its crops and its post-hoc method."""
    keys = results["fingerprint"].astype(str).str.cat(results["post_hoc"], sep=" ")
    sizes = crops_in(results)
    return keys.where(sizes == WHOLE_IMAGE, keys + " " + sizes.astype(str))


def crops_in(results: pd.DataFrame) -> pd.Series[int]:
    """The column ``five_crop_size``; 0 for whole images."""
    return results["five_crop_size"].fillna(WHOLE_IMAGE).astype(int)


def evaluate(
    post_hoc: PostHoc,
    logits: FloatArray,
    labels: Int64Array,
    validation: BoolArray,
    class_counts: Int64Array,
    layer: LastLayer | None = None,
) -> Evaluation:
    """Adjust logits with the ``tau`` that is best on the validation images.

    Args:
        post_hoc: the method, with one or several ``tau``.
        logits: logits of the trained model, (images, classes).
        labels: labels of all images, (images,); only those of validation images are used.
        validation: true for validation images, (images,).
        class_counts: the number of training images of each class, (classes,).
        layer: the last layer of the trained model, which only tau-normalization needs.
    """
    accuracies: dict[float, float] = {}
    if len(post_hoc.tau) > 1:
        for tau in post_hoc.tau:
            changed = adjusted(post_hoc, tau, logits[validation], class_counts, layer)
            answers = Answers.from_logits(changed, labels[validation])
            accuracies[tau] = float(balanced_accuracy(Tally.of(answers))[0])
    best = max(post_hoc.tau, key=lambda tau: accuracies.get(tau, 0.0))  # the first of equal ones
    return Evaluation(adjusted(post_hoc, best, logits, class_counts, layer), best, accuracies)


def adjusted(
    post_hoc: PostHoc,
    tau: float,
    logits: FloatArray,
    class_counts: Int64Array,
    layer: LastLayer | None = None,
) -> Float32Array:
    """Logits adjusted with strength ``tau``, float32 of the same shape.

    Logit adjustment: ``z_c - tau log n_c``, with the offsets shifted to mean 0, which does not
    change the softmax. Tau-normalization: ``(z_c - b_c) / |w_c| ** tau``, which is the product of
    the features with the class' vector divided by its norm to the power of ``tau``.
    """
    match post_hoc:
        case PostHocLogitAdjustment():
            prior = tau * np.log(class_counts.astype(np.float64))
            changed = logits - (prior - prior.mean())
        case TauNormalization():
            assert layer is not None
            changed = (logits - layer.biases.astype(np.float64)) / layer.norms**tau
    return changed.astype(np.float32)


def differences(stored: str, now: str, method: str) -> str:
    """Say how the recorded method differs from that of the parameters."""
    return f"methods.{method}.post_hoc was {_text(stored)}, is {_text(now)}"


def described(stored: str, taus: Sequence[float]) -> str:
    """How a post-hoc method changed a training, in words that follow "of which".

    Args:
        stored: text of :func:`recorded`.
        taus: the strengths that were used; they may differ between seeds.
    """
    values: dict[str, Any] = json.loads(stored)
    used = " or ".join(f"{tau:.4g}" for tau in taus)
    what = {
        "logit_adjustment": f"the logits are lessened by {used} times the log class frequencies",
        "tau_normalization": f"the class vectors are divided by their norms to the power {used}",
    }[values["kind"]]
    offered = values["tau"]
    if len(offered) < 2:
        return what
    listed = ", ".join(f"{tau:.4g}" for tau in offered)
    return f"{what} (chosen on the validation images, of {listed})"


def _text(stored: str) -> str:
    if stored == NONE:
        return "null"
    values = json.loads(stored)
    tau = ", ".join(f"{tau:.12g}" for tau in values["tau"])
    return f"{{kind: {values['kind']}, tau: [{tau}]}}"
