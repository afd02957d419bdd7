"""The train stage: one template of a trial, instantiated for each cell of the grid.

::

    train                                                     fetch pretrained weights
    train.<dataset>.<train set>.<backbone>.<method>.<seed>    fit -> evaluate -> score, look, ...
    train.<dataset>.<train set>.<backbone>                    gather over methods and seeds, compare
    train.<dataset>.<train set>                               gather over backbones
    train.<dataset>                                           gather over training sets

A gather node in each namespace lets Kedro-Viz fold any of them into one box.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from itertools import groupby
from operator import itemgetter

import pandas as pd
from kedro.pipeline import Node, Pipeline

from longtail.parameters import Parameters, Trial
from longtail.pipelines.train.nodes import (
    compare_answers,
    evaluate_trial,
    fetch_weights,
    fit_trial,
    gather,
    gather_cards,
    look_at_species,
    score_novelty,
    score_trial,
)
from longtail.trials.tags import GATHER_TAG, TRIAL_TAG

# The outputs of fetching a pretrained backbone.
WEIGHTS = ("weights", "weights_sha256")
# The tables that are gathered, and their names in a trial.
GATHERED = {
    "results": "results",
    "confusions": "confusions",
    "reliability": "reliability",
    "histories": "history",
    "trainings": "card",
    "class_confusions": "class_confusions",
    "examples": "examples",
}
# Made from the predictions of a backbone's trials, and gathered from there.
COMPARISONS = "comparisons"
# The table that only data sets with unknown classes have.
NOVELTY = "novelty"
# The first function of tables whose parts in the trials are not tables.
INNERMOST = {"trainings": gather_cards}


def create_pipeline(parameters: Parameters, trials: list[Trial]) -> Pipeline:
    """Create the stage for the trials of the grid, in the order of the tables' rows."""
    backbones = [parameters.backbones[name] for name in parameters.grid.backbones]
    fetches = [_fetch(backbone.name) for backbone in backbones if backbone.pretrained]
    open_sets = {name for name, dataset in parameters.datasets.items() if dataset.unknown}
    fits = [_trial(trial, has_unknown=trial.dataset in open_sets) for trial in trials]
    return Pipeline([*fetches, *fits, *_gathers(trials, open_sets)])


def _fetch(backbone: str) -> Pipeline:
    node = Node(
        fetch_weights,
        inputs=f"params:backbones.{backbone}",
        outputs=[f"{backbone}_{name}" for name in WEIGHTS],
        name=f"fetch_{backbone}_weights",
        tags=[backbone],
    )
    return Pipeline([node], namespace="train", prefix_datasets_with_namespace=False)


@cache
def _template(*, pretrained: bool, has_unknown: bool) -> Pipeline:
    """The nodes of any trial."""
    weights = WEIGHTS if pretrained else ()
    fit = Node(
        fit_trial,
        inputs={
            **{name: name for name in ("images", "index", "source", "subsets", *weights)},
            "trial": "params:trial",
            "store": "trial_store",
        },
        outputs=["model", "history", "card"],
        name="fit",
    )
    evaluate = Node(
        evaluate_trial,
        inputs=[
            *("images", "index", "source", "subsets", "model", "card"),
            *("params:trial", "trial_store"),
        ],
        outputs=["predictions", "evaluation"],
        name="evaluate",
    )
    score = Node(
        score_trial,
        inputs=[
            *("predictions", "index", "subsets", "card", "evaluation"),
            *("params:trial", "params:statistics"),
        ],
        outputs=["results", "confusions", "reliability", "answers"],
        name="score",
    )
    look = Node(
        look_at_species,
        inputs=[
            *("predictions", "subsets", "class_profile", "card"),
            *("params:trial", "params:statistics"),
        ],
        outputs=["class_confusions", "examples"],
        name="look_at_species",
    )
    novelty = Node(
        score_novelty,
        inputs=["predictions", "subsets", "card", "params:trial", "params:statistics"],
        outputs=NOVELTY,
        name="score_novelty",
    )
    return Pipeline([fit, evaluate, score, look, *([novelty] if has_unknown else [])])


def _trial(trial: Trial, *, has_unknown: bool) -> Pipeline:
    pretrained = trial.backbone.pretrained
    shared = ("images", "index", "source", "subsets", "class_profile")
    weights = WEIGHTS if pretrained else ()
    return Pipeline(
        _template(pretrained=pretrained, has_unknown=has_unknown),
        namespace=f"train.{trial.name}",
        inputs={
            **{name: f"{trial.dataset}_{name}" for name in shared},
            **{name: f"{trial.backbone.name}_{name}" for name in weights},
            "trial_store": "trial_store",
        },
        parameters={"params:statistics"},
        tags=[TRIAL_TAG, *trial.name.split(".")],
    )


def _gathers(trials: list[Trial], open_sets: set[str]) -> Iterable[Pipeline]:
    """The nodes that gather each namespace above that of a trial, innermost first."""
    names = [tuple(trial.name.split(".")) for trial in trials]
    # Methods and seeds are gathered in one step, backbones in the next, training sets last.
    for depth, child_depth in ((3, 5), (2, 3), (1, 2)):
        children = dict.fromkeys(name[:child_depth] for name in names)
        of_trials = child_depth == len(names[0])
        parts = GATHERED | {"answers": "answers"} if of_trials else {t: t for t in GATHERED}
        if not of_trials:
            parts[COMPARISONS] = COMPARISONS
        for parent, group in groupby(children, key=itemgetter(slice(depth))):
            members = [".".join(child) for child in group]
            own = parts | {NOVELTY: NOVELTY} if parent[0] in open_sets else parts
            for table, part in own.items():
                function = INNERMOST.get(table, gather) if of_trials else gather
                children_parts = [f"train.{member}.{part}" for member in members]
                yield _gather(function, table, parent, children_parts)
            if of_trials:
                yield _compare(parent)


def _gather(
    function: Callable[..., pd.DataFrame],
    table: str,
    parent: tuple[str, ...],
    children: list[str],
) -> Pipeline:
    parts = {f"part_{i}": child for i, child in enumerate(children)}
    is_top = len(parent) == 1
    return Pipeline(
        [Node(function, inputs=list(parts), outputs=table, name=f"gather_{table}")],
        namespace=".".join(("train", *parent)),
        inputs=parts,
        outputs={table: f"{parent[0]}_{table}"} if is_top else None,
        tags=[GATHER_TAG, *parent],
    )


def _compare(parent: tuple[str, ...]) -> Pipeline:
    node = Node(
        compare_answers,
        inputs=["answers", "subsets", "source", "params:statistics"],
        outputs=COMPARISONS,
        name="compare",
    )
    return Pipeline(
        [node],
        namespace=".".join(("train", *parent)),
        inputs={name: f"{parent[0]}_{name}" for name in ("subsets", "source")}
        | {"answers": f"train.{'.'.join(parent)}.answers"},
        parameters={"params:statistics"},
        tags=list(parent),
    )
