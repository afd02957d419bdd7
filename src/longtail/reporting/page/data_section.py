"""The page's section on the data: numbers of images, rejected files, and the split."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from longtail.imbalance.confirmed import confirmed_left_out, confirmed_note
from longtail.imbalance.duplicates import WITHOUT_DUPLICATES, equal_images_note
from longtail.imbalance.group_sizes import equal_groups_note, groups_differ, has_groups
from longtail.imbalance.subsets import images_of, widest_test_set
from longtail.nomenclature.display_names import ClassNaming, images_of_classes, known_class_naming
from longtail.parameters import Contents
from longtail.reporting.page.templates import fragment
from longtail.reporting.tables.layouts import GROUP_TEST_SETS, TRAIN_SET_LABELS, by_group
from longtail.wording import count_range, counted, listed

NUMBER = re.compile(r"\d[\d,.]*")
NUMBERS_DIFFER = " (in the example; other files have other numbers)"


def write_data_section(
    source: Mapping[str, Any],
    index: pd.DataFrame,
    rejected: pd.DataFrame,
    subsets: pd.DataFrame,
    profile: pd.DataFrame,
    class_profile_figure: bytes,
    contents: Contents,
) -> str:
    """Write the section as HTML.

    Args:
        source: summary of the source.
        index: one row per image; images with the same ``group``, if that column exists, belong
            together.
        rejected: one row per file that could not be used, with the reason.
        subsets: one row per image and subset.
        profile: class profile of the data set.
        class_profile_figure: figure of the class sizes, as PNG.
        contents: what the report has.
    """
    names, grouped_by = ClassNaming.infer(profile["class_name"]), contents.grouped_by
    hidden = frozenset[str]() if has_groups(profile) else GROUP_TEST_SETS
    return fragment(
        "data_section.html.j2",
        facts=data_facts(source, index, rejected, subsets).items(),
        rejected=rejection_reasons(rejected),
        splits=[split for split in subset_sizes(index, subsets) if split[1] not in hidden],
        names=names,
        groups=by_group(profile),
        profile_figure=class_profile_figure,
        has_tail=groups_differ(profile, [grouped_by]),
        alike=equal_groups_note(profile, grouped_by, names.singular, names.plural),
        tail_train=f"train_{grouped_by}",
        tail_test=f"test_{grouped_by}",
        tail_name=TRAIN_SET_LABELS[grouped_by],
    )


def data_facts(
    source: Mapping[str, Any], index: pd.DataFrame, rejected: pd.DataFrame, subsets: pd.DataFrame
) -> dict[str, str]:
    """Count the images, and describe which belong together; see :func:`write_data_section`."""
    names = known_class_naming(index)
    per_class = index["class_name"].value_counts()
    facts = {
        "Images": f"{images_of_classes(index)}; {source['width']} x {source['height']} pixels",
        f"Images per {names.singular}": count_range(per_class.min(), per_class.max()),
        "Files that could not be used": f"{len(rejected):,}",
    }
    if "group" in index:
        sizes = index["group"].value_counts()
        several = sizes[sizes > 1]
        facts["Images that belong together"] = (
            f"{several.sum():,} in {counted(len(several), 'group')} (equal or nearly equal "
            f"images, or series); a group is on one side of every split"
            if len(several)
            else "none found"
        )
    if confirmed := confirmed_note(index, confirmed_left_out(index, subsets)):
        facts["Confirmed photographs that train"] = confirmed
    if equal := equal_images_note(index):
        facts["Duplicates"] = f"{equal}{_left_out(subsets)}"
    if same := _same_images(subsets):
        facts["Training sets"] = f"{'; '.join(same)} have the same images"
    return facts


def subset_sizes(index: pd.DataFrame, subsets: pd.DataFrame) -> list[tuple[str, str, int, int]]:
    """Return the role and name of each subset, the number of its images and of its classes."""
    labels = index.set_index("image")["label"]
    of_subsets = subsets.assign(label=subsets["image"].map(labels)).groupby(
        ["role", "name"], sort=False
    )["label"]
    return [
        (str(role), str(name), len(of_subset), int(of_subset.nunique()))
        for (role, name), of_subset in of_subsets
    ]


def _left_out(subsets: pd.DataFrame) -> str:
    every, kept = (
        len(images_of(subsets, "test", name))
        for name in (widest_test_set(subsets), WITHOUT_DUPLICATES)
    )
    if not kept:
        return "; none of them is a test image that a figure counts twice or has seen"
    return (
        f"; the test set 'without_duplicates' has {kept:,} of {every:,} test images: those that no "
        f"training, validation or earlier test image and no image of another label equals"
    )


def _same_images(subsets: pd.DataFrame) -> list[str]:
    """Name the training sets with equal images."""
    equal: dict[tuple[int, ...], list[str]] = {}
    trained = subsets[subsets["role"] == "train"]
    for name, label in TRAIN_SET_LABELS.items():
        if images := tuple(sorted(trained.loc[trained["name"] == name, "image"])):
            equal.setdefault(images, []).append(label)
    return [listed(names) for names in equal.values() if len(names) > 1]


def rejection_reasons(rejected: pd.DataFrame) -> list[tuple[str, int, str]]:
    """Return reasons by the number of files, each with that number and the first file.

    Reasons that differ only in a number count as one, which has the number of its first file.
    """
    by_reason: dict[str, list[tuple[str, str]]] = {}
    for file, reason in rejected[["file", "reason"]].itertuples(index=False, name=None):
        by_reason.setdefault(NUMBER.sub("n", reason), []).append((file, reason))
    ordered = sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        (
            f"{files[0][1]}{NUMBERS_DIFFER * (len({reason for _, reason in files}) > 1)}",
            len(files),
            files[0][0],
        )
        for _, files in ordered
    ]
