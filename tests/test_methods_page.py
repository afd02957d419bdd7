"""The table of all methods: complete, and as it is written from its sources."""

from __future__ import annotations

import re

import numpy as np
import pytest

from docs.site import methods as site
from longtail.evaluation.paired_tests import holm
from longtail.published.results import two_proportions
from tests.pipelines.support import loader

METHODS = loader("benchmark").parameters()[0].methods
TEST_IMAGES = 10_000


def rows() -> dict[str, list[str]]:
    """The cells of each row, by the name of its method."""
    table = site.PAGE.read_text(encoding="utf-8").partition("\n## ")[0]
    found = re.findall(r"^\| \[.+?\]\(\S+\), `(\w+)` \| (.*) \|$", table, re.MULTILINE)
    assert len(found) == len(dict(found))
    return {name: cells.split(" | ") for name, cells in found}


def test_the_page_is_as_its_sources() -> None:
    """Otherwise run ``python -m docs.site.methods``."""
    assert site.PAGE.read_text(encoding="utf-8") == site.page()


def test_each_method_has_one_row() -> None:
    assert list(rows()) == list(METHODS)


def test_each_measured_row_is_of_one_method() -> None:
    name_of = {method.label: name for name, method in METHODS.items()}
    assert len(name_of) == len(METHODS)
    measured = site.measured_accuracies()
    assert len(measured) == 26
    for label, accuracy in measured:
        assert accuracy in rows()[name_of[site.row_label(label, name_of)]][1]


def test_rows_have_what_is_measured_published_and_changed() -> None:
    of_two_seeds = "0.4271 [0.417, 0.437]; 0.4325 [0.423, 0.442]"
    assert rows()["softmax_adjusted"][1:3] == [of_two_seeds, "0.441"]
    of_two_seeds = "0.4215 [0.412, 0.431]; 0.4200 [0.410, 0.430]"
    assert rows()["softmax_tau_normalized"][1] == of_two_seeds
    assert rows()["mislas"][1] == "0.4728 [0.463, 0.483]"
    assert rows()["softmax"][1].count(";") == 2  # trained three times
    assert rows()["two_stage_experts"][2] == "0.5634"
    assert "deferred_weights: {beta: 0.9999, start: 0.8}" in rows()["mixup_drw"][7]
    assert "mixing: {kind: mixup, alpha: 1}" in rows()["mixup_drw"][7]
    assert "sampling: {kind: progressive}" in rows()["progressive_sampling"][7]
    assert rows()["cdt"][0] == "Class-sensitive learning"


def test_differences_from_published_accuracies_are_those_in_the_measured_results() -> None:
    """That section is of all methods that are measured and published with a like recipe."""
    compared = {
        name: (float(cells[1].partition(" ")[0]), float(cells[2].partition(" ")[0]))
        for name, cells in rows().items()
        if cells[1] and cells[2] and name != "two_stage_experts"
    }
    ours, published = np.array(list(compared.values())).T
    difference = ours - published
    written = (site.PAGE.parent / "results.md").read_text(encoding="utf-8")
    common = f"{100 * difference.mean():.2f}"
    above, below = (difference > 0).sum(), (difference < 0).sum()
    assert f"\n{len(compared)} methods have an accuracy measured here and a published" in written
    assert f"are {common} points higher on average: {above} are above and {below} below" in written

    table = written.partition(f"| without {common} |")[2].partition("\n\n")[0]
    lines = re.findall(r"^\| ([A-Za-z].+?)" + r" \| (\S+)" * 6 + r" \|$", table, re.MULTILINE)
    largest = np.argsort(-abs(difference))[:5]
    assert [line[0] for line in lines] == [METHODS[list(compared)[at]].label for at in largest]
    for shift, first in ((0.0, 1), (difference.mean(), 4)):
        p = two_proportions(ours, TEST_IMAGES, published + shift, TEST_IMAGES)
        corrected = holm(p)
        for at, line in zip(largest, lines, strict=True):
            shown = [float(value) for value in line[first : first + 3]]
            assert shown[0] == round(100 * (difference[at] - shift), 2)
            assert shown[1:] == pytest.approx([p[at], corrected[at]], abs=0.006)


def test_each_method_but_the_baseline_has_a_paper() -> None:
    assert [name for name, method in METHODS.items() if method.paper is None] == ["softmax"]
    papers = [method.paper for method in METHODS.values() if method.paper is not None]
    form = r".+ (19|20)\d\d, (arXiv \d{4}\.\d{5}|doi:\S+|Interspeech|github\.com/\S+)"
    parts = [part for paper in papers for part in paper.split("; ")]
    assert [part for part in parts if not re.fullmatch(form, part)] == []


def test_each_method_is_explained_in_one_section() -> None:
    page = site.EXPLAINED.read_text(encoding="utf-8")
    listed = [m for _, methods in site.SECTION.findall(page) for m in methods.split(", ")]
    assert sorted(listed) == sorted(f"`{name}`" for name in METHODS)
