"""The page's first screen: the best methods, and the results of the best model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from longtail.evaluation.best_trials import best_trials
from longtail.evaluation.trainings import TRIAL_COLUMNS
from longtail.nomenclature.display_names import ClassNaming
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
from longtail.reporting.tables.table_notes import FEW_SEEDS
from longtail.wording import capitalized, percent

LISTED_SPECIES = 5  # named species among those that are never recognised
SUMMARY_PAIRS = 5  # named pairs of confused species


def show_summary_figures(
    overview_figure: bytes,
    tail_against_head_figure: bytes,
    leaders: pd.DataFrame,
    contents: Contents,
) -> str:
    """Write the figures of all backbones as HTML; the second one only if there is a tail.

    Args:
        overview_figure: figure of the best methods, as PNG.
        tail_against_head_figure: figure of the accuracies of tail and head, as PNG.
        leaders: table of :func:`longtail.reporting.tables.leaders.find_leaders`.
        contents: the tables. The second figure is folded if their methods are of one family.
    """
    return fragment(
        "summary_figures.html.j2",
        overview=overview_figure,
        tail_against_head=tail_against_head_figure if TAIL in set(leaders["part"]) else b"",
        has_families=bool(contents.tables[0].families),
    )


def write_summary_section(
    leaders: pd.DataFrame,
    summary_figures: str,
    results: pd.DataFrame,
    species: pd.DataFrame,
    confused_pairs: pd.DataFrame,
    contents: Contents,
    novelty: pd.DataFrame | None = None,
) -> str:
    """Write the section as HTML.

    Args:
        leaders: table of :func:`longtail.reporting.tables.leaders.find_leaders`.
        summary_figures: figures of all backbones, as HTML, see :func:`show_summary_figures`.
        results: the tidy results. The best trial of a training set is reported in words.
        species: table of :func:`longtail.evaluation.species.species_table`.
        confused_pairs: table of :func:`longtail.evaluation.species.confused_pairs`.
        contents: tables, with their labels.
        novelty: table of :func:`longtail.evaluation.novelty.novelty`; None without unknown classes.
    """
    names = ClassNaming.infer(species["species"].unique())
    judged = headline_tables(contents)
    return fragment(
        "summary_section.html.j2",
        names=names,
        has_methods=len(contents.tables[0].methods) > 1,
        synopsis=leader_synopsis(leaders, contents),
        trained=f"Trained {TRAIN_SET_LABELS[judged[0].train_set]}",
        headings=leader_headings(leaders, contents.grouped_by).values(),
        backbones=[
            (
                table.backbone_label,
                [_begun(text, table.methods) for text in leader_texts(leaders, table).values()],
            )
            for table in judged
        ],
        few_seeds=FEW_SEEDS.get(len(contents.tables[0].seeds), ""),
        figures=summary_figures,
        found=_recognition(best_trials(results), species, confused_pairs, novelty, contents, names),
        shown_pairs=SUMMARY_PAIRS,
    )


def _begun(text: str, labels: Mapping[str, str]) -> str:
    """Capitalize the start of a sentence, but not the label of a method such as cRT."""
    return text if text.startswith(tuple(labels.values())) else capitalized(text)


def _recognition(
    best: pd.DataFrame,
    species: pd.DataFrame,
    pairs: pd.DataFrame,
    novelty: pd.DataFrame | None,
    contents: Contents,
    names: ClassNaming,
) -> dict[str, Any] | None:
    """Describe what the best model recognises; None if it has no result."""
    judged: TrainSet = headline_tables(contents)[0].train_set
    # It has every training image, while the other sets are smaller on purpose.
    if "natural" in set(best["train_set"]):
        judged = "natural"
    trial = best[best["train_set"] == judged].head(1)
    of_trial = species.merge(trial[list(TRIAL_COLUMNS)])
    if of_trial.empty:
        return None
    key = trial.iloc[0]
    labels = {table.backbone: table.backbone_label for table in contents.tables}
    method = contents.tables[0].methods[key["method"]]
    which = "best on the validation images" if pd.notna(key["validation"]) else "the first trial"
    trained = f"trained on the {TRAIN_SET_LABELS[judged]} set"
    hits = (of_trial["recall"] * of_trial["test_images"]).round()
    right, images = int(hits.sum()), int(of_trial["test_images"].sum())
    never = of_trial.loc[of_trial["recall"] == 0, "species"]
    confusions = _confusions(pairs.merge(trial[list(TRIAL_COLUMNS)]), of_trial, names)
    return {
        "model": f"{labels[key['backbone']]}, {method}, {trained} ({which})",
        "share": percent(right / images),
        "right": right,
        "images": images,
        "test_set": of_trial["test_set"].iloc[0],
        "always": int((of_trial["recall"] == 1).sum()),
        "never": _first_names(never, names),
        "pairs": confusions,
        "within_genus": sum(pair["is_one_genus"] for pair in confusions),
        "strangers": _strangers(novelty, trial),
    }


def _confusions(
    pairs: pd.DataFrame, species: pd.DataFrame, names: ClassNaming
) -> list[dict[str, Any]]:
    """Return species that are taken for each other, each pair once, in the order of the rows.

    Each species has the number of its test images, and of those that are named as the other one.
    """
    images = species.set_index("species")["test_images"]
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
