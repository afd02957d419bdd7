"""The page's first screen: which methods are best, and what the best model recognises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from longtail.class_names import ClassNaming
from longtail.evaluation.trainings import TRIAL_COLUMNS
from longtail.parameters import Contents, TrainSet
from longtail.reporting.page.templates import fragment
from longtail.reporting.page.unknown_section import THRESHOLD_SCORE
from longtail.reporting.tables.layouts import TRAIN_SET_LABELS
from longtail.reporting.tables.leaders import (
    TAIL,
    headline_tables,
    leader_headings,
    leader_synopsis,
    leader_texts,
)
from longtail.wording import capitalized, percent

LISTED_SPECIES = 5  # species that are named of those that are never recognised
SUMMARY_PAIRS = 5  # of the species that are confused


def show_summary_figures(
    overview_figure: bytes,
    tail_against_head_figure: bytes,
    leaders: pd.DataFrame,
    contents: Contents,
) -> str:
    """The figures of all backbones as HTML; the second one only where there is a tail.

    Args:
        overview_figure: of the best methods, as PNG.
        tail_against_head_figure: of the accuracies of tail and head, as PNG.
        leaders: see :func:`longtail.reporting.tables.leaders.leaders`.
        contents: the tables. The second figure is folded if their methods are of one family.
    """
    return fragment(
        "summary_figures.html.j2",
        overview=overview_figure,
        tail_against_head=tail_against_head_figure if TAIL in set(leaders["part"]) else b"",
        has_families=bool(contents.tables[0].families),
    )


def summary_section(
    leaders: pd.DataFrame,
    figures: str,
    best: pd.DataFrame,
    species: pd.DataFrame,
    pairs: pd.DataFrame,
    novelty: pd.DataFrame | None,
    contents: Contents,
    grouped_by: TrainSet,
) -> str:
    """The section as HTML.

    Args:
        leaders: see :func:`longtail.reporting.tables.leaders.leaders`.
        figures: of all backbones, as HTML, see :func:`show_summary_figures`.
        best: the trial of each training set to report in words, see
            :func:`longtail.evaluation.best_trials.best_trials`.
        species: see :func:`longtail.evaluation.species.species_table`.
        pairs: see :func:`longtail.evaluation.species.confused_pairs`.
        novelty: see :func:`longtail.evaluation.novelty.novelty`; None without unknown classes.
        contents: the tables, for labels.
        grouped_by: the training set whose class sizes define head, middle and tail.
    """
    names = ClassNaming.infer(species["species"].unique())
    judged = headline_tables(contents)
    return fragment(
        "summary_section.html.j2",
        names=names,
        has_methods=len(contents.tables[0].methods) > 1,
        synopsis=leader_synopsis(leaders, contents),
        trained=f"Trained {TRAIN_SET_LABELS[judged[0].train_set]}",
        headings=leader_headings(leaders, grouped_by).values(),
        backbones=[
            (
                table.backbone_label,
                [_begun(text, table.methods) for text in leader_texts(leaders, table).values()],
            )
            for table in judged
        ],
        seeds=len(contents.tables[0].seeds),
        figures=figures,
        found=_recognition(best, species, pairs, novelty, contents, names),
        shown_pairs=SUMMARY_PAIRS,
    )


def _begun(text: str, labels: Mapping[str, str]) -> str:
    """A text that begins a sentence; the label of a method stays as it is, such as cRT."""
    return text if text.startswith(tuple(labels.values())) else capitalized(text)


def _recognition(
    best: pd.DataFrame,
    species: pd.DataFrame,
    pairs: pd.DataFrame,
    novelty: pd.DataFrame | None,
    contents: Contents,
    names: ClassNaming,
) -> dict[str, Any] | None:
    """What the best model recognises; None if it has no result."""
    judged: TrainSet = headline_tables(contents)[0].train_set
    # It has every training image, while the other sets are smaller on purpose.
    if "natural" in set(best["train_set"]):
        judged = "natural"
    trial = best[best["train_set"] == judged].head(1)
    own = species.merge(trial[list(TRIAL_COLUMNS)])
    if own.empty:
        return None
    key = trial.iloc[0]
    labels = {table.backbone: table.backbone_label for table in contents.tables}
    method = contents.tables[0].methods[key["method"]]
    which = "best on the validation images" if pd.notna(key["validation"]) else "the first trial"
    trained = f"trained on the {TRAIN_SET_LABELS[judged]} set"
    hits = (own["recall"] * own["test_images"]).round()
    right, images = int(hits.sum()), int(own["test_images"].sum())
    never = own.loc[own["recall"] == 0, "species"]
    confusions = _confusions(pairs.merge(trial[list(TRIAL_COLUMNS)]), own, names)
    return {
        "model": f"{labels[key['backbone']]}, {method}, {trained} ({which})",
        "share": percent(right / images),
        "right": right,
        "images": images,
        "test_set": own["test_set"].iloc[0],
        "always": int((own["recall"] == 1).sum()),
        "never": _first_names(never, names),
        "pairs": confusions,
        "within_genus": sum(pair["is_one_genus"] for pair in confusions),
        "strangers": _strangers(novelty, trial),
    }


def _confusions(pairs: pd.DataFrame, own: pd.DataFrame, names: ClassNaming) -> list[dict[str, Any]]:
    """Species that are taken for each other, each pair once, in the order of the rows.

    Of each one there are its test images, and how many of these are named as the other one.
    """
    images = own.set_index("species")["test_images"]
    once: dict[frozenset[str], dict[str, Any]] = {}
    for row in pairs.to_dict("records"):
        true, predicted = row["true"], row["predicted"]
        confusion = {
            "first": names.html(true),
            "first_images": row["test_images"],
            "as_second": row["images"],
            "second": names.html(predicted),
            "second_images": int(images[predicted]),
            "as_first": row["both_ways"] - row["images"],
            "is_one_genus": names.is_binomial and names.genus(true) == names.genus(predicted),
        }
        once.setdefault(frozenset((true, predicted)), confusion)
    return list(once.values())


def _first_names(never: pd.Series[str], names: ClassNaming) -> list[Markup]:
    shown = [names.html(name) for name in never.head(LISTED_SPECIES)]
    others = len(never) - len(shown)
    return [*shown, Markup("{} more").format(others)] if others else shown


def _strangers(novelty: pd.DataFrame | None, trial: pd.DataFrame) -> str:
    if novelty is None:
        return ""
    rows = novelty[novelty["score"] == THRESHOLD_SCORE].merge(trial[list(TRIAL_COLUMNS)])
    return percent(rows["false_alarms"].iloc[0]) if len(rows) else ""
