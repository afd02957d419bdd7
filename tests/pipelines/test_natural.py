"""A run on data split by shares of each class, with classes held out as unknown."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from longtail.catalog import LongtailCatalog
from tests.pipelines.support import Run, dotted, loader, pipelines, run

CHANGES = dotted(
    "datasets.digits.imbalance.holdout.kind=stratified",
    "datasets.digits.imbalance.holdout.test=0.2",
    "datasets.digits.imbalance.holdout.validation=0.1",
    "datasets.digits.imbalance.class_order=size",
    "datasets.digits.unknown.classes=['3','8']",
    "grid.train_sets=[natural]",
    "grid.backbones=[mobilenetv2_micro]",
    "grid.methods=[softmax,balanced_softmax]",
)
TRIAL = "train.digits.natural.mobilenetv2_micro.softmax.seed0"


@pytest.fixture(scope="module")
def natural(tmp_path_factory: pytest.TempPathFactory) -> Run:
    done = run(tmp_path_factory.mktemp("natural"), CHANGES)
    assert done.error is None
    return done


def load(done: Run, name: str) -> pd.DataFrame:
    table = loaded(done, name)
    assert isinstance(table, pd.DataFrame)
    return table


def loaded(done: Run, name: str) -> Any:
    catalog = LongtailCatalog.from_config(
        loader("test", data=str(done.data), **CHANGES)["catalog"],
        load_versions={name: done.run_id},
    )
    return catalog.load(name)


def test_unknown_images_have_logits_and_are_in_no_usual_figure(natural: Run) -> None:
    index = load(natural, "digits_index")
    predictions = load(natural, f"{TRIAL}.predictions")
    assert set(index.loc[index["label"] < 0, "class_name"].astype(str)) == {"3", "8"}
    of_unknown = predictions[predictions["label"] < 0]
    assert set(of_unknown["image"]) == set(index.loc[index["label"] < 0, "image"])
    assert list(predictions.columns) == ["image", "label"]
    assert loaded(natural, f"{TRIAL}.logits").shape == (len(predictions), 8)
    results = load(natural, "digits_results")
    assert "natural" in set(results["test_set"])
    assert "unknown" not in set(results["test_set"])
    confusions = load(natural, "digits_confusions")
    assert confusions["true"].min() == 0
    test_images = results.loc[results["test_set"] == "natural", "images"].iloc[0]
    assert confusions.groupby("method")["images"].sum().tolist() == [test_images] * 2


def test_novelty_is_scored_and_gathered(natural: Run) -> None:
    novelty = load(natural, "digits_novelty")
    assert novelty["method"].tolist() == ["softmax"] * 3 + ["balanced_softmax"] * 3
    predictions = load(natural, f"{TRIAL}.predictions")
    subsets = load(natural, "digits_subsets")
    test = subsets.loc[(subsets["role"] == "test") & (subsets["name"] == "natural"), "image"]
    largest = pd.Series(loaded(natural, f"{TRIAL}.logits").max(axis=1), predictions["image"])
    known = largest[test].to_numpy()
    unknown = largest[predictions.loc[predictions["label"] < 0, "image"]].to_numpy()
    difference = known[:, None] - unknown
    expected = np.mean((difference > 0) + (difference == 0) / 2)
    row = novelty[(novelty["method"] == "softmax") & (novelty["score"] == "max_logit")].iloc[0]
    assert row["auroc"] == pytest.approx(expected)
    assert row["auroc_low"] < row["auroc"] < row["auroc_high"]
    results = load(natural, "digits_results")
    assert set(novelty["fingerprint"]) == set(results["fingerprint"])


def test_page_shows_natural_test_images_and_unknown_classes(natural: Run) -> None:
    [page] = natural.data.glob("08_reporting/digits/report.html/*/report.html")
    html = page.read_text(encoding="utf-8")
    assert '<h2 id="unknown">Unknown classes</h2>' in html
    assert "Natural test set" in html
    assert "confusion matrices on the natural test set" in html
    assert "accuracy on the natural test images, with intervals" in html
    assert "Head, middle and tail are left out, since they have nearly equal numbers of" in html
    assert "Tail" not in html
    assert "<td>head</td>" not in html
    assert "More figures: confusions, reliability and learning curves" in html
    assert "2 classes were held out of all training" in html
    assert "at which 95 of 100 photographs of known classes are named" in html
    assert "species" not in re.sub(r"<style>.*?</style>|<script>.*?</script>|<[^>]*>", "", html,
                                   flags=re.DOTALL).replace("species.csv", "")  # fmt: skip


def test_the_documents_have_no_columns_of_groups_of_equal_size(natural: Run) -> None:
    files = natural.data.glob("08_reporting/digits/tables/*.tex/*/*.tex")
    tables = {file.name: file.read_text(encoding="utf-8") for file in files}
    assert not [name for name, text in tables.items() if re.search("Head|Middle|Tail|Few", text)]
    bare = tables["mobilenetv2_micro_natural_acc1.tex"]
    assert r"Loss Function & Balanced & Long-tailed \\" in bare
    assert tables["mobilenetv2_micro_natural_parts_intervals.tex"].startswith("% No table")
    for name in ("appendix", "appendix_intervals", "chapter"):
        [document] = natural.data.glob(f"08_reporting/digits/{name}.tex/*/{name}.tex")
        text = document.read_text(encoding="utf-8")
        assert "One image of the tail" not in text
        assert "Tail" not in text
    assert set(load(natural, "digits_species")["group"]) == {""}
    assert "balanced_tail" not in set(load(natural, "digits_scores")["test_set"])
    assert "balanced_tail" in set(load(natural, "digits_results")["test_set"])


def test_other_unknown_classes_make_the_stored_results_stale(natural: Run) -> None:
    digits = CHANGES["datasets"]["digits"] | {"unknown": {"classes": ["1"]}}
    changes = CHANGES | {"datasets": {"digits": digits}}
    other = run(natural.data, changes, stages=["report"])
    assert other.error is not None
    assert "digits_index has other unknown classes" in str(other.error)
    assert "3, 8, not 1" in str(other.error)


def test_without_unknown_classes_nothing_is_scored() -> None:
    names = pipelines("test")["full"].all_outputs()
    assert "digits_novelty" not in names
    assert "digits_novelty" in pipelines("test", **CHANGES)["full"].all_outputs()
