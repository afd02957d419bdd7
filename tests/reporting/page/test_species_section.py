"""The part on single species, from the tables to the page."""

from __future__ import annotations

import io
import json
import re
from base64 import b64decode
from html import unescape
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from longtail.evaluation.predictions import Predictions, examples
from longtail.evaluation.species import confused_pairs, species_table
from longtail.nomenclature.display_names import images_of_classes
from longtail.parameters import (
    Contents,
    Method,
    Table,
    TrainSet,
    Trial,
)
from longtail.reporting.page.data_section import data_facts, rejection_reasons, subset_sizes
from longtail.reporting.page.gallery import (
    MAX_PHOTOGRAPHS,
    THUMBNAIL_SIDE,
    select_gallery,
    thumbnail,
)
from longtail.reporting.page.species_rows import rows_as_data
from longtail.reporting.page.species_section import (
    LEVELS,
    SHOWN_PAIRS,
    species_parts,
    species_section,
)
from longtail.reporting.page.unknown_section import unknown_class_names
from longtail.trials.grid import trials
from tests.pipelines.support import loader
from tests.reporting.page.support import make_page
from tests.reporting.rows import make_contents

NAMES: dict[str, Any] = {
    "dataset": "toy",
    "train_set": "long_tailed",
    "backbone": "vit",
    "method": "balanced_softmax",
    "seed": 0,
    "fingerprint": "f",
}
BALANCED_SOFTMAX = Method.model_validate(
    {"name": "balanced_softmax", "label": "B & S", "loss": {"name": "balanced_softmax"}}
)
ANY_TRIAL = trials(loader("test").parameters()[0])[0]
HOSTILE = "<script>alert('x')</script>"
CLASSES, IMAGES, IMAGE_SIZE = 12, 40, 40


def profile(*names: str) -> pd.DataFrame:
    labels = np.arange(CLASSES)
    return pd.DataFrame(
        {
            "label": labels,
            "class_name": [*names, *(f"noctua_a{'b' * i}a" for i in labels[len(names) :])],
            "group": np.repeat(["head", "middle", "tail"], CLASSES // 3),
            "train_long_tailed": 100 - 8 * labels,
        }
    )


def trial(train_set: TrainSet) -> Trial:
    """The trial of ``NAMES`` on a training set."""
    backbone = ANY_TRIAL.backbone.model_copy(update={"name": "vit"})
    own = {"dataset": "toy", "train_set": train_set, "backbone": backbone}
    return ANY_TRIAL.model_copy(update={**own, "method": BALANCED_SOFTMAX, "seed": 0})


def contents(train_set: TrainSet) -> Contents:
    """What the report has a table of: one backbone with balanced softmax."""
    table = Table(
        dataset="toy",
        backbone="vit",
        backbone_label="ViT",
        train_set=train_set,
        methods={"balanced_softmax": "B & S"},
        seeds=(0,),
        number=1,
    )
    return make_contents(table)


def parts(
    *names: str, validation: float | None = 0.5, natural: bool = False
) -> list[dict[str, Any]]:
    """The page's parts on a model that answers at random, trained with balanced softmax."""
    generator = np.random.default_rng(0)
    classes = profile(*names)
    labels = np.repeat(np.arange(CLASSES), IMAGES)
    labels = labels[5:] if natural else labels
    logits = generator.normal(size=(len(labels), CLASSES)).astype(np.float32)
    logits[np.arange(len(labels)), labels] += 1.5
    images, predicted = np.arange(len(labels)), logits.argmax(axis=1)
    answers = pd.DataFrame({"image": images, "label": labels, "predicted": predicted})
    test_set = "natural" if natural else "balanced"
    subsets = pd.DataFrame({"role": "test", "name": test_set, "image": images})
    own = Predictions(images, labels, logits)
    drawn = examples(answers, own, subsets, classes, 0).assign(**NAMES)
    counted = pd.DataFrame({"true": labels, "predicted": predicted})
    confusions = counted.value_counts(sort=False).reset_index(name="images")
    confusions = confusions.assign(**NAMES, test_set=test_set)
    results = pd.DataFrame(
        [{**NAMES, "test_set": "validation", "balanced_accuracy": validation}]
        if validation is not None
        else [{**NAMES, "test_set": "balanced", "balanced_accuracy": 0.1}]
    ).assign(post_hoc="none", five_crop_size=np.nan)
    pixels = generator.integers(0, 255, (len(labels), IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
    index = pd.DataFrame({"file": [f"a/{i}.jpg" for i in range(len(labels))]})
    return species_parts(
        results,
        species_table(confusions, classes, 0.95).assign(confidence=0.95),
        confused_pairs(confusions, classes, 0.95),
        select_gallery(pixels, index, drawn, results, classes),
        contents("long_tailed"),
        [trial("natural"), trial("long_tailed")],
    )


def html(*names: str) -> str:
    return make_page(species=parts(*names))


# --- the words ---------------------------------------------------------------------------------


def test_it_is_said_which_trial_is_shown_and_why() -> None:
    (part,) = parts()
    assert part["trial"] == (
        "ViT, B & S, seed 0: of all trials on this training set the one with the best balanced "
        "accuracy on the validation images, 0.500"
    )
    assert "the balanced test set (480 images, 40 each)" in part["test"]
    assert "the exact 95% interval" in part["test"]
    assert "Precision assumes that all are equally frequent" in part["test"]
    assert "How much to trust an answer depends on its precision, not on its recall" in part["test"]


def test_without_validation_images_no_best_trial_is_claimed() -> None:
    (part,) = parts(validation=None)
    assert "the first trial of the grid, since no image is held out for validation" in part["trial"]


def test_on_natural_test_images_precision_depends_on_their_proportions() -> None:
    (part,) = parts(natural=True)
    assert "the natural test set (475 images, 35 to 40 each)" in part["test"]
    assert "Precision assumes the proportions of this test set" in part["test"]


def test_species_are_counted_by_how_often_they_are_recognised() -> None:
    (part,) = parts()
    assert [(name, total) for name, total, _ in part["levels"]] == [
        ("head", 4),
        ("middle", 4),
        ("tail", 4),
        ("all species", 12),
    ]
    assert list(LEVELS) == ["never", "less than half", "half or more", "always"]
    recalls = [float(row["recall"].value) for row in part["rows"]]
    expected = [
        sum(r == 0 for r in recalls),
        sum(0 < r < 0.5 for r in recalls),
        sum(0.5 <= r < 1 for r in recalls),
        sum(r == 1 for r in recalls),
    ]
    assert part["levels"][-1][2] == expected
    assert sum(expected) == 12 and expected[1] and expected[2]


@pytest.mark.parametrize(
    ("fingerprints", "headings"),
    [
        (("f", "f"), ["natural and long-tailed (one training: the images are the same)"]),
        (("f", "g"), ["natural", "long-tailed"]),
    ],
)
def test_training_sets_of_the_same_images_have_one_part(
    fingerprints: tuple[str, str], headings: list[str]
) -> None:
    classes = profile().assign(train_natural=9)
    both = pd.DataFrame([{**NAMES, "train_set": name} for name in ("natural", "long_tailed")])
    labels = np.arange(CLASSES)
    counts = pd.DataFrame({"test_set": "balanced", "true": labels, "predicted": labels[::-1]})
    confusions = both.merge(counts.assign(images=3), how="cross")
    results = both.assign(
        test_set="validation", balanced_accuracy=0.5, fingerprint=list(fingerprints)
    ).assign(post_hoc="none", five_crop_size=np.nan)
    entries = [{**NAMES, "train_set": name, "answers": []} for name in ("natural", "long_tailed")]
    found = species_parts(
        results,
        species_table(confusions, classes, 0.95).assign(confidence=0.95),
        confused_pairs(confusions, classes, 0.95),
        entries,
        contents("natural"),
        [trial("natural"), trial("long_tailed")],
    )
    assert [part["trained"] for part in found] == headings
    assert [total for _, total, _ in found[0]["levels"]] == [4, 4, 4, 12]


def test_the_table_of_many_species_is_folded_and_scrolled() -> None:
    (few,) = parts()

    def text(rows: int) -> str:
        part = {**few, "rows": (few["rows"] * rows)[:rows]}
        return make_page(species=[part])

    assert '<details class="species"><summary>All 30 species' in text(30)
    assert '<details class="species"><summary>All 1,000 species' in text(1000)
    assert '<div class="scroll tall" tabindex="0"><table class="sortable">' in text(1000)
    assert "scroll tall" not in text(30)
    tables = [text(n).partition('<details class="species">')[2] for n in (30, 200, 1000)]
    rows = [table.partition("</table>")[0].count("<tr><td") for table in tables]
    assert rows == [30, 200, 200]
    [data] = re.findall(r'<script type="application/json">(.*?)</script>', text(1000))
    assert len(json.loads(data)) == 800
    assert "application/json" not in text(200)


def test_without_groups_the_table_has_no_column_of_them() -> None:
    (grouped,) = parts()
    own = {**grouped, "rows": [{**row, "group": ""} for row in grouped["rows"]] * 20}
    text = species_section([own])
    heads = re.findall(r"<th[^>]*>([^<]*)</th>", text.partition('class="sortable"')[2])
    assert heads[:3] == ["Species", "Training images", "Test images"]
    first = re.search(r'<tr><td class="name">(.*?)</tr>', text)
    assert first is not None
    [data] = re.findall(r'<script type="application/json">(.*?)</script>', text)
    assert len(json.loads(data)[0]) == first.group(1).count("</td>") == 8


# --- the photographs ---------------------------------------------------------------------------


def test_the_gallery_has_as_many_right_as_wrong_answers_of_tail_and_head() -> None:
    (part,) = parts()
    assert [(heading, len(answers)) for heading, answers in part["galleries"]] == [
        ("Tail species: right answers", 10),
        ("Tail species: wrong answers", 10),
        ("Head species: right answers", 5),
        ("Head species: wrong answers", 5),
    ]
    for heading, answers in part["galleries"]:
        for answer in answers:
            assert (answer["top"][0]["name"] == answer["true"]["name"]) is ("right" in heading)
            assert len(answer["top"]) == 3
            assert Image.open(io.BytesIO(b64decode(answer["jpeg"]))).format == "JPEG"


def test_each_photograph_says_in_words_what_it_shows_and_was_taken_for() -> None:
    names = 'a "b" & c', *(f"{i}" for i in range(1, CLASSES))
    (part,) = parts(*names)
    text = make_page(species=[part])
    told = [
        "{}, {}".format(
            answer["true"]["name"].striptags(),
            "recognised"
            if heading.endswith("right answers")
            else f"taken for {answer['top'][0]['name'].striptags()}",
        )
        for heading, answers in part["galleries"]
        for answer in answers
    ]
    alts = re.findall(r'<img alt="([^"]*)" title=', text)
    assert [unescape(alt) for alt in alts] == told
    assert any(alt.startswith("a &#34;b&#34; &amp; c, ") for alt in alts)


def test_a_probability_and_its_training_images_stay_on_one_line() -> None:
    (part,) = parts()
    top = part["galleries"][0][1][0]["top"][1]
    assert (
        f'<li>{top["name"]} <span class="p">&middot; {top["probability"]} '
        f'<span class="half">({top["train_images"]})</span></span></li>'
    ) in make_page(species=[part])


def test_sixty_photographs_of_noise_are_less_than_a_megabyte() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    jpeg = thumbnail(noise)
    assert Image.open(io.BytesIO(jpeg)).size == (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    assert MAX_PHOTOGRAPHS * len(jpeg) * 4 / 3 < 1_000_000
    assert thumbnail(noise.copy()) == jpeg
    small = Image.open(io.BytesIO(thumbnail(noise[:20, :20])))
    assert small.size == (20, 20)  # nothing is enlarged


# --- the page ----------------------------------------------------------------------------------


def test_hostile_names_are_text() -> None:
    text = html(HOSTILE, 'a "quoted" & name', "x" * 200)
    assert HOSTILE not in text
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in text
    assert 'a "quoted"' not in text
    assert text.count("<script>") == 2  # the page's own


def test_hostile_names_are_text_in_rows_that_are_data() -> None:
    (part,) = parts(HOSTILE, "</script>")
    data = str(rows_as_data(part["rows"]))
    assert "<script" not in data and "</" not in data
    names = [row[0] for row in json.loads(data)]
    assert names[:2] == [str(row["name"]) for row in part["rows"][:2]]


def test_rows_that_are_data_name_others_by_their_places() -> None:
    (part,) = parts()
    cells = json.loads(str(rows_as_data(part["rows"], 1)))
    assert len(cells) == len(part["rows"]) - 1
    taken = [(row["taken_for"], row["taken_for_images"]) for row in part["rows"][1:]]
    assert any(images for _, images in taken)
    assert [
        (part["rows"][of[-1][0]]["name"], of[-1][1]) if of[-1] else ("", 0) for of in cells
    ] == taken


def test_the_page_is_whole_without_scripts_and_asks_nothing_of_the_network() -> None:
    text = html()
    assert re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', text) == []
    assert '<p class="tools" hidden>' in text  # the search is shown by the script that serves it
    (table, *_) = re.findall(r'<table class="sortable">.*?</table>', text, flags=re.DOTALL)
    assert table.count("<tr>") == 1 + CLASSES


def test_on_a_narrow_screen_captions_are_whole_and_species_stay_beside_their_figures() -> None:
    text = html()
    assert "caption div { position: sticky; left: 0;" in text
    assert "max-width: calc(100vw - 4rem);" in text
    assert re.findall(r"<caption>(?!<div>)", text) == []
    narrow = "".join(re.findall(r"@media \(max-width: 45rem\) \{.*", text))
    assert "table.sortable :is(th, td):first-child { min-width: 9rem; }" in narrow
    assert "td:first-child { text-align: left; position: sticky; left: 0;" in text
    assert ".plot img { max-width: none; width: 40rem; }" in narrow


def test_genera_are_compared_where_names_are_binomials() -> None:
    (part,) = parts("acronicta_psi", "acronicta_aceris")
    assert len(part["pairs"]) == SHOWN_PAIRS
    assert part["names"].is_binomial
    same = {
        row["genus"]
        for row in part["pairs"]
        if "Acronicta" in row["true"] and "Acronicta" in row["predicted"]
    }
    assert same <= {"same"}
    mixed = {
        row["genus"]
        for row in part["pairs"]
        if ("Acronicta" in row["true"]) != ("Acronicta" in row["predicted"])
    }
    assert mixed == {"other"}
    (plain,) = parts(*(f"{i}" for i in range(CLASSES)))
    assert not plain["names"].is_binomial
    assert {row["genus"] for row in plain["pairs"]} == {""}
    assert (plain["names"].singular, plain["names"].plural) == ("class", "classes")


# --- the data ----------------------------------------------------------------------------------


def test_data_are_counted() -> None:
    source = {"images": 5, "width": 32, "height": 24, "classes": 2}
    index = pd.DataFrame(
        {
            "image": range(5),
            "label": [0, 0, 0, 1, 1],
            "class_name": ["a", "a", "a", "b", "b"],
            "group": [0, 0, 2, 3, 3],
            "split": "",
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
    facts = data_facts(source, index, rejected, subsets)
    assert facts["Images"] == "5 images of 2 classes; 32 x 24 pixels"
    assert facts["Images per class"] == "2 to 3"
    assert "Training sets" not in facts
    assert facts["Files that could not be used"] == "3"
    assert facts["Images that belong together"].startswith("4 in 2 groups")
    assert rejection_reasons(rejected) == [
        ("truncated (3 bytes) (in the example; other files have other numbers)", 2, "a"),
        ("80 x 90 pixels are too many", 1, "b"),
    ]
    assert subset_sizes(index, subsets) == [("train", "balanced", 2, 2), ("test", "balanced", 1, 1)]
    same = rejected.assign(reason="the 3 images of its species are 2 groups")
    assert rejection_reasons(same) == [("the 3 images of its species are 2 groups", 3, "a")]
    alone = data_facts(source, index.drop(columns="group"), rejected.iloc[:0], subsets)
    assert "Images that belong together" not in alone
    assert rejection_reasons(rejected.iloc[:0]) == []
    strangers = index.assign(label=[0, 0, -1, -1, -1], class_name=list("aabcc"))
    facts = data_facts(source, strangers, rejected, subsets)
    told = "2 images of 1 class, and 3 images of 2 classes held out as unknown"
    assert images_of_classes(strangers) == told
    assert facts["Images"] == f"{told}; 32 x 24 pixels"
    assert facts["Images per class"] == "1 to 2"
    assert unknown_class_names(strangers) == ["b", "c"]
    again = subsets.replace({"name": {"balanced": "natural"}})
    doubled = data_facts(source, index, rejected, pd.concat([subsets, again]))
    assert doubled["Training sets"] == "balanced and natural have the same images"


def test_the_word_for_classes_is_that_of_the_known_ones() -> None:
    index = pd.DataFrame(
        {"label": [0, 1, -1, -1], "class_name": ["noctua_a", "noctua_b", "x1", "x2"]}
    )
    told = "2 images of 2 species, and 2 images of 2 species held out as unknown"
    assert images_of_classes(index) == told
