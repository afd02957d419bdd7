"""What the whole pipeline leaves: every artifact, and the figures in it."""

from __future__ import annotations

import json
import platform
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from scipy.special import log_softmax
from sklearn.metrics import accuracy_score, f1_score, log_loss

import longtail
from longtail.arrays import Float64Array, Int64Array
from longtail.provenance import processor
from longtail.schemas import data, report, results
from longtail.schemas.vocabulary import CAPTURE_COLUMNS
from longtail.storage.files import checksum_file
from longtail.trials.fingerprint import ENGINE_VERSION, RANDOM_COSINE_ENGINE_VERSION
from tests.pipelines.runs import EPOCHS, LONG_TRIAL
from tests.pipelines.support import (
    BACKBONES,
    CELLS,
    EVALUATED,
    FIGURES,
    METHODS,
    TESTED,
    TRAIN_SETS,
    TRIALS,
    Run,
    pipelines,
    predictions_of,
)

CLASSES = 10
# digits: 174 images in the smallest class, of which 50 test and 14 validate.
LARGEST, IMBALANCE = 110, 20


def logits_and_labels(run: Run, trial: str, test_set: str) -> tuple[Float64Array, Int64Array]:
    subsets = run.load("digits_subsets")
    members = subsets.loc[(subsets["role"] != "train") & (subsets["name"] == test_set), "image"]
    predictions = predictions_of(run, trial).set_index("image").loc[members]
    logits = predictions[[str(label) for label in range(CLASSES)]]
    return logits.to_numpy(np.float64, copy=True), predictions["label"].to_numpy(np.int64)


def of_trial(results: pd.DataFrame, trial: str) -> pd.DataFrame:
    _, train_set, backbone, method, _ = trial.split(".")
    chosen = (
        (results["train_set"] == train_set)
        & (results["backbone"] == backbone)
        & (results["method"] == method)
    )
    return results[chosen]


def test_it_ends_without_an_error(full: Run) -> None:
    assert full.error is None


def test_every_output_is_a_file_of_this_version_and_there_is_no_other(full: Run) -> None:
    outputs = pipelines("test")["full"].all_outputs()
    files = {full.file(name) for name in outputs}
    assert len(files) == len(outputs)
    assert all(file.stat().st_size > 0 for file in files)
    store = full.data / "06_models" / "store"
    found = {path for path in full.data.rglob("*") if path.is_file() and store not in path.parents}
    checksums = {checksum_file(file) for file in files}
    assert {path for path in found if path.parent.name == full.run_id} == files | checksums


def test_every_trial_has_all_its_artifacts(full: Run) -> None:
    models, outputs = full.data / "06_models", full.data / "07_model_output"
    files = [(models, name) for name in ("model.safetensors", "history.csv", "card.json")]
    tables = ("results", "confusions", "reliability", "class_confusions", "examples")
    files += [(outputs, f"{name}.parquet") for name in ("predictions", "answers")]
    files += [(outputs, f"{name}.csv") for name in tables] + [(outputs, "logits.npy")]
    missing = [
        path
        for trial in TRIALS
        for folder, name in files
        if not (path := folder / trial.replace(".", "/") / name / full.run_id / name).is_file()
    ]
    assert missing == []


def test_results_have_every_trial_and_every_test_set_in_the_grid_s_order(full: Run) -> None:
    results = full.load("digits_results")
    found = list(results[["train_set", "backbone", "method", "test_set"]].itertuples(index=False))
    cells = [tuple(row)[:3] for row in found]
    assert list(dict.fromkeys(cells)) == list(CELLS)
    assert {tuple(row) for row in found} == {(*cell, name) for cell in CELLS for name in EVALUATED}
    assert len(found) == len(CELLS) * len(EVALUATED)
    assert set(results["dataset"]) == {"digits"}
    assert set(results["seed"]) == {0}


def test_the_long_tail_falls_from_110_to_5_images(full: Run) -> None:
    profile = full.load("digits_class_profile").sort_values("rank")
    expected = [int(LARGEST * IMBALANCE ** (-i / 9) + 1e-9) for i in range(CLASSES)]
    assert profile["train_long_tailed"].tolist() == expected
    assert expected[0] == 110
    assert expected[-1] == 5
    assert profile["train_balanced"].tolist() == [LARGEST] * CLASSES
    assert profile["group"].tolist() == ["head"] * 3 + ["middle"] * 3 + ["tail"] * 4


def test_numbers_of_images_are_those_of_the_subsets(full: Run) -> None:
    subsets = full.load("digits_subsets")
    sizes = subsets[subsets["role"] != "train"]["name"].value_counts()
    for _, row in full.load("digits_results").iterrows():
        assert row["images"] == sizes[row["test_set"]]


@pytest.mark.parametrize("trial", TRIALS)
def test_metrics_are_those_of_the_stored_logits(full: Run, trial: str) -> None:
    rows = of_trial(full.load("digits_results"), trial).set_index("test_set")
    for test_set in EVALUATED:
        logits, labels = logits_and_labels(full, trial, test_set)
        predicted = logits.argmax(axis=1)
        assert rows.at[test_set, "acc1"] == pytest.approx(accuracy_score(labels, predicted))
        f1 = f1_score(labels, predicted, average="weighted", zero_division=0)
        assert rows.at[test_set, "f1"] == pytest.approx(f1)
        probabilities = np.exp(log_softmax(logits, axis=1))
        nll = log_loss(labels, probabilities, labels=list(range(CLASSES)))
        assert rows.at[test_set, "nll"] == pytest.approx(nll, rel=1e-5)


@pytest.mark.parametrize("trial", TRIALS)
def test_the_other_metrics_are_those_of_the_stored_logits(full: Run, trial: str) -> None:
    rows = of_trial(full.load("digits_results"), trial).set_index("test_set")
    for test_set in EVALUATED:
        logits, labels = logits_and_labels(full, trial, test_set)
        predicted, present = logits.argmax(axis=1), np.unique(labels)
        recalls = [(predicted[labels == label] == label).mean() for label in present]
        five = np.argsort(-logits, axis=1, kind="stable")[:, :5]
        macro_f1 = f1_score(labels, predicted, labels=present, average="macro", zero_division=0)
        assert rows.at[test_set, "macro_f1"] == pytest.approx(macro_f1)
        assert rows.at[test_set, "balanced_accuracy"] == pytest.approx(np.mean(recalls))
        assert rows.at[test_set, "worst_class"] == pytest.approx(min(recalls))
        among = (five == labels[:, None]).any(axis=1)
        assert rows.at[test_set, "top5"] == pytest.approx(among.mean())


def test_every_figure_is_in_its_interval(full: Run) -> None:
    results = full.load("digits_results")
    for figure in FIGURES:
        low, value, high = (results[f"{figure}{end}"] for end in ("_low", "", "_high"))
        known = low.notna()
        assert (known == high.notna()).all()
        assert known.any(), figure
        assert (low <= value)[known].all() and (value <= high)[known].all(), figure
        assert (low < high)[known].all(), figure
        assert (low >= 0)[known].all(), figure
    # Losses can lack an interval, shares never do.
    ends = [f"{figure}{end}" for figure in ("acc1", "top5") for end in ("_low", "_high")]
    assert results[[*FIGURES, *ends]].notna().all(axis=None)


@pytest.mark.parametrize("trial", TRIALS)
def test_the_loss_is_the_criterion_as_trained(full: Run, trial: str) -> None:
    _, train_set, _, method, _ = trial.split(".")
    profile = full.load("digits_class_profile").sort_values("label")
    counts = profile[f"train_{train_set}"].to_numpy(np.float64)
    logits, labels = logits_and_labels(full, trial, "balanced")
    if method == "balanced_softmax":
        logits = logits + np.log(counts)
    if method == "ldam":
        margins = counts**-0.25
        margins *= 0.5 / margins.max()
        logits[np.arange(len(labels)), labels] -= 30 * margins[labels]
    expected = -log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean()
    rows = of_trial(full.load("digits_results"), trial).set_index("test_set")
    assert rows.at["balanced", "loss"] == pytest.approx(expected, rel=1e-5)


def test_confusions_count_the_balanced_test_images(full: Run) -> None:
    confusions = full.load("digits_confusions")
    for trial in TRIALS:
        logits, labels = logits_and_labels(full, trial, "balanced")
        matrix = np.zeros((CLASSES, CLASSES), dtype=int)
        np.add.at(matrix, (labels, logits.argmax(axis=1)), 1)
        own = of_trial(confusions, trial)
        counted = {(r.true, r.predicted): r.images for r in own.itertuples()}
        assert counted == {(i, j): n for (i, j), n in np.ndenumerate(matrix) if n}


def test_answers_are_those_of_the_balanced_test_images(full: Run) -> None:
    subsets = full.load("digits_subsets")
    tested = subsets[(subsets["role"] == "test") & (subsets["name"] == "balanced")]
    for trial in TRIALS:
        answers = full.load(f"train.{trial}.answers")
        logits, labels = logits_and_labels(full, trial, "balanced")
        assert answers["image"].tolist() == tested["image"].tolist()
        assert answers["label"].tolist() == labels.tolist()
        assert answers["predicted"].tolist() == logits.argmax(axis=1).tolist()
        assert answers["confidence"].to_numpy() == pytest.approx(
            np.exp(log_softmax(logits, axis=1)).max(axis=1), rel=1e-5
        )


def test_reliability_is_of_the_balanced_test_images(full: Run) -> None:
    reliability, results = full.load("digits_reliability"), full.load("digits_results")
    for trial in TRIALS:
        own = of_trial(reliability, trial)
        share = own["images"] / own["images"].sum()
        rows = of_trial(results, trial).set_index("test_set")
        assert own["images"].sum() == rows.at["balanced", "images"]
        assert (share * own["accuracy"]).sum() == pytest.approx(rows.at["balanced", "acc1"])
        error = (share * (own["confidence"] - own["accuracy"]).abs()).sum()
        assert error == pytest.approx(rows.at["balanced", "calibration_error"])


def test_every_pair_of_methods_is_compared_on_every_test_set(full: Run) -> None:
    comparisons = full.load("digits_comparisons")
    columns = ["train_set", "backbone", "first", "second", "test_set", "metric"]
    found = list(comparisons[columns].itertuples(index=False, name=None))
    pairs = list(combinations(METHODS, 2))
    assert set(found) == {
        (train_set, backbone, *pair, test_set, metric)
        for train_set, backbone in product(TRAIN_SETS, BACKBONES)
        for pair in pairs
        for test_set in TESTED
        for metric in ("acc1", "f1")
    }
    assert len(found) == len(set(found))
    assert list(dict.fromkeys(cell[2:4] for cell in found)) == pairs
    assert set(comparisons["dataset"]) == {"digits"}
    assert set(comparisons["seeds"]) == {1}


def test_differences_are_those_of_the_results(full: Run) -> None:
    results = full.load("digits_results")
    cell = ["train_set", "backbone", "method", "test_set"]
    for metric in ("acc1", "f1"):
        values = results.set_index(cell)[metric].to_dict()
        comparisons = full.load("digits_comparisons")
        for row in comparisons[comparisons["metric"] == metric].to_dict("records"):
            where, on = (row["train_set"], row["backbone"]), row["test_set"]
            difference = values[*where, row["first"], on] - values[*where, row["second"], on]
            assert row["difference"] == pytest.approx(difference, abs=1e-12)
            assert row["low"] <= row["difference"] <= row["high"]


def test_one_training_does_not_differ_from_itself(full: Run) -> None:
    table = full.load("digits_comparisons")
    same = table[
        (table["train_set"] == "balanced")
        & (table["first"] == "softmax")
        & (table["second"] == "balanced_softmax")
    ]
    assert len(same) == len(BACKBONES) * len(TESTED) * 2
    assert set(same["difference"]) == {0}
    assert set(same["p"]) == {1}


def test_predictions_are_of_every_held_out_image_once(full: Run) -> None:
    subsets, index = full.load("digits_subsets"), full.load("digits_index")
    labels = index.set_index("image")["label"]
    held_out = sorted(set(subsets.loc[subsets["role"] != "train", "image"]))
    assert set(held_out).isdisjoint(subsets.loc[subsets["role"] == "train", "image"])
    for trial in TRIALS:
        predictions = full.load(f"train.{trial}.predictions")
        assert predictions["image"].tolist() == held_out
        assert predictions["label"].tolist() == labels[held_out].tolist()
        logits = full.load(f"train.{trial}.logits")
        assert isinstance(logits, np.memmap)
        assert (logits.shape, logits.dtype) == ((len(held_out), CLASSES), np.float32)
        assert full.file(f"train.{trial}.logits").stat().st_nlink > 1  # not written twice


@pytest.mark.parametrize("backbone", BACKBONES)
def test_losses_that_coincide_on_balanced_classes_are_one_training(
    full: Run, backbone: str
) -> None:
    pair = [f"digits.balanced.{backbone}.{m}.seed0" for m in ("softmax", "balanced_softmax")]
    cards = [full.load(f"train.{trial}.card") for trial in pair]
    assert cards[0]["fingerprint"] == cards[1]["fingerprint"]
    assert cards[0]["trained_by"] == cards[1]["trained_by"]
    assert cards[0]["trained_by"] in pair
    assert [card["trial"] for card in cards] == pair
    models = [full.file(f"train.{trial}.model") for trial in pair]
    assert models[0].read_bytes() == models[1].read_bytes()
    assert models[0].samefile(models[1])  # not kept twice
    results = full.load("digits_results")
    rows = [of_trial(results, trial) for trial in pair]
    columns = ["test_set", "loss", "acc1", "f1", "nll", "fingerprint", "trained_by"]
    first, second = (own[columns].reset_index(drop=True) for own in rows)
    pd.testing.assert_frame_equal(first, second)


def test_all_other_trainings_differ(full: Run) -> None:
    prints = {t: full.load(f"train.{t}.card")["fingerprint"] for t in TRIALS}
    models = {t: full.file(f"train.{t}.model").read_bytes() for t in TRIALS}
    for one, other in combinations(TRIALS, 2):
        assert (prints[one] == prints[other]) == (models[one] == models[other]), (one, other)
    assert len(set(prints.values())) == len(TRIALS) - len(BACKBONES)
    store = full.data / "06_models" / "store"
    kept = {path.name.partition(".")[0] for path in store.iterdir()}
    assert kept - {"locks"} == set(prints.values())  # trainings, and the logits of each


def test_results_say_by_whom_each_trial_was_trained(full: Run) -> None:
    results = full.load("digits_results")
    for trial in TRIALS:
        card = full.load(f"train.{trial}.card")
        own = of_trial(results, trial)
        assert set(own["fingerprint"]) == {card["fingerprint"]}
        assert set(own["trained_by"]) == {card["trained_by"]}


def test_histories_have_a_row_an_epoch(full: Run) -> None:
    histories = full.load("digits_histories")
    for trial in TRIALS:
        own = of_trial(histories, trial)
        epochs = EPOCHS if trial == LONG_TRIAL else 1
        assert own["epoch"].tolist() == list(range(1, epochs + 1))
        assert np.isfinite(own["train_loss"]).all()
        validated = own["validation_acc1"].notna().tolist()
        assert validated == [False] * (epochs - 1) + [True]


def test_training_lowers_the_loss(full: Run) -> None:
    losses = of_trial(full.load("digits_histories"), LONG_TRIAL)["train_loss"].tolist()
    assert losses == sorted(losses, reverse=True)


def test_scores_are_the_results_of_the_single_seed_with_their_intervals(full: Run) -> None:
    results, scores = full.load("digits_results"), full.load("digits_scores")
    assert len(scores) == len(results) * len(FIGURES)
    names = ["train_set", "backbone", "method", "test_set"]
    cells = results.set_index(names)
    for key, own in scores.groupby(names):
        cell = cells.loc[key]
        assert own["metric"].tolist() == list(FIGURES)
        assert set(own["images"]) == {cell["images"]}
        for column, end in (("value", ""), ("low", "_low"), ("high", "_high")):
            expected = [cell[f"{metric}{end}"] for metric in FIGURES]
            assert own[column].tolist() == pytest.approx(expected, nan_ok=True), (key, column)
    assert set(scores["seeds"]) == {1}
    assert scores["sd"].isna().all()  # one seed tells nothing of others


def test_scores_are_joined_in_the_order_of_the_tables(full: Run) -> None:
    scores = full.load("digits_scores")
    cells = list(dict.fromkeys(scores[["backbone", "train_set", "method"]].itertuples(index=False)))
    assert cells == list(product(BACKBONES, TRAIN_SETS, METHODS))
    for backbone in BACKBONES:
        own = scores[scores["backbone"] == backbone].reset_index(drop=True)
        pd.testing.assert_frame_equal(full.load(f"report.digits.{backbone}.scores"), own)


def test_figures_are_png_pdf_and_svg_files(full: Run) -> None:
    names = [n for n in pipelines("test")["full"].all_outputs() if n.endswith("_figure")]
    kinds = {name.rpartition(".")[2] for name in names if name.startswith("report.")}
    # The classes' sizes and two of all backbones, beside those of each backbone.
    assert len(names) == 3 + len(BACKBONES) * len(kinds)
    kind = ("group_accuracy", "class_accuracy", "confusion", "reliability", "learning")
    assert kinds == {f"{name}_figure" for name in kind}
    for name in names:
        assert full.load(name).startswith(b"\x89PNG\r\n\x1a\n")
        assert full.load(name.replace("_figure", "_pdf")).startswith(b"%PDF-")
        assert b"<svg " in full.load(name.replace("_figure", "_svg"))[:500]


def test_cards_tell_the_parameters_of_the_training(full: Run) -> None:
    for trial in TRIALS:
        path: Path = full.file(f"train.{trial}.card")
        card = json.loads(path.read_text(encoding="utf-8"))
        assert card["parameters"]["recipe"]["epochs"] == (EPOCHS if trial == LONG_TRIAL else 1)
        assert card["train_images"] == (1100 if ".balanced." in trial else 369)
        assert card["parameters"]["method"]["name"] in METHODS
        assert card["seconds"] > 0


def test_trainings_tell_where_and_with_what_each_was_trained(full: Run) -> None:
    trainings = full.load("digits_trainings")
    cells = list(trainings[["train_set", "backbone", "method"]].itertuples(index=False, name=None))
    assert cells == list(CELLS)
    for trial in TRIALS:
        card = full.load(f"train.{trial}.card")
        [row] = of_trial(trainings, trial).to_dict("records")
        told = (
            "fingerprint",
            "trained_by",
            "train_images",
            "model_parameters",
            "multiply_adds",
            "threads",
        )
        said = {key: None if pd.isna(row[key]) else row[key] for key in told}
        assert said == {key: card[key] for key in told}
        assert row["started"] == pytest.approx(card["started"], abs=1e-3)
        assert json.loads(row["parameters"]) == card["parameters"]
    assert set(trainings["torch"]) == {torch.__version__}
    assert set(trainings["timm"]) == {timm.__version__}
    assert set(trainings["numpy"]) == {np.__version__}
    assert set(trainings["python"]) == {platform.python_version()}
    assert set(trainings["longtail"]) == {longtail.__version__}
    assert set(trainings["engine"]) == {ENGINE_VERSION, RANDOM_COSINE_ENGINE_VERSION}
    assert set(trainings["processor"]) == {processor()}
    assert trainings["weights_sha256"].isna().all()
    assert platform.node() not in full.file("digits_trainings").read_text(encoding="utf-8")


def test_every_column_of_every_table_is_in_its_schema(full: Run) -> None:
    schemas = {
        "index": data.INDEX, "rejected": data.REJECTED, "subsets": data.SUBSETS,
        "class_profile": data.CLASS_PROFILE, "results": results.RESULTS,
        "trainings": results.TRAININGS, "histories": results.HISTORIES,
        "confusions": results.CONFUSIONS, "class_confusions": results.CLASS_CONFUSIONS,
        "examples": results.EXAMPLES_TABLE, "reliability": results.RELIABILITY,
        "comparisons": results.COMPARISONS, "species": report.SPECIES_RESULTS,
        "confused_pairs": report.CONFUSED_PAIRS, "scores": report.SCORES,
    }  # fmt: skip
    # Of images that the digits do not have.
    absent = {"same_as", "sha256", "truncated", *CAPTURE_COLUMNS}
    for name, schema in schemas.items():
        columns = [column for column in schema.columns if column not in absent]
        assert full.load(f"digits_{name}").columns.tolist() == columns, name
