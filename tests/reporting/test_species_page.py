"""The part on single species, from the tables to the page."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from longtail.parameters import Contents, Method, Table
from longtail.reporting.data_summary import data_summary
from longtail.reporting.gallery import PHOTOGRAPHS, SIDE, gallery, probability_note, thumbnail
from longtail.reporting.page import page
from longtail.reporting.species_page import SHOWN_PAIRS, SpeciesPart, species_parts
from longtail.species import confused_pairs, examples, species_table
from tests.reporting.test_page import DATA, MADE
from tests.reporting.test_page import PROFILE as PAGE_PROFILE

NAMES: dict[str, Any] = {
    "dataset": "toy",
    "train_set": "long_tailed",
    "backbone": "vit",
    "method": "balanced_softmax",
    "seed": 0,
}
BALANCED_SOFTMAX = Method.model_validate(
    {"name": "balanced_softmax", "label": "B & S", "loss": {"name": "balanced_softmax"}}
)
HOSTILE = "<script>alert('x')</script>"
CLASSES, IMAGES, IMAGE_SIZE = 12, 40, 40


def profile(*names: str) -> pd.DataFrame:
    labels = np.arange(CLASSES)
    return pd.DataFrame(
        {
            "label": labels,
            "class_name": [*names, *(f"noctua_a{'b' * i}" for i in labels[len(names) :])],
            "group": np.repeat(["head", "middle", "tail"], CLASSES // 3),
            "train_long_tailed": 100 - 8 * labels,
        }
    )


def parts(*names: str, validation: float | None = 0.5, natural: bool = False) -> list[SpeciesPart]:
    """The page's parts on a model that answers at random, trained with balanced softmax."""
    generator = np.random.default_rng(0)
    classes = profile(*names)
    labels = np.repeat(np.arange(CLASSES), IMAGES)
    labels = labels[5:] if natural else labels
    logits = generator.normal(size=(len(labels), CLASSES)).astype(np.float32)
    logits[np.arange(len(labels)), labels] += 1.5
    predictions = pd.DataFrame(logits, columns=[str(label) for label in range(CLASSES)])
    predictions.insert(0, "label", labels)
    predictions.insert(0, "image", np.arange(len(labels)))
    test_set = "natural" if natural else "balanced"
    subsets = pd.DataFrame({"role": "test", "name": test_set, "image": predictions["image"]})
    drawn = examples(predictions, subsets, classes, 0).assign(**NAMES)
    counted = pd.DataFrame({"true": labels, "predicted": logits.argmax(axis=1)})
    confusions = counted.value_counts(sort=False).reset_index(name="images")
    confusions = confusions.assign(**NAMES, test_set=test_set)
    results = pd.DataFrame(
        [{**NAMES, "test_set": "validation", "balanced_accuracy": validation}]
        if validation is not None
        else [{**NAMES, "test_set": "balanced", "balanced_accuracy": 0.1}]
    )
    pixels = generator.integers(0, 255, (len(labels), IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
    index = pd.DataFrame({"file": [f"a/{i}.jpg" for i in range(len(labels))]})
    table = Table(
        dataset="toy",
        backbone="vit",
        backbone_label="ViT",
        train_set="long_tailed",
        methods={"balanced_softmax": "B & S"},
        seeds=(0,),
        number=1,
    )
    return species_parts(
        results,
        species_table(confusions, classes, 0.95).assign(confidence=0.95),
        confused_pairs(confusions, classes, 0.95),
        gallery(pixels, index, drawn, results, classes),
        Contents(tables=(table,)),
        {"balanced_softmax": BALANCED_SOFTMAX},
    )


def html(*names: str) -> str:
    return page("T", PAGE_PROFILE, b"", DATA, "Read.", [], parts(*names), MADE)


# --- the words ---------------------------------------------------------------------------------


def test_it_is_said_which_trial_is_shown_and_why() -> None:
    (part,) = parts()
    assert part.trial == (
        "ViT, B & S, seed 0: of all trials on this training set the one with the best balanced "
        "accuracy on the validation images, 0.500"
    )
    assert "the balanced test set (480 images, 40 each)" in part.test
    assert "Wilson's 95% interval" in part.test
    assert "Precision holds where all are equally frequent" in part.test


def test_without_validation_images_no_best_trial_is_claimed() -> None:
    (part,) = parts(validation=None)
    assert "the first trial of the grid, since no image is held out for validation" in part.trial


def test_on_natural_test_images_precision_depends_on_their_proportions() -> None:
    (part,) = parts(natural=True)
    assert "the natural test set (475 images, 35 to 40 each)" in part.test
    assert "Precision holds where all are as frequent as in this test set" in part.test


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ({"name": "softmax"}, "as frequent as in the training set"),
        ({"name": "balanced_softmax"}, "as if all classes were equally frequent"),
        ({"name": "class_balanced"}, "no posterior, since the training weighted rare classes up"),
        ({"name": "focal"}, "no posterior, since focal loss"),
        ({"name": "equalization", "threshold": 0.1}, "no posterior, since rare classes were often"),
        ({"name": "ldam"}, "no posterior, since the training demanded margins"),
    ],
)
def test_it_is_said_what_the_probabilities_are(loss: dict[str, Any], said: str) -> None:
    method = Method.model_validate({"name": "m", "label": "My method", "loss": loss})
    assert "softmax of the logits of My method: " in probability_note(method)
    assert said in probability_note(method)


# --- the photographs ---------------------------------------------------------------------------


def test_the_gallery_has_as_many_right_as_wrong_answers_of_tail_and_head() -> None:
    (part,) = parts()
    assert [(heading, len(answers)) for heading, answers in part.galleries] == [
        ("Tail species: right answers", 10),
        ("Tail species: wrong answers", 10),
        ("Head species: right answers", 5),
        ("Head species: wrong answers", 5),
    ]
    for heading, answers in part.galleries:
        for answer in answers:
            assert (answer.top[0].name == answer.true.name) is ("right" in heading)
            assert len(answer.top) == 3
            assert Image.open(io.BytesIO(b64decode(answer.jpeg))).format == "JPEG"


def test_sixty_photographs_of_noise_are_less_than_a_megabyte() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    jpeg = thumbnail(noise)
    assert Image.open(io.BytesIO(jpeg)).size == (SIDE, SIDE)
    assert PHOTOGRAPHS * len(jpeg) * 4 / 3 < 1_000_000
    assert thumbnail(noise.copy()) == jpeg
    small = Image.open(io.BytesIO(thumbnail(noise[:20, :20])))
    assert small.size == (20, 20)  # nothing is enlarged


# --- the page ----------------------------------------------------------------------------------


def test_hostile_names_are_text() -> None:
    text = html(HOSTILE, 'a "quoted" & name', "x" * 200)
    assert HOSTILE not in text
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in text
    assert 'a "quoted"' not in text
    assert text.count("<script>") == 1  # the page's own


def test_the_page_is_whole_without_scripts_and_asks_nothing_of_the_network() -> None:
    text = html()
    assert re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', text) == []
    assert '<p class="tools" hidden>' in text  # the search is shown by the script that serves it
    (table, *_) = re.findall(r'<table class="sortable">.*?</table>', text, flags=re.DOTALL)
    assert table.count("<tr>") == 1 + CLASSES


def test_genera_are_compared_where_names_are_binomials() -> None:
    (part,) = parts("acronicta_psi", "acronicta_aceris")
    assert len(part.pairs) == SHOWN_PAIRS
    assert part.has_genera
    same = {
        row.genus for row in part.pairs if "Acronicta" in row.true and "Acronicta" in row.predicted
    }
    assert same <= {"same"}
    mixed = {
        row.genus
        for row in part.pairs
        if ("Acronicta" in row.true) != ("Acronicta" in row.predicted)
    }
    assert mixed == {"other"}
    (plain,) = parts(*(f"{i}" for i in range(CLASSES)))
    assert not plain.has_genera
    assert {row.genus for row in plain.pairs} == {""}
    assert (plain.one, plain.many) == ("class", "classes")


# --- the data ----------------------------------------------------------------------------------


def test_data_are_counted() -> None:
    source = {"images": 5, "width": 32, "height": 24, "classes": 2}
    index = pd.DataFrame(
        {
            "image": range(5),
            "label": [0, 0, 0, 1, 1],
            "class_name": ["a", "a", "a", "b", "b"],
            "group": [0, 0, 2, 3, 3],
        }
    )
    rejected = pd.DataFrame(
        {
            "file": ["a", "b", "c"],
            "reason": ["truncated (3 bytes)", "80 x 90 pixels are too many", "truncated (4 bytes)"],
        }
    )
    rows = [("train", "balanced", 0), ("train", "balanced", 3), ("test", "balanced", 1)]
    subsets = pd.DataFrame(rows, columns=["role", "name", "image"])
    summary = data_summary(source, index, rejected, subsets)
    facts = dict(summary.facts)
    assert facts["Images"] == "5, of 32 x 24 pixels"
    assert facts["Images a class"] == "2 to 3"
    assert facts["Files that could not be used"] == "3"
    assert facts["Images that belong together"].startswith("4 in 2 groups")
    assert summary.rejected == (
        ("truncated (n bytes)", 2, "a"),
        ("80 x 90 pixels are too many", 1, "b"),
    )
    assert summary.splits == (("train", "balanced", 2, 2), ("test", "balanced", 1, 1))
    alone = data_summary(source, index.drop(columns="group"), rejected.iloc[:0], subsets)
    assert "Images that belong together" not in dict(alone.facts)
    assert alone.rejected == ()
    strangers = index.assign(label=[0, 0, -1, -1, -1], class_name=list("aabcc"))
    facts = dict(data_summary(source, strangers, rejected, subsets).facts)
    assert facts["Classes"] == "2, and 2 held out as unknown, with 3 images"
    assert facts["Images a class"] == "1 to 2"
