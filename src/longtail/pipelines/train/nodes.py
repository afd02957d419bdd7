"""Nodes of the train stage. torch is imported in the nodes that need it."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from longtail.arrays import Float32Array, UInt8Array
from longtail.evaluation.comparisons import compare_methods
from longtail.evaluation.predictions import Predictions, class_confusions, examples
from longtail.evaluation.trainings import EXTERNAL
from longtail.imbalance.group_sizes import is_tail_smaller
from longtail.imbalance.profiles import GROUPS
from longtail.imbalance.subsets import UNKNOWN, held_out_images, images_of, widest_test_set
from longtail.parameters import Backbone, Statistics, TauNormalization, Trial
from longtail.pipelines.stored_training import TrainingInputs, stored_or_trained
from longtail.progress import TrialScored, tell
from longtail.sources.external_predictions import external_logits
from longtail.storage.array_store import ArrayStore
from longtail.trials import post_hoc
from longtail.trials.external import external_file, external_fingerprint, external_key
from longtail.trials.fingerprint import held_out_sha256, sha256_of_arrays
from longtail.trials.training_job import Split, TrainingJob

log = logging.getLogger(__name__)


def fetch_weights(backbone: Backbone) -> tuple[dict[str, Any], str]:
    """A backbone's pretrained weights as torch tensors by name, and their checksum."""
    from longtail.learning.backbones.pretrained import log_unused_classifier, pretrained_weights

    weights = pretrained_weights(backbone)
    log_unused_classifier(backbone, weights)
    return weights, sha256_of_arrays(*(weights[name].numpy() for name in sorted(weights)))


def fit_trial(
    images: UInt8Array,
    index: pd.DataFrame,
    source: dict[str, Any],
    subsets: pd.DataFrame,
    trial: Trial,
    store: Path,
    weights: dict[str, Any] | None = None,
    weights_sha256: str | None = None,
) -> tuple[Path, pd.DataFrame, dict[str, Any]]:
    """Train a trial, unless a training with the same fingerprint is stored.

    Args:
        images: uint8 (images, height, width, 3).
        index: the data set's index, one row per image.
        source: the summary of its source, with the checksum of the pixels.
        subsets: one row per image and subset.
        trial: trial to train.
        store: the folder of finished trainings, and of the features of frozen backbones.
        weights: pretrained torch tensors by name, or None for random weights.
        weights_sha256: their checksum.

    Returns:
        The file of the trained weights, the history (one row per epoch, with the trial's names)
        and the card: fingerprint, parameters, environment, start and duration of the training.
    """
    assert (weights is None) == (weights_sha256 is None)  # outputs of one node
    split = Split.of_trial(trial, index["label"].to_numpy(), subsets, source["classes"])
    inputs = TrainingInputs(images, source["sha256"], store, weights, weights_sha256)
    training = stored_or_trained(TrainingJob.of(trial, split), inputs)
    history = _with_names(trial, training.history)
    return training.model_file, history, {**training.card, "trial": trial.name}


def evaluate_trial(
    images: UInt8Array,
    index: pd.DataFrame,
    source: dict[str, Any],
    subsets: pd.DataFrame,
    model: Path,
    card: dict[str, Any],
    trial: Trial,
    store: Path,
) -> tuple[pd.DataFrame, Float32Array, dict[str, Any]]:
    """Logits of all held-out images, changed by the method's post-hoc adjustment if it has one.

    Held out are test and validation images, and all images of unknown classes. The logits of the
    model itself are computed once and stored.

    Args:
        images: uint8 (images, height, width, 3).
        index: the data set's index, one row per image.
        source: the summary of its source, with the checksum of the pixels.
        subsets: one row per image and subset.
        model: the file of the trained weights.
        card: card of the training.
        trial: trial that was trained.
        store: the folder of finished trainings, of their logits, and of features.

    Returns:
        One row per image: ``image`` and ``label`` (-1 for unknown classes). The logits of these
        images, float32 (images, classes). And the adjustment: ``post_hoc`` (see
        :func:`longtail.trials.post_hoc.recorded`), ``tau`` (None without adjustment) and
        ``validation``: the balanced accuracy of each ``tau`` on the validation images, if it was
        chosen. And the ``five_crop_size`` of the recipe.
    """
    from longtail.learning.inference.cached_logits import cached_logits
    from longtail.learning.inference.trained_model import TrainedModel

    chosen = held_out_images(subsets)
    labels = index["label"].to_numpy()
    split = Split.of_trial(trial, labels, subsets, source["classes"])
    logits = cached_logits(
        TrainedModel(model, trial, split.classes),
        card["fingerprint"],
        images,
        chosen,
        split.validation_images,
        ArrayStore(store, source["sha256"]),
    )
    counts = split.class_counts
    evaluation: dict[str, Any] = {
        "post_hoc": post_hoc.recorded(trial.method.post_hoc, counts),
        "tau": None,
        "validation": [],
        "five_crop_size": trial.recipe.five_crop_size,
    }
    adjustment = post_hoc.effective(trial.method.post_hoc, counts)
    if adjustment is not None:
        is_validation = np.isin(chosen, split.validation_images)
        layer = None
        if isinstance(adjustment, TauNormalization):
            from longtail.learning.backbones import last_layer

            layer = last_layer(model, trial.last_stage.method.classifier)
        logits, evaluation["tau"], accuracies = post_hoc.evaluate(
            adjustment, logits, labels[chosen], is_validation, counts, layer
        )
        evaluation["validation"] = [
            {"tau": tau, "balanced_accuracy": accuracy} for tau, accuracy in accuracies.items()
        ]
    return pd.DataFrame({"image": chosen, "label": labels[chosen]}), logits, evaluation


def read_external(
    index: pd.DataFrame,
    source: dict[str, Any],
    subsets: pd.DataFrame,
    trial: Trial,
) -> tuple[pd.DataFrame, Float32Array, dict[str, Any], dict[str, Any]]:
    """The predictions of another network for the test images, from a file.

    Returns:
        What :func:`evaluate_trial` returns, but of test images only; and a card, as from
        :func:`fit_trial` but without a training.

    Raises:
        DataError: naming what is wrong with the file.
    """
    assert trial.method.external is not None
    images = np.unique(subsets.loc[subsets["role"] == "test", "image"].to_numpy(dtype=np.int64))
    classes = index[index["label"] >= 0].drop_duplicates("label").sort_values("label")
    class_names = classes["class_name"].tolist()
    fingerprint = external_fingerprint(trial, source["sha256"])
    path, values = external_file(trial), trial.method.external.values
    logits = external_logits(path, external_key(trial), values, index, images, class_names)
    predictions = pd.DataFrame({"image": images, "label": index["label"].to_numpy()[images]})
    card = {
        "fingerprint": fingerprint,
        "trained_by": EXTERNAL,
        "trial": trial.name,
        "parameters": trial.model_dump(mode="json"),
    }
    evaluation: dict[str, Any] = {
        **{"post_hoc": post_hoc.NONE, "tau": None},
        **{"validation": [], "five_crop_size": None},
    }
    return predictions, logits, evaluation, card


def score_trial(
    predictions: pd.DataFrame,
    logits: Float32Array,
    index: pd.DataFrame,
    subsets: pd.DataFrame,
    card: dict[str, Any],
    evaluation: dict[str, Any],
    trial: Trial,
    statistics: Statistics,
) -> tuple[pd.DataFrame, ...]:
    """A trial's metrics on every test set and on the validation set, from its logits.

    Returns:
        The metrics, the confusions, the reliability and the answers of
        :class:`longtail.learning.inference.score.Scores`, with the trial's names. The metrics
        also have the hash of the images and their labels (``images_sha256``), the fingerprint and
        the trial of the training, the post-hoc adjustment (``post_hoc``, ``tau``), the size of the
        images of five crops (``five_crop_size``), and the parameters of their intervals
        (``confidence``, ``resamples``, ``resampling_seed``). The loss is the training criterion on
        the adjusted logits.
    """
    from longtail.learning.inference.score import score

    is_external = trial.method.external is not None
    if is_external:
        subsets = subsets[subsets["role"] == "test"]
    labels = index["label"].to_numpy()
    split = Split.of_trial(trial, labels, subsets, logits.shape[1])
    loss = TrainingJob.of(trial, split).losses.last
    own = Predictions.of(predictions, logits)
    scores = score(own, subsets, loss, trial.seed, statistics)
    scored = labels.copy()
    scored[own.images] = own.labels
    tau = evaluation["tau"]
    metrics = scores.metrics.assign(
        images_sha256=scores.metrics["test_set"].map(held_out_sha256(subsets, scored)),
        **_training_of(card),
        post_hoc=evaluation["post_hoc"],
        tau=float("nan") if tau is None else tau,
        five_crop_size=evaluation["five_crop_size"] or float("nan"),
        **statistics.columns,
    )
    widest = widest_test_set(subsets)
    test_sets = [widest]
    if is_tail_smaller(split.class_counts, labels, subsets):
        images = metrics.set_index("test_set")["images"]
        # Parts of all test images, or of the balanced ones: the long-tailed ones are few.
        prefix = "" if images.reindex(list(GROUPS)).sum() == images[widest] else "balanced_"
        test_sets += [f"{prefix}head", f"{prefix}tail"]
    summary = _summary(scores.metrics, card, tau, test_sets)
    if is_external:  # before the display of trials begins
        log.info("%s: %s", trial.name, summary)
    else:
        tell(TrialScored(trial.name, summary))
    tables = (metrics, scores.confusions, scores.reliability, scores.answers)
    return tuple(_with_names(trial, table) for table in tables)


def score_novelty(
    predictions: pd.DataFrame,
    logits: Float32Array,
    subsets: pd.DataFrame,
    card: dict[str, Any],
    trial: Trial,
    statistics: Statistics,
) -> pd.DataFrame:
    """How well a trial separates images of unknown classes from the known test images.

    Returns:
        The rows of :func:`longtail.evaluation.novelty.novelty`, with the trial's names, the
        fingerprint and the trial of the training, and the parameters of the intervals.
    """
    from longtail.evaluation.novelty import novelty, novelty_scores

    own = Predictions.of(predictions, logits)
    known, unknown = (
        novelty_scores(own, images_of(subsets, role, name))
        for role, name in (("test", widest_test_set(subsets)), (UNKNOWN, UNKNOWN))
    )
    rows = novelty(known, unknown, statistics)
    return _with_names(trial, rows.assign(**_training_of(card), **statistics.columns))


def look_at_species(
    answers: pd.DataFrame,
    predictions: pd.DataFrame,
    logits: Float32Array,
    subsets: pd.DataFrame,
    profile: pd.DataFrame,
    card: dict[str, Any],
    trial: Trial,
    statistics: Statistics,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Which species a trial confuses on the widest test set, and examples of its predictions.

    Returns:
        The tables of :func:`longtail.evaluation.predictions.class_confusions` and
        :func:`longtail.evaluation.predictions.examples`, with the trial's names and the
        fingerprint of its training. The examples are drawn with the seed of ``statistics`` and
        also have its columns.
    """
    confusions = class_confusions(answers, subsets)
    own = Predictions.of(predictions, logits)
    shown = examples(answers, own, subsets, profile, statistics.seed).assign(**statistics.columns)
    fingerprint = card["fingerprint"]
    return (
        _with_names(trial, confusions).assign(fingerprint=fingerprint),
        _with_names(trial, shown).assign(fingerprint=fingerprint),
    )


def compare_answers(
    answers: pd.DataFrame, subsets: pd.DataFrame, source: dict[str, Any], statistics: Statistics
) -> pd.DataFrame:
    """Compare each pair of methods of one backbone and training set on every test set.

    The rows have the parameters of their intervals, as results do.
    """
    comparisons = compare_methods(answers, subsets, source["classes"], statistics)
    return comparisons.assign(**statistics.columns)


def _with_names(trial: Trial, table: pd.DataFrame) -> pd.DataFrame:
    """The table with columns for the names of its trial in front."""
    names = trial.axes._asdict()
    return pd.concat([pd.DataFrame(names, index=table.index), table], axis="columns")


def _training_of(card: dict[str, Any]) -> dict[str, str]:
    """The columns that identify the training of a row."""
    return {"fingerprint": card["fingerprint"], "trained_by": card["trained_by"]}


def _summary(
    metrics: pd.DataFrame, card: dict[str, Any], tau: float | None, test_sets: Sequence[str]
) -> str:
    acc1 = metrics.set_index("test_set")["acc1"]
    shown = ", ".join(f"{name} {acc1[name]:.4f}" for name in test_sets)
    if card["trained_by"] == EXTERNAL:
        how = "external predictions"
    elif card["trained_by"] != card["trial"]:
        how = f"the same training as {card['trained_by']}"
    else:
        begun = time.strftime("%Y-%m-%d %H:%M", time.localtime(card["started"]))
        first = card.get("first_stage_seconds")
        share = "" if first is None else f" (first stage {first:.1f} s)"
        how = f"trained in {card['seconds']:.1f} s{share} on {begun}"
    changed = "" if tau is None else f", post hoc with tau {tau:.4g}"
    return f"Acc1 {shown}; {how}{changed}"
