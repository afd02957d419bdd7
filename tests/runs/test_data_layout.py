"""The layout finds the catalog's entry of a path, and the path of a dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from longtail.pipelines.train.pipeline import COMPARISONS_TABLE, GATHERED, NOVELTY_TABLE
from longtail.runs.data_layout import Layout
from tests.pipelines.support import PROJECT, loader

TRIAL = "digits/long_tailed/vit_micro/ldam/seed0"


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    config = loader("test", data=str(tmp_path_factory.mktemp("somewhere") / "da.ta"))
    return Layout(PROJECT, config.data_folder(), config["catalog"])


def test_the_data_folder_is_that_of_the_parameters_or_the_environment(tmp_path: Path) -> None:
    assert loader("test", data=str(tmp_path)).data_folder() == tmp_path
    assert loader("test").data_folder() == Path("data/test")
    layout = Layout(PROJECT, Path("data/test"), loader("test")["catalog"])
    assert layout.data == PROJECT / "data/test"
    assert layout.path_of("digits_results") == "07_model_output/digits/results.csv"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("digits_images", "01_raw/digits/images.npy"),
        (f"train.{TRIAL.replace('/', '.')}.card", f"06_models/{TRIAL}/card.json"),
        ("report.digits.vit_micro.tables", "08_reporting/digits/tables/vit_micro.json"),
        ("trial_store", "06_models/store"),
        ("published_thesis", None),  # comes with the package
        ("params:grid", None),
        ("no_such_thing", None),
    ],
)
def test_a_dataset_has_its_path(layout: Layout, name: str, path: str | None) -> None:
    assert layout.path_of(name) == path


@pytest.mark.parametrize("table", [*GATHERED, COMPARISONS_TABLE, NOVELTY_TABLE])
def test_gathered_tables_lie_in_the_folders_of_what_they_are_of(layout: Layout, table: str) -> None:
    for folder in ("digits/balanced", "digits/balanced/vit_micro"):
        path = layout.path_of(f"train.{folder.replace('/', '.')}.{table}")
        assert path is not None
        assert path.rpartition("/")[0] == f"07_model_output/{folder}"


def test_every_path_of_a_run_has_an_entry_and_nothing_else_has(layout: Layout) -> None:
    assert layout.entry_of("01_raw/digits/images.npy") == "01_raw/{dataset}/images.npy"
    assert layout.entry_of(f"06_models/{TRIAL}/card.json") == (
        "06_models/{dataset}/{train_set}/{backbone}/{method}/{seed}/card.json"
    )
    for other in (
        *("test/01_raw/digits/images.npy", "01_raw/digits/imagesxnpy", "01_raw/images.npy"),
        *("06_models/store", "01_raw/downloads", "01_raw/digits/images.npy/x", "x.csv"),
    ):
        assert layout.entry_of(other) is None


@pytest.mark.parametrize(
    ("link", "hides"),
    [
        ("06_models", True),
        ("06_models/digits/balanced", True),
        ("07_model_output", True),
        ("08_reporting/digits/figures", True),  # for all that is known
        ("01_raw", False),
        ("01_raw/downloads", False),
        ("elsewhere", False),
    ],
)
def test_links_that_may_hide_cards_are_known(layout: Layout, link: str, hides: bool) -> None:
    assert layout.may_hide_cards(link) is hides
