"""Cross-fitting: what is learnt, what is measured, and that these are never the same images."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy
import torch
from mlflow import MlflowClient
from PIL import Image
from safetensors.torch import load_file, save_file

from longtail.errors import DataError
from longtail.imbalance.subsets import CONFIRMED
from longtail.learning.inference.cached_logits import compute_logits
from longtail.learning.inference.export import ABOUT
from longtail.learning.inference.trained_model import TrainedModel
from longtail.naming import novelty_threshold
from longtail.naming.answers_table import LOOKS_UNKNOWN
from longtail.naming.decision_rule import DecisionRule
from longtail.naming.novelty_scores import NEIGHBOUR_SCORES
from longtail.naming.trial_choice import ChosenTrial
from longtail.parameters import Predict, Recipe, Trial
from longtail.pipelines.predict import cross_fitting as module
from longtail.pipelines.predict.cross_fitting import CrossFitted, cross_fit, is_cross_fitted
from longtail.pipelines.stored_training import TrainingInputs, stored_or_trained
from longtail.pipelines.train.nodes import fit_trial
from longtail.storage.array_store import ArrayStore
from longtail.storage.store import TrainingStore
from longtail.trials.training_job import Split, TrainingJob
from tests.learning.training.test_freezing import pretrained
from tests.pipelines.support import TRAINING, dotted, run

SHA = "ab" * 32
# Of each of four classes: training, validation and test images.
PARTS = {("train", "long_tailed"): 6, ("validation", "validation"): 2, ("test", "balanced"): 4}
PER_CLASS = sum(PARTS.values())
UNKNOWN_IMAGES = 5
REQUESTED = Predict(folds=4)


def photographs() -> dict[str, Any]:
    """Noise on a brightness that tells the class, in pairs; the last images are of no class."""
    labels = np.append(np.repeat(np.arange(4), PER_CLASS), [-1] * UNKNOWN_IMAGES)
    random = np.random.default_rng(0)
    pixels = random.integers(0, 60, (len(labels), 32, 32, 3)) + 45 * labels[:, None, None, None]
    groups = np.arange(len(labels)) // 2 * 2
    groups[-1] = groups[PER_CLASS - 1]  # of an unknown species, in a group with test images
    parts = []
    of_class = np.arange(4)[:, None] * PER_CLASS
    start = 0
    for (role, name), images in PARTS.items():
        chosen = (of_class + np.arange(start, start + images)).ravel()
        parts.append(pd.DataFrame({"role": role, "name": name, "image": chosen}))
        start += images
    unknown = np.flatnonzero(labels < 0)
    parts.append(pd.DataFrame({"role": "unknown", "name": "unknown", "image": unknown}))
    return {
        "images": pixels.clip(0, 255).astype(np.uint8),
        "index": pd.DataFrame(
            {
                **{"image": range(len(labels)), "label": labels, "group": groups, "split": ""},
                "file": [f"moth {image}.jpg" for image in range(len(labels))],
            }
        ),
        "subsets": pd.concat(parts, ignore_index=True),
    }


@pytest.fixture
def trial(make_trial: Callable[..., Trial], make_recipe: Callable[..., Recipe]) -> Trial:
    recipe = make_recipe(epochs=3, image_size=32, freeze="backbone", normalization="half")
    values = make_trial(recipe=recipe, train_set="long_tailed").model_dump()
    values["backbone"]["architecture"] = "mobilenetv2_micro"
    trial = Trial.model_validate(values)
    # Views of an image that are all the same, which a grid refuses: they do not depend on the
    # images that they are drawn with.
    views = {"recipe": trial.recipe.model_copy(update={"cached_views": 2})}
    return trial.model_copy(update=views)


def split_of(trial: Trial, given: dict[str, Any]) -> Split:
    return Split.of_trial(trial, given["index"]["label"].to_numpy(), given["subsets"], 4)


def trained(trial: Trial, store: Path) -> tuple[ChosenTrial, Path]:
    source = {"classes": 4, "sha256": SHA}
    weights = pretrained("mobilenetv2_micro")
    model, _, card = fit_trial(
        source=source,
        trial=trial,
        store=store,
        weights=weights,
        weights_sha256="cd" * 32,
        **photographs(),
    )
    return ChosenTrial(trial, card["fingerprint"], SHA, "cd" * 32, card["seconds"]), model


def fitted(
    trial: Trial,
    store: Path,
    requested: Predict = REQUESTED,
    given: dict[str, Any] | None = None,
) -> CrossFitted:
    chosen, model = trained(trial, store)
    given = given or photographs()
    return cross_fit(
        chosen, model, split_of(trial, given), store=store, requested=requested, **given
    )


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The images that each training learnt from, and those that each model answered."""
    learnt: dict[str, set[int]] = {}
    answered: list[tuple[str, list[int]]] = []
    asked = module._logits

    def train(job: Any, inputs: Any) -> Any:
        model = stored_or_trained(job, inputs)
        learnt[model.card["fingerprint"]] = set(job.split.train_images.tolist())
        assert not len(job.split.validation_images)
        return model

    def answer(model: Any, job: Any, inputs: Any, numbers: Any) -> Any:
        answered.append((model.card["fingerprint"], numbers.tolist()))
        return asked(model, job, inputs, numbers)

    monkeypatch.setattr(module, "stored_or_trained", train)
    monkeypatch.setattr(module, "_logits", answer)
    return {"learnt": learnt, "answered": answered}


def test_nothing_is_measured_on_what_was_learnt_from(
    trial: Trial, tmp_path: Path, seen: dict[str, Any]
) -> None:
    found, given = fitted(trial, tmp_path), photographs()
    groups = given["index"]["group"].to_numpy()
    unknown = np.flatnonzero(given["index"]["label"] < 0)
    assert len(seen["learnt"]) == REQUESTED.folds + 1
    for fingerprint, images in seen["answered"]:
        learnt = seen["learnt"][fingerprint]
        assert not learnt & set(images)
        assert not set(groups[list(learnt)]) & set(groups[images])
    # The model that names has learnt from every photograph that has no relation to a stranger.
    related = np.isin(groups, groups[unknown])
    assert seen["learnt"][found.fingerprint] == set(np.flatnonzero(~related).tolist())
    assert related.sum() == UNKNOWN_IMAGES + 2
    # New photographs are compared with all of these.
    assert found.learnt_features is not None
    features = ArrayStore(tmp_path, SHA).stored_features(found.learnt_features)
    assert features is not None and features.shape[1] == len(seen["learnt"][found.fingerprint])
    # Each of these was held out once, and the strangers are answered by the model that names.
    measured = [
        image for key, images in seen["answered"] for image in images if key != found.fingerprint
    ]
    assert sorted(measured) == found.images.tolist() == sorted(seen["learnt"][found.fingerprint])
    assert seen["answered"][-1] == (found.fingerprint, unknown.tolist())


def test_confirmed_photographs_are_learnt_but_do_not_measure(
    trial: Trial, tmp_path: Path, seen: dict[str, Any]
) -> None:
    given = photographs()
    confirmed = [0, 1, 2]  # two of one group, and one of a group with another photograph
    given["index"].loc[confirmed, "split"] = CONFIRMED
    found = fitted(trial, tmp_path, given=given)
    assert set(confirmed) <= seen["learnt"][found.fingerprint]
    assert set(found.images.tolist()) == seen["learnt"][found.fingerprint] - set(confirmed)
    assert len(found.held_out.test.labels) == len(found.images)
    for fingerprint, images in seen["answered"]:
        if 3 in images:
            assert 2 not in seen["learnt"][fingerprint]


def test_confirmed_photographs_beside_held_out_ones_are_learnt_with_their_group(
    trial: Trial, tmp_path: Path, seen: dict[str, Any]
) -> None:
    """The trial of the report may not learn them; each model without their fold may not, either."""
    given = photographs()
    index, subsets = given["index"], given["subsets"]
    validates = int(subsets.loc[subsets["role"] == "validation", "image"].iloc[0])
    # Of the same group; its place in the table of subsets is taken away.
    confirmed = int(np.flatnonzero(index["group"] == index.loc[validates, "group"])[-1])
    assert confirmed != validates
    stranger = int(np.flatnonzero(index["label"] < 0)[0])
    index.loc[[confirmed, stranger], "split"] = CONFIRMED
    given["subsets"] = subsets[~subsets["image"].isin([confirmed, stranger])]
    found = fitted(trial, tmp_path, given=given)
    assert confirmed in seen["learnt"][found.fingerprint]
    assert stranger not in seen["learnt"][found.fingerprint]
    assert confirmed not in found.images
    answers = [key for key, images in seen["answered"] if validates in images]
    assert len(answers) == 1 and confirmed not in seen["learnt"][answers[0]]


def test_species_of_one_group_each_cannot_be_measured(trial: Trial, tmp_path: Path) -> None:
    given = photographs()
    given["index"]["group"] = given["index"]["label"]
    with pytest.raises(DataError, match=r"predict\.cross_fitting: .* set it to never"):
        fitted(trial, tmp_path, given=given)


def test_an_interrupted_run_trains_what_is_missing_with_the_same_bits(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fitted(trial, tmp_path / "whole")
    done: list[TrainingJob] = []

    def interrupted(job: Any, inputs: Any) -> Any:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(job)
        return stored_or_trained(job, inputs)

    monkeypatch.setattr(module, "stored_or_trained", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fitted(trial, tmp_path / "resumed")
    monkeypatch.setattr(module, "stored_or_trained", stored_or_trained)
    resumed = fitted(trial, tmp_path / "resumed")
    np.testing.assert_array_equal(resumed.held_out.test.logits, whole.held_out.test.logits)
    weights = [
        TrainingStore(tmp_path / of).weights(whole.fingerprint) for of in ("whole", "resumed")
    ]
    assert resumed.fingerprint == whole.fingerprint and all(weights)
    first, second = (load_file(str(file)) for file in weights)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_answers_are_those_of_the_models_without_the_fold(trial: Trial, tmp_path: Path) -> None:
    found, given = fitted(trial, tmp_path), photographs()
    held_out, labels = found.held_out, given["index"]["label"].to_numpy()
    assert held_out.folds is not None and held_out.validation is held_out.test
    np.testing.assert_array_equal(held_out.test.labels, labels[found.images])
    every = found.job.split.train_images
    own = np.isin(every, found.images[held_out.folds == 2])
    alone = Split(every[~own], labels[every[~own]], every[:0], labels[every[:0]], 4)
    job = TrainingJob.of(found.job.trial, alone)
    inputs = TrainingInputs(
        given["images"], SHA, tmp_path / "alone", pretrained("mobilenetv2_micro"), "cd" * 32
    )
    model = TrainedModel(stored_or_trained(job, inputs).model_file, found.job.trial, 4)
    logits = compute_logits(model, given["images"], every[own])
    # Softmax assumes the class counts, which a fold changes.
    shares = [np.bincount(labels[images]) / len(images) for images in (every, every[~own])]
    expected = logits + np.log(shares[0] / shares[1])
    np.testing.assert_allclose(
        held_out.test.logits[held_out.folds == 2], expected, rtol=1e-3, atol=2e-3
    )


def test_neighbours_are_what_the_models_without_the_fold_have_learnt(
    trial: Trial, tmp_path: Path
) -> None:
    found = fitted(trial, tmp_path)
    held_out = found.held_out
    assert found.learnt_features is not None and held_out.folds is not None
    stored = ArrayStore(tmp_path, SHA).stored_features(found.learnt_features)
    assert stored is not None and held_out.test.neighbours is not None
    cosines = 1 - scipy.spatial.distance.cdist(stored[0], stored[0], "cosine")
    every = found.job.split.train_images
    for row, image in enumerate(found.images):
        # All were held out, so that the places of the folds are those of the images.
        learnt = held_out.folds != held_out.folds[row]
        of_others = learnt & (held_out.test.labels != held_out.test.labels[row])
        own = cosines[np.searchsorted(every, image)]
        neighbours = held_out.test.neighbours
        assert neighbours.similarity[row] == pytest.approx(own[learnt].max(), abs=1e-5)
        assert neighbours.of_others[row] == pytest.approx(own[of_others].max(), abs=1e-5)
    assert held_out.unknown is not None and held_out.unknown.similarity is not None
    assert len(held_out.unknown.similarity) == UNKNOWN_IMAGES


def test_five_crops_are_not_compared_with_whole_photographs(trial: Trial, tmp_path: Path) -> None:
    recipe = trial.recipe.model_copy(update={"five_crop_size": 40})
    found = fitted(trial.model_copy(update={"recipe": recipe}), tmp_path)
    assert found.learnt_features is None and found.held_out.test.neighbours is None


def test_the_second_time_nothing_is_trained(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fitted(trial, tmp_path)
    monkeypatch.setattr("longtail.learning.training.train.train", None)
    again = fitted(trial, tmp_path)
    assert again.fingerprint == first.fingerprint
    np.testing.assert_array_equal(again.held_out.test.logits, first.held_out.test.logits)
    other = Predict(folds=4, folds_seed=1)
    with pytest.raises(TypeError):
        fitted(trial, tmp_path, other)


def test_features_are_computed_once_for_all_folds(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from longtail.learning.training import frozen_backbone

    chosen, model = trained(trial, tmp_path)
    computed: list[int] = []
    extract = frozen_backbone.extract_features

    def counting(network: Any, images: Any, *rest: Any) -> Any:
        computed.append(images.shape[0])
        return extract(network, images, *rest)

    monkeypatch.setattr(frozen_backbone, "extract_features", counting)
    given = photographs()
    split = split_of(trial, given)
    found = cross_fit(chosen, model, split, store=tmp_path, requested=REQUESTED, **given)
    # The views to learn from, the images alone to answer, and those of unknown species.
    every = len(found.job.split.train_images)
    assert computed == [every, every, UNKNOWN_IMAGES]


def test_the_backbone_is_that_of_the_chosen_trial(trial: Trial, tmp_path: Path) -> None:
    chosen, model = trained(trial, tmp_path)
    found = fitted(trial, tmp_path)
    weights = TrainingStore(tmp_path).weights(found.fingerprint)
    assert weights is not None
    before, after = load_file(model), load_file(weights)
    same = {name: torch.equal(before[name], after[name]) for name in before}
    assert {name for name in same if not same[name]} == {"classifier.weight", "classifier.bias"}
    assert chosen.fingerprint != found.fingerprint


@pytest.mark.parametrize(
    ("asked", "frozen", "expected"),
    [
        ("frozen", True, True),
        ("frozen", False, False),
        ("always", False, True),
        ("never", True, False),
    ],
)
def test_a_fine_tuned_network_is_cross_fitted_on_request_only(
    trial: Trial,
    asked: Any,
    frozen: bool,
    expected: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    recipe = trial.recipe.model_copy(update={"freeze": "backbone" if frozen else 0.5})
    chosen = ChosenTrial(trial.model_copy(update={"recipe": recipe}), "f", SHA, None, 60.0)
    with caplog.at_level(logging.INFO):
        assert is_cross_fitted(chosen, Predict(cross_fitting=asked, folds=9)) == expected
    assert ("10 trainings of the whole network, about 10 min" in caplog.text) == (
        asked == "frozen" and not frozen
    )


def test_the_exported_model_names_as_the_predict_stage_does_and_is_the_one_of_all_photographs(
    tracking: MlflowClient,  # noqa: ARG001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # So that photographs are compared with those that were learnt.
    monkeypatch.setattr(novelty_threshold, "LOGIT_SCORES", ())
    save_file(pretrained("mobilenetv2_micro"), tmp_path / "weights.safetensors")
    given = [
        "grid.train_sets=[long_tailed]",
        "grid.backbones=[mobilenetv2_micro]",
        "grid.methods=[softmax]",
        "backbones.mobilenetv2_micro.pretrained=true",
        f"backbones.mobilenetv2_micro.weights={tmp_path / 'weights.safetensors'}",
        "recipe.freeze=backbone",
        "recipe.normalization=half",
        "recipe.epochs=3",
        "predict.folds=3",
        f"predict.path={tmp_path / 'new'}",
    ]
    data = tmp_path / "data"
    trained = run(data, dotted(*given), stages=TRAINING)
    assert trained.error is None
    pixels, subsets = trained.load("digits_images"), trained.load("digits_subsets")
    test = subsets.loc[(subsets["role"] == "test") & (subsets["name"] == "balanced"), "image"]
    every = subsets.loc[subsets["name"].isin(["long_tailed", "validation", "balanced"])]
    learnt = every.loc[(every["role"] != "train") | (every["name"] == "long_tailed"), "image"]
    (tmp_path / "new").mkdir()
    Image.fromarray(pixels[test.iloc[0]]).save(tmp_path / "new/a.png")
    Image.fromarray(255 - pixels[test.iloc[1]]).save(tmp_path / "new/b.png")
    named = run(data, dotted(*given), stages=["predict"])
    assert named.error is None
    names, recognizer = named.load("digits_names"), named.load("digits_recognizer")
    assert recognizer["folds"] == 3
    assert recognizer["fingerprint"] != trained.load("digits_trainings")["fingerprint"].iloc[0]
    tested = {name: of["test_images"] for name, of in recognizer["track_record"].items()}
    assert sum(tested.values()) == recognizer["calibration"]["images"] == learnt.nunique()
    # A test photograph was learnt from, too.
    assert names["already_in"].tolist() == ["train", ""]
    exported = run(data, dotted(*given), stages=["export"])
    assert exported.error is None
    about = {ABOUT: ""}
    file = data / "06_models/digits/recognizer.pt2" / exported.run_id / "recognizer.pt2"
    program = torch.export.load(file, extra_files=about).module()
    assert json.loads(about[ABOUT])["fingerprint"] == recognizer["fingerprint"]
    shown = np.stack([pixels[test.iloc[0]], 255 - pixels[test.iloc[1]]])
    with torch.no_grad():
        probabilities, logits, similarity = program(torch.from_numpy(shown))
    best = probabilities.max(1)
    labels = [recognizer["class_names"][label] for label in best.indices]
    assert names["species"].tolist() == labels
    np.testing.assert_allclose(names["probability"], best.values.numpy(), rtol=1e-3)
    assert recognizer["unknown"]["score"] in NEIGHBOUR_SCORES
    assert similarity[0] == pytest.approx(1, abs=1e-4) and similarity[1] < 0.9999
    rule = DecisionRule.of(recognizer)
    novelty = rule.novelty_score.of(logits.numpy(), similarity.numpy())
    np.testing.assert_allclose(names["novelty"], novelty, atol=2e-3)
    flagged = rule.is_novel(logits.numpy(), similarity.numpy())
    assert (names["why"] == LOOKS_UNKNOWN).tolist() == flagged.tolist()
