"""Tables of the report: species, summaries, and our results beside published ones."""

from __future__ import annotations

from longtail.evaluation.summaries import CELL_COLUMNS, SUMMARISED_METRICS
from longtail.imbalance.profiles import GROUPS
from longtail.schemas import published
from longtail.schemas.columns import (
    UNIT_INTERVAL,
    flag,
    fraction,
    number,
    table,
    text,
    whole,
    with_interval,
)
from longtail.schemas.results import BACKBONE, TEST_SET, TESTED, TRIAL

_CONFIDENCE = {"confidence": fraction("confidence level of the intervals")}

SPECIES_RESULTS = table(
    "species",
    "One row per trial and class, from head to tail.",
    {
        **TESTED,
        "label": whole("number of the class"),
        "species": text("name of the class"),
        "group": text("head, middle or tail, if they differ", one_of=GROUPS, optional=True),
        "train_images": whole("training images of the class"),
        "test_images": whole("test images of the class"),
        **with_interval("recall", "share of them that are recognized", UNIT_INTERVAL, missing=True),
        "answers": whole("test images that are predicted as the class"),
        **with_interval(
            "precision", "share of these that are of the class", UNIT_INTERVAL, missing=True
        ),
        "f1": fraction("harmonic mean of recall and precision", missing=True),
        "taken_for": text("class that it is most often confused with", optional=True),
        "taken_for_images": whole("number of its test images that are predicted as that class"),
        **_CONFIDENCE,
    },
    unique=[*TRIAL, "label"],
)

CHANGED_ANSWERS = table(
    "changed answers",
    "One row per trial and test image that only one of two runs names correctly.",
    {
        "trial": text("name of the trial"),
        "file": text("file of the image, in the second run"),
        "true": text("name of the true class, in the second run"),
        "before": text("answer in the first run"),
        "after": text("answer in the second run"),
        "right": text("run whose answer is right", one_of=("before", "after")),
    },
)

CONFUSED_PAIRS = table(
    "confused pairs",
    "One row per trial and pair of classes, the most confused first.",
    {
        **TESTED,
        "true": text("name of the true class"),
        "predicted": text("name of the predicted class"),
        "images": whole("test images of the first that are predicted as the second", 1),
        "test_images": whole("test images of the first", 1),
        **with_interval("share", "the former divided by the latter", UNIT_INTERVAL),
        "both_ways": whole("test images of either that are predicted as the other", 1),
        **_CONFIDENCE,
    },
    unique=[*TRIAL, "true", "predicted"],
)

_METHOD = {name: TRIAL[name] for name in CELL_COLUMNS if name in TRIAL}
SCORES = table(
    "scores",
    "One row per method, held-out set and metric.",
    {
        **_METHOD,
        **TEST_SET,
        "metric": text("name of the metric", one_of=SUMMARISED_METRICS),
        "images": whole("images of the held-out set", 1),
        "seeds": whole("number of trainings", 1),
        **with_interval("value", "mean over seeds", missing=True, prefix=""),
        "sd": number("standard deviation between seeds; empty for one seed", missing=True),
    },
    unique=[*CELL_COLUMNS, "metric"],
)

LEADERS = table(
    "leaders",
    "One row per method, for the tail and overall: is it worse than the best one?",
    {
        **BACKBONE,
        "part": text("tail or overall", one_of=("tail", "overall")),
        **TEST_SET,
        "images": whole("images of the held-out set", 1),
        "method": TRIAL["method"],
        **with_interval("value", "accuracy, mean over seeds", UNIT_INTERVAL, prefix=""),
        "p": fraction("p-value of the difference from the best method, corrected", missing=True),
        "place": text("best, not significantly worse, worse, or not compared"),
    },
    unique=[*BACKBONE, "part", "method"],
)

_PRINTED = {
    name: published.PUBLISHED.columns[name] for name in ("table", *published.CELL, "images")
}
PUBLISHED_COMPARISON = table(
    "comparison with published results",
    "One row per printed number that ours can be compared with.",
    {
        **_PRINTED,
        "our_images": whole("images of our test set", 1),
        **with_interval("ours", "our mean over seeds", missing=True),
        "seeds": whole("number of our trainings", 1),
        "sd": number("our standard deviation between seeds", missing=True),
        **with_interval("published", "published value", missing=True),
        "decimals": whole("decimals of the published value, as it is printed"),
        "difference": number("ours minus published", missing=True),
        "inside": flag("whether the published value is in our interval", missing=True),
        "overlap": flag("whether the two intervals overlap", missing=True),
        "p": fraction(
            "two-sided p-value of the z-test of two proportions (acc1 only)", missing=True
        ),
        "note": text("remark", optional=True),
    },
    unique=["table", *published.CELL],
)

PUBLISHED_AUDIT = table(
    "audit of published results",
    "One row per finding; names are empty if it is about several rows.",
    {
        "check": text("what is checked"),
        **{
            name: text(column.description, optional=True)
            for name, column in _PRINTED.items()
            if name in ("table", "backbone", "train_set", "method")
        },
        "holds": flag("false for an error or a problem, true for a confirmed statement"),
        "finding": text("the finding, as a sentence"),
    },
)
