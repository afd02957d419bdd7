"""Results of other parameters, images or code are refused, and it is said why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from longtail.errors import DataError
from longtail.evaluation.trainings import trainings_table, trial_names
from longtail.imbalance.cut import cut
from longtail.parameters import (
    Backbone,
    CustomLoss,
    Dataset,
    Focal,
    Method,
    PostHocLogitAdjustment,
    Softmax,
    Statistics,
    Trial,
)
from longtail.trials.fingerprint import held_out_sha256
from longtail.trials.post_hoc import NONE, recorded
from longtail.trials.training_job import Split, TrainingJob
from longtail.trials.verification import (
    check_data,
    check_statistics,
    training_changes,
    verified_answers,
    verified_comparisons,
    verified_novelty,
    verified_results,
)

MakeTrial = Callable[..., Trial]
CLASSES, IMAGES = 6, 30
PRETRAINED = Backbone(name="big", label="L", architecture="vit_small_patch16_224", pretrained=True)
FOCAL = Method(name="focal", label="L", loss=Focal(name="focal", gamma=2))

NOT_RECORDED = (
    r"a change that is not recorded, of the images \(datasets\.toy\.source\) or their split "
    r"\(datasets\.toy\.imbalance\)"
)


@pytest.fixture
def dataset() -> Dataset:
    return Dataset.model_validate(
        {
            "name": "toy",
            "label": "Toy",
            "source": {"kind": "folder", "path": "/here", "image_size": 16},
            "imbalance": {
                "holdout": {"kind": "per_class", "test": 6, "validation": 2},
                "profile": {"kind": "exponential", "imbalance_factor": 10},
                "class_order": "index",
                "groups": {"kind": "thirds"},
                "seed": 0,
            },
        }
    )


@dataclass(frozen=True)
class Stored:
    """What a run has left: the data of a data set, and the results and trainings of trials."""

    source: dict[str, Any]
    index: pd.DataFrame
    subsets: pd.DataFrame
    profile: pd.DataFrame
    results: pd.DataFrame
    trainings: pd.DataFrame


def stored(dataset: Dataset, *trials: Trial, weights_sha256: str | None = None) -> Stored:
    labels = np.repeat(np.arange(CLASSES), IMAGES)
    index = pd.DataFrame(
        {
            "image": np.arange(len(labels)),
            "label": labels,
            "class_name": [f"class {label}" for label in labels],
            "split": "",
        }
    )
    subsets, profile = cut(index, dataset.imbalance, dataset.name)
    source = {
        "source": dataset.source.model_dump(mode="json"),
        "classes": CLASSES,
        "sha256": "ab" * 32,
    }
    cards = []
    for trial in trials:
        job = TrainingJob.of(trial, Split.of(labels, subsets, trial.train_set, CLASSES))
        cards.append(
            {
                "trial": trial.name,
                "trained_by": trial.name,
                "fingerprint": job.fingerprint("ab" * 32, weights_sha256),
                "parameters": trial.model_dump(mode="json"),
                "weights_sha256": weights_sha256,
                "train_images": len(job.split.train_images),
                "engine": 1,
            }
        )
    trainings = trainings_table(*cards)
    names = ["dataset", "train_set", "backbone", "method", "seed", "fingerprint"]
    results = pd.concat(
        [
            trainings[names].assign(test_set=name, images_sha256=sha256)
            for name, sha256 in held_out_sha256(subsets, labels).items()
        ],
        ignore_index=True,
    ).assign(post_hoc=NONE, five_crop_size=np.nan)
    return Stored(source, index, subsets, profile, results, trainings)


def verify(data: Stored, *trials: Trial) -> pd.DataFrame:
    return verified_results(
        data.results, data.trainings, data.source, data.index, data.subsets, trials
    )


@pytest.fixture
def toy_trial(make_trial: MakeTrial) -> MakeTrial:
    return lambda **changes: make_trial(dataset="toy", **changes)


def test_names_are_those_of_the_trials(dataset: Dataset, toy_trial: MakeTrial) -> None:
    trials = [toy_trial(), toy_trial(seed=7, train_set="long_tailed")]
    names = trial_names(stored(dataset, *trials).trainings)
    assert names.tolist() == [trial.name for trial in trials]
    assert trial_names(stored(dataset, *trials).results.iloc[:0]).tolist() == []


def test_results_of_the_current_parameters_pass_whole(
    dataset: Dataset, toy_trial: MakeTrial
) -> None:
    trials = [toy_trial(), toy_trial(method=FOCAL)]
    data = stored(dataset, *trials)
    pd.testing.assert_frame_equal(verify(data, *trials), data.results)
    check_data(data.source, data.index, data.subsets, data.profile, dataset)


def test_trials_outside_the_grid_are_left_out_and_those_not_run_are_none(
    dataset: Dataset, toy_trial: MakeTrial
) -> None:
    ours, other_seed = toy_trial(), toy_trial(seed=1)
    data = stored(dataset, ours, other_seed)
    kept = verify(data, ours, toy_trial(method=FOCAL))
    assert set(kept["seed"]) == {0}
    held_out = data.subsets.loc[data.subsets["role"] != "train", "name"].unique()
    assert kept["test_set"].tolist() == list(held_out)


def test_results_of_no_trial_of_the_grid_are_refused(
    dataset: Dataset, toy_trial: MakeTrial
) -> None:
    made = toy_trial(seed=1)
    expected = rf"^toy_results has no trial of the grid, but {made.name}\. Give the --env and"
    with pytest.raises(DataError, match=expected):
        verify(stored(dataset, made), toy_trial(seed=0))


def test_every_stale_trial_is_named_with_what_has_changed(
    dataset: Dataset, toy_trial: MakeTrial, make_recipe: Callable[..., Any]
) -> None:
    before = [toy_trial(), toy_trial(seed=1), toy_trial(method=FOCAL)]
    recipe = make_recipe(epochs=9, schedule={"kind": "step", "milestones": (3,), "factor": 0.1})
    milder = FOCAL.model_copy(update={"loss": Focal(name="focal", gamma=1)})
    now = [toy_trial(), toy_trial(seed=1, recipe=recipe), toy_trial(method=milder)]
    with pytest.raises(DataError) as raised:
        verify(stored(dataset, *before), *now)
    message = str(raised.value)
    assert "results of 2 trials" in message
    assert "recipe.epochs was 1, is 9" in message
    assert "recipe.schedule.kind was cosine, is step" in message
    assert "recipe.schedule.milestones was null, is [3]" in message
    assert "method.loss.gamma was 2.0, is 1.0" in message
    assert now[1].name in message
    assert now[2].name in message
    assert now[0].name not in message
    assert "kedro run --pipelines=full" in message


def test_a_shared_training_is_not_blamed_on_the_other_loss(
    dataset: Dataset, toy_trial: MakeTrial, make_recipe: Callable[..., Any]
) -> None:
    """Balanced softmax on equal counts was trained as softmax; that is no change."""
    trial = toy_trial(method=FOCAL)
    data = stored(dataset, trial)
    data.trainings["trained_by"] = "toy.balanced.vit.softmax.seed0"
    softmax = toy_trial(method=Method(name="softmax", label="L", loss=Softmax(name="softmax")))
    with pytest.raises(DataError, match=r"recipe\.batch_size was 16, is 8:\n"):
        verify(
            data, softmax.model_copy(update={"method": FOCAL, "recipe": make_recipe(batch_size=8)})
        )


def test_other_pixels_and_an_older_engine_are_noticed(
    dataset: Dataset, toy_trial: MakeTrial, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = stored(dataset, toy_trial())
    other = replace(data, source=data.source | {"sha256": "cd" * 32})
    with pytest.raises(DataError, match=NOT_RECORDED):
        verify(other, toy_trial())
    monkeypatch.setattr("longtail.trials.fingerprint.ENGINE_VERSION", 2)
    with pytest.raises(DataError, match="the engine version was 1, is 2"):
        verify(data, toy_trial())


def test_what_is_recorded_of_the_images_is_named(dataset: Dataset, toy_trial: MakeTrial) -> None:
    data = stored(dataset, toy_trial())
    fewer = replace(data, trainings=data.trainings.assign(train_images=1001, fingerprint="cd"))
    fewer = replace(fewer, results=data.results.assign(fingerprint="cd"))
    with pytest.raises(DataError, match=r"\n  it had 1,001 training images, and would have 132:\n"):
        verify(fewer, toy_trial())
    drawn = toy_trial(draw_per_seed=True, train_set="long_tailed")
    before = stored(dataset, drawn.model_copy(update={"draw_per_seed": False}))
    with pytest.raises(DataError, match=r"draw_per_seed was false, is true"):
        verify(before, drawn)


def test_other_labels_of_test_images_make_results_stale(
    dataset: Dataset, toy_trial: MakeTrial
) -> None:
    trial = toy_trial()
    data = stored(dataset, trial)
    tested = data.subsets.query("name == 'tail' and role == 'test'")["image"]
    index = data.index.copy()
    index.loc[index["image"] == tested.iloc[0], "label"] = 0
    changed = (
        "images or labels of balanced, long_tailed, tail, balanced_tail, and few have changed:"
        f"\n    {trial.name}"
    )
    with pytest.raises(DataError, match=changed):
        verify(replace(data, index=index), trial)


def test_other_members_of_test_sets_make_results_stale(
    dataset: Dataset, toy_trial: MakeTrial
) -> None:
    """As other groups do, which need no other images."""
    trial = toy_trial()
    data = stored(dataset, trial)
    moved = data.subsets["name"].replace({"middle": "tail"})
    with pytest.raises(DataError, match="images or labels of middle and tail have changed:"):
        verify(replace(data, subsets=data.subsets.assign(name=moved)), trial)


def test_what_is_not_recorded_is_named_with_all_that_it_can_be(
    dataset: Dataset, toy_trial: MakeTrial
) -> None:
    loss = CustomLoss(name="custom", type="tests.custom_losses.ENet")
    trial = toy_trial(method=Method(name="mine", label="L", loss=loss))
    data = stored(dataset, trial)
    other = replace(data, source=data.source | {"sha256": "cd" * 32})
    own = NOT_RECORDED.replace(" or", ",")
    file = r" or the file that defines the loss 'tests\.custom_losses\.ENet':"
    with pytest.raises(DataError, match=own + file):
        verify(other, trial)
    data.trainings["trained_by"] = "toy.balanced.vit.softmax.seed0"
    both = file.replace(" or", ",").replace(":", "")
    with pytest.raises(DataError, match=f"{own}{both} or the loss, class weights or sampling of "):
        verify(other, trial)


def test_changed_weights_are_named(dataset: Dataset, toy_trial: MakeTrial) -> None:
    trial = toy_trial(backbone=PRETRAINED)
    data = stored(dataset, trial, weights_sha256="ef" * 32)
    [training] = data.trainings.to_dict("records")
    split = Split.of(data.index["label"].to_numpy(), data.subsets, "balanced", CLASSES)
    job = TrainingJob.of(trial, split)
    assert training_changes(job, training, "00" * 32) == (
        "the pretrained weights of backbones.big have changed, or are not downloaded yet"
    )
    assert training_changes(job, training, None) == "backbones.big.pretrained was true"
    now_pretrained = training | {"weights_sha256": None}
    assert training_changes(job, now_pretrained, "00" * 32) == "backbones.big.pretrained was false"


def test_results_and_trainings_must_be_of_one_run(dataset: Dataset, toy_trial: MakeTrial) -> None:
    data = stored(dataset, toy_trial())
    mixed = replace(
        data, results=data.results.assign(fingerprint=np.arange(len(data.results)).astype(str))
    )
    missing = replace(data, trainings=data.trainings.iloc[:0])
    for wrong in (mixed, missing):
        with pytest.raises(DataError, match="toy_results and toy_trainings are of different runs"):
            verify(wrong, toy_trial())


def test_pretrained_weights_are_known_by_their_checksum(
    dataset: Dataset, toy_trial: MakeTrial
) -> None:
    pretrained = toy_trial(backbone=PRETRAINED)
    data = stored(dataset, pretrained, weights_sha256="ef" * 32)
    pd.testing.assert_frame_equal(verify(data, pretrained), data.results)
    other = replace(data, trainings=data.trainings.assign(weights_sha256="00" * 32))
    with pytest.raises(DataError, match=NOT_RECORDED):
        verify(other, pretrained)
    at_random = toy_trial(backbone=PRETRAINED.model_copy(update={"pretrained": False}))
    with pytest.raises(DataError, match=r"backbones\.big\.pretrained was true"):
        verify(data, at_random)
    with pytest.raises(DataError, match=r"backbones\.big\.pretrained was false"):
        verify(stored(dataset, at_random), pretrained)


# --- the data ----------------------------------------------------------------------------------


def changed(dataset: Dataset, **imbalance: Any) -> Dataset:
    values = dataset.model_dump()
    return Dataset.model_validate({**values, "imbalance": {**values["imbalance"], **imbalance}})


def test_subsets_of_another_profile_are_refused(dataset: Dataset) -> None:
    milder = changed(dataset, profile={"kind": "exponential", "imbalance_factor": 2})
    data = stored(milder)
    with pytest.raises(DataError, match="toy_subsets are not those") as raised:
        check_data(data.source, data.index, data.subsets, data.profile, dataset)
    message = str(raised.value)
    sizes = [int(d.profile["train_long_tailed"].sum()) for d in (data, stored(dataset))]
    assert f"train long_tailed has {sizes[0]}, not {sizes[1]} images" in message
    assert sizes[0] > sizes[1]
    assert "train balanced" not in message
    assert "datasets.toy.imbalance" in message


def test_subsets_of_another_draw_are_refused(dataset: Dataset) -> None:
    data = stored(changed(dataset, seed=1))
    with pytest.raises(DataError, match="test balanced has 36 other images"):
        check_data(data.source, data.index, data.subsets, data.profile, dataset)


def test_a_class_profile_of_other_subsets_is_refused(dataset: Dataset) -> None:
    data = stored(dataset)
    milder = stored(changed(dataset, profile={"kind": "step", "imbalance_factor": 2}))
    with pytest.raises(DataError, match="toy_class_profile does not belong to toy_subsets"):
        check_data(data.source, data.index, data.subsets, milder.profile, dataset)


def test_images_of_another_size_are_refused_but_the_place_does_not_matter(
    dataset: Dataset,
) -> None:
    data = stored(dataset)
    source = dict(data.source["source"])
    elsewhere = {**data.source, "source": {**source, "path": "/there"}}
    check_data(elsewhere, data.index, data.subsets, data.profile, dataset)
    larger = {**data.source, "source": {**source, "image_size": 32}}
    with pytest.raises(DataError, match=r"datasets\.toy\.source: image_size was 32, is 16"):
        check_data(larger, data.index, data.subsets, data.profile, dataset)


STATISTICS = Statistics(confidence=0.95, resamples=1000, seed=0)


def test_statistics_of_now_pass_even_off_in_the_last_digit() -> None:
    table = pd.DataFrame({"acc1": [0.5, 0.6]}).assign(**STATISTICS.columns)
    assert list(table.columns) == ["acc1", "confidence", "resamples", "resampling_seed"]
    table.loc[1, "confidence"] = np.nextafter(0.95, 1)
    check_statistics(table, "toy_results", STATISTICS)
    check_statistics(table.iloc[:0], "toy_results", STATISTICS)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"confidence": 0.99}, "statistics.confidence was 0.99, is 0.95. "),
        ({"confidence": [0.95, 0.9]}, "statistics.confidence was 0.9, is 0.95. "),
        ({"resamples": 200}, "statistics.resamples was 200, is 1000. "),
        (
            {"resamples": [200, 300], "resampling_seed": 3},
            "statistics.resamples was 200 and 300, is 1000; statistics.seed was 3, is 0. ",
        ),
    ],
)
def test_other_statistics_are_refused_by_key(changes: dict[str, Any], wanted: str) -> None:
    table = pd.DataFrame({"acc1": [0.5, 0.6]}).assign(**{**STATISTICS.columns, **changes})
    with pytest.raises(DataError) as raised:
        check_statistics(table, "toy_results", STATISTICS)
    start = "toy_results were made with other parameters than the current ones: "
    assert str(raised.value).startswith(start + wanted)
    assert "kedro run --pipelines=full" in str(raised.value)


def results_of(*trials: tuple[str, int]) -> pd.DataFrame:
    names = {"dataset": "d", "train_set": "balanced", "backbone": "b"}
    return pd.DataFrame([{**names, "method": method, "seed": seed} for method, seed in trials])


def comparisons_of(*pairs: tuple[str, str, int]) -> pd.DataFrame:
    names = {"dataset": "d", "train_set": "balanced", "backbone": "b"}
    rows = [{**names, "first": a, "second": b, "seeds": seeds, "p": 0.5} for a, b, seeds in pairs]
    columns = [*names, "first", "second", "seeds", "p"]
    return pd.DataFrame(rows, columns=columns)


def test_comparisons_of_methods_without_results_are_left_out() -> None:
    comparisons = comparisons_of(("a", "b", 2), ("a", "old", 2), ("b", "old", 2))
    results = results_of(("a", 0), ("a", 1), ("b", 0), ("b", 1))
    found = verified_comparisons(comparisons, results)
    pd.testing.assert_frame_equal(found, comparisons[:1])


def test_comparisons_over_other_seeds_are_refused() -> None:
    results = results_of(("a", 0), ("a", 1), ("b", 1))
    with pytest.raises(DataError, match=r"a and b \(d\.balanced\.b\) is over 2 seeds, but 1"):
        verified_comparisons(comparisons_of(("a", "b", 2)), results)


def test_no_comparisons_keep_their_columns() -> None:
    """Of a single method there is nothing to compare."""
    none = comparisons_of()
    pd.testing.assert_frame_equal(verified_comparisons(none, results_of(("a", 0))), none)


ADJUSTMENT = PostHocLogitAdjustment(kind="logit_adjustment", tau=(1.0,))


def post_hoc(tau: float | None) -> Method:
    changed = None if tau is None else ADJUSTMENT.model_copy(update={"tau": (tau,)})
    return Method(name="late", label="L", loss=Softmax(name="softmax"), post_hoc=changed)


def test_results_of_another_post_hoc_strength_are_refused(
    dataset: Dataset, toy_trial: MakeTrial
) -> None:
    then = toy_trial(method=post_hoc(1), train_set="long_tailed")
    data = stored(dataset, then)
    text = recorded(then.method.post_hoc, np.arange(1, CLASSES + 1))
    data = replace(data, results=data.results.assign(post_hoc=text, tau=1.0))
    pd.testing.assert_frame_equal(verify(data, then), data.results)
    for tau, now in ((0.5, "{kind: logit_adjustment, tau: [0.5]}"), (None, "null")):
        with pytest.raises(DataError) as error:
            verify(data, then.model_copy(update={"method": post_hoc(tau)}))
        was = "methods.late.post_hoc was {kind: logit_adjustment, tau: [1]}"
        assert f"{was}, is {now}:\n    {then.name}" in str(error.value)


def test_results_of_other_crops_are_refused(dataset: Dataset, toy_trial: MakeTrial) -> None:
    whole = toy_trial(train_set="long_tailed")
    recipe = whole.recipe.model_copy(update={"five_crop_size": 20})
    crops = whole.model_copy(update={"recipe": recipe})
    data = stored(dataset, whole)  # of before there was such a column
    pd.testing.assert_frame_equal(verify(data, whole), data.results)
    with pytest.raises(DataError, match=r"recipe\.five_crop_size was null, is 20"):
        verify(data, crops)
    data = replace(data, results=data.results.assign(five_crop_size=20.0))
    pd.testing.assert_frame_equal(verify(data, crops), data.results)
    with pytest.raises(DataError, match=r"recipe\.five_crop_size was 20, is null"):
        verify(data, whole)


def test_results_without_the_current_post_hoc_method_are_refused(
    dataset: Dataset, toy_trial: MakeTrial
) -> None:
    plain = toy_trial(method=post_hoc(None), train_set="long_tailed")
    data = stored(dataset, plain)
    pd.testing.assert_frame_equal(verify(data, plain), data.results)
    with pytest.raises(DataError, match=r"post_hoc was null, is {kind: logit_adjustment"):
        verify(data, plain.model_copy(update={"method": post_hoc(1)}))


def test_what_changes_nothing_on_equal_counts_makes_nothing_stale(
    dataset: Dataset, toy_trial: MakeTrial
) -> None:
    plain = toy_trial(method=post_hoc(None), train_set="balanced")
    data = stored(dataset, plain)
    pd.testing.assert_frame_equal(
        verify(data, plain.model_copy(update={"method": post_hoc(1)})), data.results
    )


def test_novelty_is_of_the_trainings_that_the_results_are_of() -> None:
    trial = {"dataset": "d", "train_set": "natural", "backbone": "b", "seed": 0}
    results = pd.DataFrame(
        [
            {**trial, "method": method, "fingerprint": key, "test_set": test_set}
            for method, key in (("softmax", "aa"), ("ldam", "bb"))
            for test_set in ("natural", "balanced")
        ]
    )
    novelty = pd.DataFrame(
        [
            {**trial, "method": method, "fingerprint": key}
            for method, key in (("focal", "cc"), ("softmax", "aa"), ("ldam", "bb"))
        ]
    )
    assert verified_novelty(novelty, results)["method"].tolist() == ["softmax", "ldam"]
    novelty.loc[2, "fingerprint"] = "old"
    with pytest.raises(DataError, match=r"d_novelty and d_results .* d\.natural\.b\.ldam\.seed0"):
        verified_novelty(novelty, results)


# --- tables on single species and images -------------------------------------------------------

SUBSETS = pd.DataFrame({"role": ["test"], "name": ["balanced"], "image": [0]})


def answers(*rows: tuple[str, str], test_set: str = "balanced") -> pd.DataFrame:
    """A row a method and fingerprint."""
    names: dict[str, Any] = {
        "dataset": "toy",
        "train_set": "balanced",
        "backbone": "vit",
        "seed": 0,
    }
    table = pd.DataFrame(rows, columns=["method", "fingerprint"])
    return table.assign(**names, test_set=test_set)


def test_answers_of_trials_that_the_results_do_not_have_are_left_out() -> None:
    table = answers(("a", "1"), ("a", "1"), ("b", "2"))
    kept = verified_answers(table, "toy_examples", answers(("a", "1")), SUBSETS)
    assert kept["method"].tolist() == ["a", "a"]


@pytest.mark.parametrize(
    "table",
    [
        answers(("a", "1"), ("b", "0")),  # of another training
        answers(("a", "1")),  # missing
        answers(("a", "1"), ("b", "2"), ("b", "3")),  # of two trainings
    ],
)
def test_answers_of_other_trainings_are_refused(table: pd.DataFrame) -> None:
    results = answers(("a", "1"), ("b", "2"))
    with pytest.raises(DataError, match=r"toy_examples are of other .* 1 trial, such as toy"):
        verified_answers(table, "toy_examples", results, SUBSETS)


def test_answers_on_another_test_set_are_refused() -> None:
    natural = pd.concat([SUBSETS, SUBSETS.assign(name="natural")])
    with pytest.raises(DataError, match="are not of the test set 'natural' alone"):
        verified_answers(answers(("a", "1")), "toy_examples", answers(("a", "1")), natural)
