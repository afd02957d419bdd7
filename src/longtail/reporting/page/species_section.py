"""The page's section on single species: all species, the most confused pairs, photographs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from longtail.evaluation.best_trials import best_trials
from longtail.evaluation.trainings import TRIAL_COLUMNS
from longtail.nomenclature.display_names import ClassNaming
from longtail.parameters import Contents, Method, TrainSet, Trial, Trials
from longtail.parameters.trial_name import TrialName
from longtail.reporting.page.gallery import Gallery
from longtail.reporting.page.probability_note import probability_note
from longtail.reporting.page.species_rows import (
    gallery_answers,
    pair_row,
    rows_as_data,
    species_row,
)
from longtail.reporting.page.templates import fragment
from longtail.reporting.tables.layouts import TRAIN_SET_LABELS, by_group
from longtail.reporting.tables.number_format import format_fixed
from longtail.trials.post_hoc import evaluation_keys
from longtail.wording import count_range, counted, level_in_percent, listed

# The number of confused pairs on the page; more are in confused_pairs.csv.
SHOWN_PAIRS = 25
# The number of species on a page of their table. Rows of later pages are written as data.
PAGE_ROWS = 200
# Ranges of recall; species without a test image are in none of them.
LEVELS: dict[str, Callable[[pd.Series[float]], pd.Series[bool]]] = {
    "never": lambda recall: recall == 0,
    "less than half": lambda recall: (recall > 0) & (recall < 0.5),
    "half or more": lambda recall: (recall >= 0.5) & (recall < 1),
    "always": lambda recall: recall == 1,
}


def write_species_section(
    results: pd.DataFrame,
    species: pd.DataFrame,
    confused_pairs: pd.DataFrame,
    gallery: Gallery,
    contents: Contents,
    trials: Trials,
) -> str:
    """Write the section as HTML; see :func:`species_parts`."""
    return species_section(
        species_parts(results, species, confused_pairs, gallery, contents, trials.trials)
    )


def species_section(parts: Sequence[Mapping[str, Any]]) -> str:
    """Write the parts of :func:`species_parts` as HTML; empty if there are none."""
    return fragment(
        "species_section.html.j2",
        parts=parts,
        levels=LEVELS,
        page_rows=PAGE_ROWS,
        rows_as_data=rows_as_data,
    )


def species_parts(
    results: pd.DataFrame,
    species: pd.DataFrame,
    pairs: pd.DataFrame,
    pictures: Gallery,
    contents: Contents,
    trials: Sequence[Trial],
) -> list[dict[str, Any]]:
    """Describe the trial of each training set that is best on the validation images.

    Training sets with the same images have one part.

    Args:
        results: the tidy results.
        species: table of :func:`longtail.evaluation.species.species_table`.
        pairs: table of :func:`longtail.evaluation.species.confused_pairs`.
        pictures: photographs of :func:`longtail.reporting.page.gallery.select_gallery`.
        contents: tables of the report, with the labels of backbones and methods.
        trials: trials of the grid.
    """
    names = ClassNaming.infer(species["species"].unique())
    backbones = {table.backbone: table.backbone_label for table in contents.tables}
    noted = results.assign(evaluation=evaluation_keys(results))
    of_trial = noted.drop_duplicates(list(TRIAL_COLUMNS)).set_index(list(TRIAL_COLUMNS))
    best = best_trials(results).join(of_trial["evaluation"], on=list(TRIAL_COLUMNS))
    by_name = {trial.name: trial for trial in trials}
    parts = []
    for _, same in best.groupby("evaluation", sort=False):
        first = same.iloc[0].to_dict()
        key = {name: first[name] for name in TRIAL_COLUMNS}
        trial, which = by_name[str(TrialName(**key))], pd.DataFrame([key])
        rows, changed = species.merge(which), of_trial.loc[tuple(key.values())]
        parts.append(
            {
                "trained": _trained(list(same["train_set"])),
                "trial": _why(first, backbones[first["backbone"]], trial.method),
                "test": _test_note(rows),
                "test_set": rows["test_set"].iloc[0],
                "levels": _levels(rows, names.plural),
                "rows": [species_row(row, names) for row in rows.to_dict("records")],
                "pairs": [
                    pair_row(row, names)
                    for row in pairs.merge(which).head(SHOWN_PAIRS).to_dict("records")
                ],
                "galleries": gallery_answers(
                    next(e["answers"] for e in pictures if {n: e[n] for n in TRIAL_COLUMNS} == key),
                    names,
                ),
                "names": names,
                "probability": probability_note(
                    trial,
                    rows["train_images"].to_numpy(),
                    names.plural,
                    changed["post_hoc"],
                    changed.get("tau", 1),
                ),
            }
        )
    return parts


def _trained(train_sets: Sequence[TrainSet]) -> str:
    several = " (one training: the images are the same)" if len(train_sets) > 1 else ""
    return f"{listed([TRAIN_SET_LABELS[train_set] for train_set in train_sets])}{several}"


def _levels(rows: pd.DataFrame, many: str) -> list[tuple[str, int, list[int]]]:
    """Count the species of each group, and of all, and those with a recall in each range."""
    return [
        (name, len(part), [int(is_in(part["recall"]).sum()) for is_in in LEVELS.values()])
        for name, part in [*by_group(rows).items(), (f"all {many}", rows)]
    ]


def _why(trial: Mapping[Any, Any], backbone: str, method: Method) -> str:
    which = f"{backbone}, {method.row_label}, seed {trial['seed']}"
    if pd.isna(trial["validation"]):
        return (
            f"{which}: the first trial of the grid, since no image is held out for validation, and "
            f"a choice by test images would bias the results"
        )
    return (
        f"{which}: of all trials on this training set the one with the best balanced accuracy on "
        f"the validation images, {format_fixed(trial['validation'], 3)}"
    )


def _test_note(rows: pd.DataFrame) -> str:
    test_set, images = rows["test_set"].iloc[0], rows["test_images"]
    confidence = level_in_percent(float(rows["confidence"].iloc[0]))
    per_class = count_range(images.min(), images.max())
    which = f"the {test_set} test set ({counted(int(images.sum()), 'image')}, {per_class} each)"
    prior = (
        "Precision assumes that all are equally frequent, as in this test set; in the field it is "
        "lower for rare ones and higher for frequent ones."
        if images.nunique() == 1
        else "Precision assumes the proportions of this test set, and changes with "
        "other proportions."
    )
    return (
        f"Measured on {which}. Recall is the share of a row's test images that are recognised; "
        f"precision is the share of the answers with it (their number is in the column before) "
        f"that are correct. In brackets is the exact {confidence} interval, which is wide for few "
        f"images. How much to trust an answer depends on its precision, not on its recall; with "
        f"few answers, on the lower end of the interval. {prior}"
    )
