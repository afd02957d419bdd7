"""Tables of trainings and evaluations: one row per trial, or several."""

from __future__ import annotations

from typing import get_args

import pandera.pandas as pa

from longtail.evaluation.metrics import LOSSES, METRICS
from longtail.evaluation.novelty import SCORE_FUNCTIONS
from longtail.evaluation.predictions import EXAMPLES, TOP_ANSWERS
from longtail.parameters import TrainSet
from longtail.schemas.columns import (
    UNIT_INTERVAL,
    at_least,
    flag,
    fraction,
    number,
    table,
    text,
    whole,
    with_interval,
)

BACKBONE = {
    "dataset": text("name of the data set in the parameters"),
    "train_set": text("training set", one_of=get_args(TrainSet)),
    "backbone": text("name of the backbone in the parameters"),
}
TRIAL = {
    **BACKBONE,
    "method": text("name of the method in the parameters"),
    "seed": whole("seed of the training"),
}
STATISTICS = {
    "confidence": fraction("confidence level of the intervals"),
    "resamples": whole("number of bootstrap resamples"),
    "resampling_seed": whole("seed of the resamples"),
}
FINGERPRINT = {
    "fingerprint": text("SHA-256 of all that determines the training"),
    "trained_by": text(
        "name of the trial whose training this is; external for predictions from a file"
    ),
}
TEST_SET = {"test_set": text("name of the held-out set")}
TESTED = {**TRIAL, **TEST_SET}


def _metric(name: str) -> dict[str, pa.Column]:
    """Columns of a metric and its interval; ``worst_class`` and others may have no interval."""
    if name == "loss":
        return with_interval(name, "mean of the training criterion, in nats", missing=True)
    bounds = () if name in LOSSES else (UNIT_INTERVAL,)
    return with_interval(name, METRICS[name].description, *bounds, missing=True)


RESULTS = table(
    "results",
    "One row per trial and held-out set.",
    {
        **TESTED,
        "images": whole("images of the held-out set", 1),
        **{
            name: column
            for metric in ("loss", *METRICS)
            for name, column in _metric(metric).items()
        },
        "images_sha256": text("SHA-256 of the images of the held-out set and their labels"),
        **FINGERPRINT,
        "post_hoc": text("what was done to the logits after the training; none if nothing"),
        "tau": number("strength of that change; empty without one", missing=True),
        "five_crop_size": number(
            "side of the images of which five crops were evaluated; empty for whole images",
            missing=True,
        ),
        **STATISTICS,
    },
    unique=[*TRIAL, "test_set"],
    rows=True,
)

TRAININGS = table(
    "trainings",
    "One row per trial: the training behind its results.",
    {
        **TRIAL,
        **FINGERPRINT,
        "started": number("start of the training, in seconds since 1970 (UTC)", missing=True),
        "seconds": number(
            "duration of the training, in seconds, with that of its first stage", missing=True
        ),
        "first_stage": text(
            "fingerprint of the training that a second stage started from",
            missing=True,
        ),
        "first_stage_seconds": number("duration of the first stage, in seconds", missing=True),
        "train_images": whole("number of training images", missing=True),
        "weights_sha256": text("SHA-256 of the pretrained weights", missing=True),
        "device": text("device of the training", missing=True),
        "processor": text("processor of the machine", missing=True),
        "threads": whole("number of CPU threads", missing=True),
        "number_format": text("number format of the training: float32 or bfloat16", missing=True),
        "model_parameters": whole("number of parameters of the network", missing=True),
        "multiply_adds": whole(
            "multiply-adds of one pass of the network over one image", missing=True
        ),
        **{
            package: text(f"version of {package}", missing=True)
            for package in ("torch", "timm", "numpy", "python", "longtail")
        },
        "engine": whole("version of the training code", missing=True),
        "commit": text("git commit of the code", missing=True),
        "uncommitted_changes": flag("whether files differed from that commit", missing=True),
        "parameters": text("parameters of the trial that was trained, as JSON"),
    },
    unique=[*TRIAL],
    rows=True,
)

HISTORIES = table(
    "histories",
    "One row per trial and epoch.",
    {
        **TRIAL,
        "epoch": whole("number of the epoch, from 1", 1),
        "learning_rate": number("learning rate at its end", at_least(0)),
        "train_loss": number("mean training loss of the epoch"),
        "validation_loss": number(
            "mean negative log-likelihood on the validation images, in nats", missing=True
        ),
        "validation_acc1": fraction("top-1 accuracy on the validation images", missing=True),
        "seconds": number("duration of the epoch, in seconds", at_least(0)),
    },
)

_PAIR = {
    "true": whole("true label"),
    "predicted": whole("predicted label"),
    "images": whole("number of test images of this kind", 1),
}
CONFUSIONS = table(
    "confusions",
    "Confusion matrices on the largest test set: one row per entry that is not 0.",
    {**TRIAL, **_PAIR},
)

CLASS_CONFUSIONS = table(
    "class confusions",
    "Confusion matrices of the best trials: one row per entry that is not 0.",
    {**TESTED, **_PAIR, "fingerprint": FINGERPRINT["fingerprint"]},
)

RELIABILITY = table(
    "reliability",
    "Reliability diagrams on the largest test set: one row per trial and bin.",
    {
        **TRIAL,
        "bin": whole("number of the confidence bin, from 0 to 14"),
        "images": whole("number of test images in the bin"),
        "confidence": fraction("their mean confidence", missing=True),
        "accuracy": fraction("their accuracy", missing=True),
    },
)

EXAMPLES_TABLE = table(
    "examples",
    "One row per example of a right or a wrong prediction.",
    {
        **TESTED,
        "group": text("group of the true class", one_of=tuple(EXAMPLES)),
        "right": flag("whether the prediction is right"),
        "image": whole("number of the image in the index"),
        "true": whole("true label"),
        "true_probability": fraction("probability of the true label"),
        **{
            f"{what}_{place}": column
            for place in range(1, TOP_ANSWERS + 1)
            for what, column in (
                (
                    "predicted",
                    whole(f"label of rank {place} by probability", required=place == 1),
                ),
                (
                    "probability",
                    fraction("its probability (softmax of the logits)", required=place == 1),
                ),
            )
        },
        **STATISTICS,
        "fingerprint": FINGERPRINT["fingerprint"],
    },
)

COMPARISONS = table(
    "comparisons",
    "One row per pair of methods, held-out set and metric.",
    {
        **BACKBONE,
        **TEST_SET,
        "metric": text("acc1 or f1", one_of=("acc1", "f1")),
        "first": text("name of the first method"),
        "second": text("name of the second method"),
        "seeds": whole("number of seeds that both methods have", 1),
        **with_interval("difference", "mean over seeds of first minus second", prefix=""),
        "p": fraction("two-sided p-value, not corrected for multiple tests", missing=True),
        "test": text("test that gave p", one_of=("McNemar", "Student", "bootstrap")),
        **STATISTICS,
    },
    unique=[*BACKBONE, "test_set", "metric", "first", "second"],
)

NOVELTY = table(
    "novelty",
    "Detection of unknown classes: one row per trial and score.",
    {
        **TRIAL,
        "score": text("how known an image looks", one_of=tuple(SCORE_FUNCTIONS)),
        "known_images": whole("number of test images of known classes", 1),
        "unknown_images": whole("number of images of unknown classes", 1),
        **with_interval("auroc", "area under the ROC curve", UNIT_INTERVAL),
        **with_interval(
            "false_alarms",
            "share of unknown images taken for known at 95% recall of known ones (FPR95)",
            UNIT_INTERVAL,
        ),
        **FINGERPRINT,
        **STATISTICS,
    },
    unique=[*TRIAL, "score"],
)
