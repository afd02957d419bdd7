"""What MLflow records of runs and trials: names, tags, metrics, data sets and descriptions."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import psutil

from longtail import provenance
from longtail.config import run_command
from longtail.imbalance.subsets import class_counts
from longtail.parameters import Trial
from longtail.parameters.trial_name import TrialName
from longtail.trials.training_job import Split
from longtail.wording import counted

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

# The curves of a training, and the figures of a trial on its test sets. All others are in the
# artifact `results.csv`.
HISTORY_METRICS = ("train_loss", "validation_loss", "validation_acc1")
FINAL_METRICS = ("acc1", "macro_f1", "calibration_error")
OF_GROUPS = ("head", "middle", "tail")
# The sets that a model is tested on as a whole, the widest first.
WHOLE_TEST_SETS = ("natural", "balanced", "long_tailed")
SEPARATOR = " · "
# MLflow's limit of the digest of a data set.
DIGEST_DIGITS = 32
# Kedro's names of the options that choose a part of the pipelines, by ours.
SLICE = {
    "tags": "tags",
    "namespaces": "namespaces",
    "nodes": "node_names",
    "from-nodes": "from_nodes",
    "to-nodes": "to_nodes",
    "from-inputs": "from_inputs",
    "to-outputs": "to_outputs",
}


def trial_title(trial: str) -> str:
    """The name of a trial's run, which begins with what differs most between trials.

    Examples:
        >>> trial_title("digits.long_tailed.vit_micro.ldam.seed0")
        'ldam · vit_micro · long-tailed · 0'
    """
    name = TrialName.parse(trial)
    train_set = name.train_set.replace("_", "-")
    return SEPARATOR.join((name.method, name.backbone, train_set, str(name.seed)))


def run_tags(run_params: Mapping[str, Any], conf_source: str | None) -> dict[str, str]:
    """The pipelines, the environment, the slice and the command of a run.

    Args:
        run_params: what Kedro tells hooks of the run.
        conf_source: where the configuration is read from, unless it is the project's own.
    """
    pipelines = run_params["pipeline_names"] or ["full"]
    chosen = {
        option: ",".join(run_params[key]) for option, key in SLICE.items() if run_params.get(key)
    }
    versions = run_params.get("load_versions") or {}
    loaded = ",".join(f"{name}:{version}" for name, version in versions.items())
    others = chosen | {"load-versions": loaded, "conf-source": conf_source}
    given = run_params["runtime_params"] or {}
    command = run_command(pipelines, run_params["env"], given, others)
    return {
        "pipeline": "+".join(pipelines),
        "environment": run_params["env"] or "base",
        "slice": " ".join(f"--{option}={value}" for option, value in chosen.items()) or "all",
        "command": command,
        # The column `Source` of MLflow's table.
        "mlflow.source.name": command,
        "mlflow.source.type": "PROJECT",
    }


def final_metrics(results: pd.DataFrame, *, has_tail: bool) -> dict[str, float]:
    """The few figures of a trial's results by which trials are compared, by MLflow's name.

    Args:
        results: results of one trial.
        has_tail: whether head, middle and tail differ in some training set of the run.
    """
    by_set: dict[Any, Any] = results.set_index("test_set")[list(FINAL_METRICS)].to_dict("index")
    whole = [name for name in WHOLE_TEST_SETS if name in by_set]
    chosen = [(name, figure) for name in whole for figure in FINAL_METRICS]
    chosen += [(name, "acc1") for name in OF_GROUPS if has_tail and name in by_set]
    return {f"{name}/{figure}": by_set[name][figure] for name, figure in chosen}


def headlines(
    results: pd.DataFrame, tail: str, tailed: Collection[str]
) -> tuple[dict[str, float], dict[str, str]]:
    """The best accuracies of a run, of the tail and overall, and which trials have them.

    Seeds are averaged.

    Args:
        results: results of all trials of one data set.
        tail: the test set of the tail by which methods are compared.
        tailed: the training sets in which head, middle and tail differ. The best of the tail is
            one of theirs, since nothing is rare in the others.

    Returns:
        The metrics ``best_tail``, where there is a tail, and ``best_overall``, and tags of these
        names.
    """
    tested = set(results["test_set"])
    whole = next((name for name in WHOLE_TEST_SETS if name in tested), None)
    with_tail = results[results["train_set"].isin(tailed)]
    metrics, tags = {}, {}
    for name, rows, test_set in (("best_tail", with_tail, tail), ("best_overall", results, whole)):
        of_set = rows[rows["test_set"] == test_set]
        means = of_set.groupby(["train_set", "backbone", "method"], sort=False)["acc1"].mean()
        if means.notna().any():
            metrics[name] = float(means.max())
            best = means.idxmax()
            assert isinstance(best, tuple)  # of the three columns
            train_set, backbone, method = map(str, best)
            title = SEPARATOR.join((method, backbone, train_set.replace("_", "-")))
            tags[name] = f"{title} ({test_set})"
    return metrics, tags


def dataset_input(
    trial: Trial, index: pd.DataFrame, subsets: pd.DataFrame, source: Mapping[str, Any]
) -> DatasetInput:
    """The images that a trial is trained on, as an input of an MLflow run."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    split = Split.of_trial(trial, index["label"].to_numpy(), subsets, source["classes"])
    counts = class_counts(split.train_labels, split.classes)
    profile = {
        "images": len(split.train_images),
        "classes": split.classes,
        "largest_class": int(counts.max()),
        "smallest_class": int(counts.min()),
    }
    dataset = Dataset(
        name=f"{trial.dataset} {trial.train_set.replace('_', '-')}",
        digest=str(source["sha256"])[:DIGEST_DIGITS],
        source_type="local",
        source=json.dumps(source["source"]),
        profile=json.dumps(profile),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def description(command: str, trainings: str, documents: Iterable[str], page: str) -> str:
    """The description of a run in Markdown: what was done, and links to its documents."""
    # MLflow folds a long description: what a person reads first comes first.
    pages_first = sorted(documents, key=lambda name: not name.endswith(".html"))
    links = [f"- [{name}]({page}/artifacts/report/{name})" for name in pages_first]
    return "\n\n".join(filter(None, (f"`{command}`", trainings, "\n".join(links))))


def git_tags(project: Path) -> dict[str, str]:
    """The commit, and whether the working tree differs from it; empty outside a repository."""
    checkout = provenance.checkout(project)
    if checkout is None:
        return {}
    return {
        "mlflow.source.git.commit": checkout.commit,
        "git_changed": str(checkout.changed).lower(),
    }


def hardware() -> str:
    """Cores, memory and GPU, without importing torch for it."""
    memory = psutil.virtual_memory().total / 2**30
    cores = counted(os.cpu_count() or 1, "core")
    return f"{cores}, {memory:.0f} GiB, {counted(provenance.nvidia_gpus(), 'GPU')}"
