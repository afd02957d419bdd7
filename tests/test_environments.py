"""Environments of conf: the methods that they train, and the trainings that these share."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from longtail.errors import ConfigurationError
from longtail.parameters import Parameters, StepSchedule, Trial
from longtail.published.results import shipped
from longtail.trials.training_job import Split, TrainingJob
from tests.pipelines.support import dotted, loader

# CIFAR-100-LT with the imbalance factor 100: 10,847 images.
COUNTS = np.floor(500 * 0.01 ** (np.arange(100) / 99)).astype(np.int64)


@pytest.fixture(scope="module")
def benchmark() -> tuple[Parameters, list[Trial]]:
    return loader("benchmark").parameters()


@pytest.fixture(scope="module")
def jobs(benchmark: tuple[Parameters, list[Trial]]) -> dict[str, TrainingJob]:
    """The trainings of the first seed, by method."""
    labels = np.repeat(np.arange(100), COUNTS)
    none = np.empty(0, dtype=np.int64)
    split = Split(np.arange(len(labels)), labels, none, none, classes=100)
    return {t.method.name: TrainingJob.of(t, split) for t in benchmark[1] if t.seed == 0}


def key(job: TrainingJob) -> str:
    return job.fingerprint("ab" * 32, None)


def test_the_benchmark_has_all_methods_that_need_no_pretrained_transformer(
    benchmark: tuple[Parameters, list[Trial]],
) -> None:
    parameters, trials = benchmark
    others = {name for name, m in parameters.methods.items() if m.family == "transfer-learning"}
    assert set(parameters.grid.methods) == set(parameters.methods) - others
    assert len(trials) == 3 * len(parameters.grid.methods)
    assert {trial.recipe.epochs for trial in trials} == {200}


def test_methods_of_the_benchmark_share_trainings(jobs: dict[str, TrainingJob]) -> None:
    assert COUNTS.sum() == 10_847
    rows: dict[str, set[str]] = defaultdict(set)
    starts: dict[str, set[str]] = defaultdict(set)
    for name, job in jobs.items():
        rows[key(job)].add(name)
        if job.first_stage is not None:
            starts[key(job.first_stage)].add(name)
    shared = [names for names in rows.values() if len(names) > 1]
    assert shared == [
        {"softmax", "softmax_adjusted", "softmax_tau_normalized"},
        {"balanced_softmax", "logit_adjustment"},
    ]
    assert starts.pop(key(jobs["softmax"])) == {"crt", "lws"}
    assert starts[key(jobs["mixup"])] == {"mislas"}
    assert list(starts.values()) == [{"mislas"}, {"two_stage_experts"}]
    # The number in README.md.
    assert len(rows.keys() | starts.keys()) == 38


def test_published_accuracies_are_of_methods_of_the_benchmark(
    jobs: dict[str, TrainingJob],
) -> None:
    published = shipped("cifar100_lt")
    other_recipes = {
        *("deferred_square_root_sampling", "deferred_progressive_sampling"),
        *("mixup_400_epochs", "remix_400_epochs", "ride_3_experts", "ride_4_experts"),
    }
    assert set(published["method"]) - set(jobs) == other_recipes


def test_the_record_is_compared_with_the_published_accuracies_of_its_methods() -> None:
    parameters, trials = loader("record").parameters()
    assert parameters.datasets["cifar100"].published == "cifar100_lt_record"
    published = shipped("cifar100_lt_record").set_index("method")["value"].to_dict()
    assert published == {"two_stage_experts": 0.5634, "proco": 0.5415, "proco_200_epochs": 0.528}
    assert {trial.method.name for trial in trials} == published.keys() - {"proco_200_epochs"}


def test_ensembles_have_the_recipes_of_their_published_code(jobs: dict[str, TrainingJob]) -> None:
    factors = {"ride": 0.01, "sade": 0.1, "balpoe": 0.1}
    for name, factor in factors.items():
        recipe = jobs[name].recipe
        assert recipe.nesterov
        assert recipe.rotation == 15
        assert recipe.weight_decay == 5e-4
        assert recipe.schedule == StepSchedule(kind="step", milestones=(160, 180), factor=factor)


def test_the_record_has_experts_and_a_single_network() -> None:
    _, trials = loader("record").parameters()
    recipes = {trial.method.name: trial.recipe for trial in trials}
    assert {name: recipe.epochs for name, recipe in recipes.items()} == {
        "two_stage_experts": 180,
        "proco": 400,
    }
    assert {recipe.auto_augment for recipe in recipes.values()} == {"cifar10"}


def test_a_fine_tuned_network_is_not_whitened() -> None:
    """It would be the frozen one under another name."""
    both = dotted("grid.backbones=[mobilenetv2,mobilenetv2_finetuned]")
    refusal = "whiten_features: needs features that the training does not change, but freeze is 0.7"
    with pytest.raises(ConfigurationError, match=refusal):
        loader("moths", **both).parameters()
