"""Tags, namespaces and names pick the nodes that they say."""

from __future__ import annotations

from typing import Any

import pytest
from kedro.framework.project import pipelines as registered
from kedro.pipeline import Pipeline

from longtail.runs.stages import stages_after
from tests.pipelines.support import BACKBONES, METHODS, TRAIN_SETS, TRIALS, catalog, pipelines

STEPS = ("fit", "evaluate", "score", "look_at_species")
GATHERED = (
    *("results", "confusions", "reliability", "histories", "trainings"),
    *("class_confusions", "examples"),
)


@pytest.fixture(scope="module")
def full_pipeline() -> Pipeline:
    return pipelines("test")["full"]


def names(pipeline: Pipeline) -> set[str]:
    return {node.name for node in pipeline.nodes}


def steps(*trials: str) -> set[str]:
    return {f"train.{trial}.{step}" for trial in trials for step in STEPS}


def gathers(*branches: str) -> set[str]:
    """What joins trials; the methods of a backbone are compared, and that is joined further up."""
    found = {f"train.{branch}.gather_{table}" for branch in branches for table in GATHERED}
    for branch in branches:
        of_backbone = branch.count(".") == 2
        own = ("gather_answers", "compare") if of_backbone else ("gather_comparisons",)
        found |= {f"train.{branch}.{name}" for name in own}
    return found


def test_full_is_all_stages(full_pipeline: Pipeline) -> None:
    stages = pipelines("test")
    parts = [names(stages[stage]) for stage in ("ingest", "imbalance", "train", "report")]
    assert names(full_pipeline) == set().union(*parts)
    assert sum(map(len, parts)) == len(full_pipeline.nodes)
    assert names(stages["__default__"]) == names(full_pipeline)


def test_train_is_three_steps_a_trial_and_gathers_above(full_pipeline: Pipeline) -> None:
    branches = ["digits", *(f"digits.{train_set}" for train_set in TRAIN_SETS)]
    branches += [f"digits.{train_set}.{b}" for train_set in TRAIN_SETS for b in BACKBONES]
    found = {name for name in names(full_pipeline) if name.startswith("train.")}
    assert found == steps(*TRIALS) | gathers(*branches)


def test_a_method_s_tag_picks_its_trials(full_pipeline: Pipeline) -> None:
    ldam = [trial for trial in TRIALS if ".ldam." in trial]
    assert names(full_pipeline.filter(tags=["ldam"])) == steps(*ldam)


def test_two_tags_pick_the_nodes_of_either(full_pipeline: Pipeline) -> None:
    chosen = [trial for trial in TRIALS if ".ldam." in trial or ".softmax." in trial]
    assert len(chosen) == 8
    assert names(full_pipeline.filter(tags=["ldam", "softmax"])) == steps(*chosen)


def test_a_backbone_s_tag_picks_its_trials_gathers_and_reports(full_pipeline: Pipeline) -> None:
    found = names(full_pipeline.filter(tags=["convnext_micro"]))
    trials = [trial for trial in TRIALS if ".convnext_micro." in trial]
    branches = [f"digits.{train_set}.convnext_micro" for train_set in TRAIN_SETS]
    reports = {name for name in found if name.startswith("report.")}
    assert found - reports == steps(*trials) | gathers(*branches)
    tabulate = {f"report.digits.convnext_micro.{t}.tabulate" for t in TRAIN_SETS}
    drawn = {f"report.digits.convnext_micro.{n}" for n in ("draw_figures", "join_tables")}
    assert tabulate | drawn <= reports
    assert all("convnext_micro" in name for name in reports)


def test_the_data_set_s_tag_picks_everything(full_pipeline: Pipeline) -> None:
    assert names(full_pipeline.filter(tags=["digits"])) == names(full_pipeline)


def test_a_namespace_picks_a_subtree(full_pipeline: Pipeline) -> None:
    found = names(full_pipeline.filter(node_namespaces=["train.digits.long_tailed"]))
    trials = [trial for trial in TRIALS if ".long_tailed." in trial]
    branches = ["digits.long_tailed", *(f"digits.long_tailed.{b}" for b in BACKBONES)]
    assert found == steps(*trials) | gathers(*branches)


def test_a_trial_s_namespace_picks_its_steps(full_pipeline: Pipeline) -> None:
    for trial in TRIALS:
        assert names(full_pipeline.filter(node_namespaces=[f"train.{trial}"])) == steps(trial)


@pytest.mark.parametrize("stage", ["ingest", "imbalance", "train", "report"])
def test_a_stage_s_namespace_is_the_stage(full_pipeline: Pipeline, stage: str) -> None:
    found = names(full_pipeline.filter(node_namespaces=[stage]))
    assert found == names(pipelines("test")[stage])


def test_what_leads_to_the_subsets(full_pipeline: Pipeline) -> None:
    found = names(full_pipeline.filter(to_outputs=["digits_subsets"]))
    assert found == {"ingest.read_digits", "imbalance.cut_digits"}


def test_what_follows_from_the_results(full_pipeline: Pipeline) -> None:
    inputs = ["digits_results", "digits_confusions", "digits_histories"]
    found = names(full_pipeline.filter(from_inputs=inputs))
    assert found == names(pipelines("test")["report"])


def test_what_follows_from_a_trial(full_pipeline: Pipeline) -> None:
    trial = TRIALS[-1]
    found = names(full_pipeline.filter(from_nodes=[f"train.{trial}.fit"]))
    branches = ["digits", "digits.long_tailed", "digits.long_tailed.convnext_micro"]
    reports = {name for name in found if name.startswith("report.")}
    assert found - reports == steps(trial) | gathers(*branches)
    assert {"report.digits.latex.write_appendix", "report.digits.page.write_page"} <= reports


def test_trials_of_a_method_have_its_tag_only(full_pipeline: Pipeline) -> None:
    for node in full_pipeline.nodes:
        if node.name.endswith(".fit"):
            _, dataset, train_set, backbone, method, seed, _ = node.name.split(".")
            assert node.tags == {"trial", dataset, train_set, backbone, method, seed}
            assert method in METHODS


@pytest.mark.parametrize(
    ("stages", "filters", "left"),
    [
        (["full"], {}, []),
        (["ingest"], {}, ["imbalance", "train", "report"]),
        (["imbalance"], {}, ["train", "report"]),
        (["train"], {}, ["report"]),
        (["train"], {"tags": ["ldam"]}, ["train", "report"]),  # the tables of all trials
        (["full"], {"from_nodes": ["imbalance.cut_digits"]}, []),
        (["report"], {}, []),
        (["predict"], {}, []),
    ],
)
def test_a_slice_names_the_stages_that_it_makes_stale(
    stages: list[str], filters: dict[str, Any], left: list[str]
) -> None:
    catalog("test")  # its session registers the pipelines
    chosen = Pipeline([registered[stage] for stage in stages]).filter(**filters)
    assert stages_after(chosen) == left
