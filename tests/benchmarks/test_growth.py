from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.growth import SIZES, STAGES
from benchmarks.synthetic import subsets_of
from tests.sketches import sketched


def test_every_stage_has_sizes() -> None:
    assert SIZES.keys() == STAGES.keys()


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_runs(stage: str, tmp_path: Path) -> None:
    count = SIZES[stage][0][1] if stage == "page" else 2 if stage == "species" else 100
    with sketched():
        STAGES[stage](10, count, tmp_path)()


def test_the_first_test_set_has_all_images_and_the_others_half_of_them() -> None:
    sizes = subsets_of(100)["name"].value_counts()
    assert sizes.tolist() == [100, *[50] * 11]
