"""What single nodes of the report stage do with little or too much."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from longtail.evaluation.summaries import summarise
from longtail.pipelines.report.nodes.documents import bundle_figures, bundle_latex, collect
from longtail.pipelines.report.nodes.figures import draw_figures
from longtail.pipelines.report.nodes.published import audit_published
from longtail.pipelines.report.nodes.verification import verify
from longtail.published.results import shipped
from longtail.reporting.figures import drawing
from longtail.reporting.page.backbone_figures import FIGURES
from tests.pipelines.support import pipelines
from tests.reporting.rows import make_contents, make_results, make_table

PROFILE = pd.DataFrame(
    {
        "label": [0, 1, 2],
        "class_name": ["a", "b", "c"],
        "rank": [0, 1, 2],
        "group": ["head", "middle", "tail"],
        "train_balanced": [9, 9, 9],
        "train_long_tailed": [9, 3, 1],
        "test_natural": [5, 5, 5],
    }
)
NAMES = {"dataset": "toy", "train_set": "balanced", "backbone": "mobilenetv2", "method": "softmax"}
LABEL = "costs $5 or $6"


@pytest.mark.parametrize(("our_images", "knows_classes"), [(5000, True), (1000, False)])
def test_the_number_of_our_classes_is_that_of_a_published_table_with_our_test_sets(
    our_images: int, knows_classes: bool
) -> None:
    thesis = shipped("thesis")
    compared = pd.DataFrame({"images": [5000], "our_images": [our_images]})
    found = audit_published(thesis, compared, {"classes": 100})
    assert ("unnormalised_logits" in set(found["check"])) == knows_classes
    assert found["finding"].str.contains("guessing: 0.01").any() == knows_classes


@pytest.fixture
def titles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is written above each figure, or instead of it."""
    seen: list[str] = []

    def keep(figure: Figure) -> drawing.Picture:
        seen.append(figure.get_suptitle() or figure.texts[0].get_text())
        return drawing.Picture(seen[-1].encode(), b"pdf", b"svg")

    monkeypatch.setattr(drawing, "picture", keep)
    return seen


def draw(results: pd.DataFrame, seeds: tuple[int, ...] = (0,)) -> tuple[bytes | str, ...]:
    """A backbone's figures, of trials with these seeds."""

    def of_seeds(*rows: Mapping[str, float]) -> pd.DataFrame:
        return pd.DataFrame([{**NAMES, "seed": seed, **row} for seed in seeds for row in rows])

    return draw_figures(
        summarise(results, 0.95),
        results,
        of_seeds(*({"true": label, "predicted": label, "images": 5} for label in range(3))),
        of_seeds({"epoch": 1, "validation_acc1": 0.5}),
        of_seeds({"bin": 3, "images": 15, "confidence": 0.25, "accuracy": 1.0}).assign(
            accuracy=lambda rows: (rows["seed"] == 1).astype(float)
        ),
        PROFILE,
        make_table("softmax", backbone_label=LABEL),
        make_contents(),
    )


def test_a_backbone_without_results_has_a_line_of_text_for_each_figure(titles: list[str]) -> None:
    nothing = make_results(("softmax", 0, 0.5)).iloc[:0]
    pictures = draw(nothing)
    assert len(pictures) == 3 * len(FIGURES) + 1  # as PNG, PDF and SVG, and all as HTML
    assert set(titles) == {r"costs \$5 or \$6: no trial has results"}


def test_dollar_signs_in_labels_are_no_formulas(titles: list[str]) -> None:
    assert len(draw(make_results(("softmax", 0, 0.5)))) == 3 * len(FIGURES) + 1
    assert len(titles) == len(FIGURES)
    assert all(title.startswith(r"costs \$5 or \$6") for title in titles)


def test_figures_show_verified_trials_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial that is not among the results, because the grid no longer has it, is left out."""
    seen: list[Figure] = []

    def keep(figure: Figure) -> drawing.Picture:
        seen.append(figure)
        return drawing.Picture(b"", b"", b"")

    monkeypatch.setattr(drawing, "picture", keep)
    draw(make_results(("softmax", 1, 0.5)), seeds=(0, 1, 2))
    points = seen[list(FIGURES).index("reliability_figure")].axes[0].collections[0]
    assert np.asarray(points.get_offsets()).tolist() == [[0.25, 1.0]]  # of seed 1 alone


@pytest.mark.parametrize("env", ["test", "thesis", "moths"])
def test_few_nodes_have_more_than_eight_inputs(env: str) -> None:
    """The verification is one node so that nothing is written unless everything is valid.

    The others put many tables and figures together, more of them for more backbones.
    """
    many = {node.func for node in pipelines(env)["report"].nodes if len(node.inputs) > 8}
    assert many | {bundle_figures} == {verify, collect, bundle_latex, bundle_figures}
