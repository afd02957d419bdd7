"""The page's section on the origin of the results: command, data, seeds, hardware, versions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from longtail.evaluation.trainings import distinct_trainings, is_external
from longtail.nomenclature.display_names import images_of_classes
from longtail.parameters import Contents, Dataset, Method, Statistics, family_label
from longtail.parameters.layers import TAGS
from longtail.reporting.page.templates import fragment
from longtail.wording import capitalized, counted, duration, listed

# The keys that describe a method and have columns of their own.
DESCRIPTIVE_KEYS = {"name", "label", "family", "paper"}
VERSIONS = ("python", "torch", "timm", "numpy", "longtail")


def write_provenance_section(
    trainings: pd.DataFrame,
    source: Mapping[str, Any],
    index: pd.DataFrame,
    dataset: Dataset,
    statistics: Statistics,
    command: str,
    contents: Contents,
) -> str:
    """Write the section as HTML; see :func:`provenance_details`."""
    backbones, settings = recipes(trainings)
    return fragment(
        "provenance_section.html.j2",
        details=provenance_details(trainings, source, index, dataset, statistics, command),
        methods=papers_and_parameters(contents.methods),
        backbones=backbones,
        recipes=settings,
    )


def provenance_details(
    trainings: pd.DataFrame,
    source: Mapping[str, Any],
    index: pd.DataFrame,
    dataset: Dataset,
    statistics: Statistics,
    command: str,
) -> list[tuple[str, str]]:
    """Collect what a reader needs to reproduce the results, as names and values.

    All of it was stored with the results, so that a report made again is the same.

    Args:
        trainings: table of :func:`longtail.evaluation.trainings.trainings_table`.
        source: summary of the data's source.
        index: one row per image.
        dataset: parameters of the data set.
        statistics: parameters of the intervals.
        command: command that makes the results.
    """
    trained = trainings[~is_external(trainings)]
    distinct = trained.drop_duplicates("fingerprint")
    seconds = distinct_trainings(trainings)
    rows = [
        ("Command", command),
        (
            "Data",
            f"{dataset.label}: {images_of_classes(index)}, SHA-256 of the pixels "
            f"{source['sha256']}",
        ),
        (
            "Seeds",
            f"split {dataset.imbalance.seed}; trainings "
            f"{listed([str(seed) for seed in sorted(trainings['seed'].unique())])}; resampled "
            f"test sets {statistics.seed}",
        ),
        (
            "Trainings",
            f"{counted(len(trained), 'trial')}, {counted(len(seconds), 'training')}, "
            f"{duration(seconds.sum())} in total",
        ),
        ("Hardware", "; ".join(_hardware(distinct))),
        ("Versions", "; ".join(f"{name} {_distinct(distinct[name])}" for name in VERSIONS)),
        (
            "Training engine",
            f"version {_distinct(distinct['engine'])}: the part of the code that determines "
            f"results. A correction that changes results raises it",
        ),
        ("Code", _code(distinct)),
    ]
    weights = trainings.dropna(subset="weights_sha256").drop_duplicates("backbone")
    rows += [
        (f"Pretrained weights of {row.backbone}", f"SHA-256 {row.weights_sha256}")
        for row in weights.itertuples()
    ]
    if files := _external_files(trainings):
        rows.append(("External predictions", listed(files)))
    return rows


def _external_files(trainings: pd.DataFrame) -> list[str]:
    """Name each method with external predictions, and the path of its files in the parameters."""
    parameters = map(json.loads, trainings.loc[is_external(trainings), "parameters"])
    methods = [of_trial["method"] for of_trial in parameters]
    return list(dict.fromkeys(f"{m['label']} from {m['external']['path']}" for m in methods))


def papers_and_parameters(methods: Sequence[Method]) -> list[tuple[str, str, str, str]]:
    """Return the label, family, parameters and paper of each method."""
    return [
        (
            method.row_label,
            "" if method.family is None else family_label(method.family),
            _plain(_changed(method)),
            method.paper or "",
        )
        for method in methods
    ]


def _changed(method: Method) -> dict[str, Any]:
    """Return the parameters of a method that are not the defaults of their keys."""
    changed = {
        key
        for key, field in type(method).model_fields.items()
        if getattr(method, key) != field.get_default(call_default_factory=True)
    }
    return method.model_dump(mode="json", include=changed - DESCRIPTIVE_KEYS, exclude_none=True)


def recipes(trainings: pd.DataFrame) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Return the backbones, and each setting of the recipe with its value for each backbone.

    If the trials of a backbone differ in a setting, all its values are given.
    """
    by_backbone: dict[str, dict[str, list[str]]] = {}
    trained = trainings[~is_external(trainings)].drop_duplicates("fingerprint")
    for row in trained.itertuples():
        settings = by_backbone.setdefault(str(row.backbone), {})
        for key, value in json.loads(str(row.parameters))["recipe"].items():
            values = settings.setdefault(key, [])
            if (text := _plain(value)) not in values:
                values.append(text)
    keys = dict.fromkeys(key for settings in by_backbone.values() for key in settings)
    return list(by_backbone), [
        (
            capitalized(key.replace("_", " ")),
            [" or ".join(settings.get(key, [])) for settings in by_backbone.values()],
        )
        for key in keys
    ]


def _plain(value: Any) -> str:
    """Write a parameter's value in words.

    Examples:
        >>> _plain(None), _plain(True), _plain({"kind": "step", "milestones": [160, 180]})
        ('none', 'yes', 'step (milestones 160 and 180)')
        >>> _plain({"loss": {"name": "softmax"}, "weights": {"beta": 0.9, "start": 0.8}})
        'loss softmax, weights (beta 0.9, start 0.8)'
    """
    if isinstance(value, Mapping):
        kind = [_plain(value[key]) for key in TAGS if key in value]
        inside = ", ".join(
            _setting(key, setting) for key, setting in value.items() if key not in TAGS
        )
        return f"{kind[0]} ({inside})" if kind and inside else "".join(kind) or inside
    if isinstance(value, list):
        return listed([_plain(item) for item in value])
    if isinstance(value, float):
        return f"{value:g}"
    words = {None: "none", True: "yes", False: "no"}
    return words[value] if value is None or isinstance(value, bool) else str(value)


def _setting(key: str, value: Any) -> str:
    text = _plain(value)
    has_many_parts = isinstance(value, Mapping) and not any(tag in value for tag in TAGS)
    return f"{key.replace('_', ' ')} " + (f"({text})" if has_many_parts else text)


def _hardware(trainings: pd.DataFrame) -> list[str]:
    places = trainings["device"].str.cat(trainings["processor"], sep=" on ", na_rep="unknown")
    return [
        f"{place}: {counted(int(count), 'training')}"
        for place, count in places.value_counts().items()
    ]


def _distinct(values: pd.Series[Any]) -> str:
    known = [str(value) for value in values.dropna().unique()]
    return " or ".join(known) or "unknown"


def _code(trainings: pd.DataFrame) -> str:
    commits = trainings.dropna(subset="commit").drop_duplicates(["commit", "uncommitted_changes"])
    texts = [
        f"commit {row.commit}" + (" with uncommitted changes" if row.uncommitted_changes else "")
        for row in commits.itertuples()
    ]
    return "; ".join(texts) or "no commit known"
