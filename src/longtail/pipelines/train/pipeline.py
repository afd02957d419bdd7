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

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from kedro.pipeline import Node, Pipeline

from longtail.evaluation.trainings import trainings_table
from longtail.parameters import Parameters, Trial
from longtail.pipelines.joins import concatenate
from longtail.pipelines.namespace import Namespace
from longtail.pipelines.train.nodes import (
    compare_answers,
    evaluate_trial,
    fetch_weights,
    fit_trial,
    look_at_species,
    read_external,
    score_novelty,
    score_trial,
)
from longtail.trials.tags import GATHER_TAG, TRIAL_TAG

# The outputs of fetching a pretrained backbone.
WEIGHTS = ("weights", "weights_sha256")
# The nodes of each trial: functions, names and outputs.
STEPS = (
    (fit_trial, "fit", ("model", "history", "card")),
    (evaluate_trial, "evaluate", ("predictions", "logits", "evaluation")),
    (score_trial, "score", ("results", "confusions", "reliability", "answers")),
    (look_at_species, "look_at_species", ("class_confusions", "examples")),
)
# Of predictions from a file: before any training, since a wrong file ends the run.
EXTERNAL_STEPS = (
    (read_external, "read", ("predictions", "logits", "evaluation", "card")),
    *STEPS[2:],
)
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
COMPARISONS_TABLE = "comparisons"
# The table that only data sets with unknown classes have.
NOVELTY_TABLE = "novelty"
# The tables that predictions from a file do not have.
OF_MODELS = ("histories", NOVELTY_TABLE)
# The first function of tables whose parts in the trials are not tables.
INNERMOST = {"trainings": trainings_table}


def create_pipeline(parameters: Parameters, trials: list[Trial]) -> Pipeline:
    """Create the stage for the trials of the grid, in the order of the tables' rows."""
    backbones = [parameters.backbones[name] for name in parameters.grid.backbones]
    open_sets = {name for name, dataset in parameters.datasets.items() if dataset.unknown}
    nodes = [_fetch(backbone.name) for backbone in backbones if backbone.pretrained]
    for trial in trials:
        nodes += _trial(trial, has_unknown=trial.dataset in open_sets)
    return Pipeline([*nodes, *_gathers(trials, open_sets)])


def _fetch(backbone: str) -> Node:
    return Node(
        fetch_weights,
        inputs=f"params:backbones.{backbone}",
        outputs=[f"{backbone}_{name}" for name in WEIGHTS],
        name=f"fetch_{backbone}_weights",
        namespace="train",
        tags=backbone,
    )


def _trial(trial: Trial, *, has_unknown: bool) -> Iterator[Node]:
    """The nodes of a trial."""
    name, data = f"train.{trial.name}", trial.dataset
    own = ("predictions", "logits", "answers", "evaluation", "model", "card")
    weights = WEIGHTS if trial.backbone.pretrained else ()
    arguments = {
        **{argument: f"{data}_{argument}" for argument in ("images", "index", "source", "subsets")},
        "profile": f"{data}_class_profile",
        **{argument: f"{trial.backbone.name}_{argument}" for argument in weights},
        **{argument: f"{name}.{argument}" for argument in own},
        "trial": f"params:{name}.trial",
        "statistics": "params:statistics",
        "store": "trial_store",
    }
    external = trial.method.external is not None
    tags = trial.name.split(".")
    namespace = Namespace(name, tuple(tags if external else (TRIAL_TAG, *tags)), arguments)
    for function, step, outputs in EXTERNAL_STEPS if external else STEPS:
        yield namespace.node(function, [f"{name}.{output}" for output in outputs], step)
    if has_unknown and not external:
        yield namespace.node(score_novelty, f"{name}.{NOVELTY_TABLE}")


def _gathers(trials: list[Trial], open_sets: set[str]) -> Iterator[Node]:
    """The nodes that gather each namespace above that of a trial, innermost first."""
    names = [tuple(trial.name.split(".")) for trial in trials]
    external = {trial.name for trial in trials if trial.method.external}
    # Methods and seeds are gathered in one step, backbones in the next, training sets last.
    for depth, child_depth in ((3, 5), (2, 3), (1, 2)):
        children = dict.fromkeys(name[:child_depth] for name in names)
        of_trials = child_depth == len(names[0])
        parts = GATHERED | {"answers": "answers"} if of_trials else {t: t for t in GATHERED}
        if not of_trials:
            parts[COMPARISONS_TABLE] = COMPARISONS_TABLE
        for parent, group in groupby(children, key=itemgetter(slice(depth))):
            members = [".".join(child) for child in group]
            own = parts | {NOVELTY_TABLE: NOVELTY_TABLE} if parent[0] in open_sets else parts
            name, data = ".".join(("train", *parent)), parent[0]
            gathering = Namespace(name, (GATHER_TAG, *parent), {})
            prefix = f"{data}_" if depth == 1 else f"{name}."
            for table, part in own.items():
                function = INNERMOST.get(table, concatenate) if of_trials else concatenate
                children_parts = [
                    f"train.{member}.{part}"
                    for member in members
                    if table not in OF_MODELS or member not in external
                ]
                yield gathering.joined(
                    function, children_parts, f"{prefix}{table}", f"gather_{table}"
                )
            if of_trials:
                arguments = {
                    "answers": f"{name}.answers",
                    **{argument: f"{data}_{argument}" for argument in ("subsets", "source")},
                    "statistics": "params:statistics",
                }
                comparing = Namespace(name, parent, arguments)
                yield comparing.node(compare_answers, f"{name}.{COMPARISONS_TABLE}", "compare")
