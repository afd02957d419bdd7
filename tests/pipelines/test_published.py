"""Results beside published ones: comparison, figure and audit, and their place in the report."""

from __future__ import annotations

import re
import shutil
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from kedro.io import MemoryDataset
from kedro.runner import SequentialRunner

from longtail.catalog import LongtailCatalog
from longtail.published.results import shipped
from longtail.reporting.tables.latex import escaped
from longtail.schemas import published
from tests.pipelines.runs import EPOCHS, LONG_TRIAL
from tests.pipelines.support import (
    BACKBONES,
    PROJECT,
    SMALL,
    TEST_SETS,
    Run,
    dotted,
    loader,
    pipelines,
    report_stage,
    run,
)

LONGER = f"train.{LONG_TRIAL}.trial.recipe.epochs={EPOCHS}"
PUBLISHED = "datasets.digits.published=toy"
TABLES = {"balanced": "T.1", "long_tailed": "T.2"}


def toy(results: pd.DataFrame) -> pd.DataFrame:
    """A published table made of our own results.

    Softmax is as ours; LDAM is a quarter of the images better, or worse where that cannot be,
    but on the balanced training set not reported; balanced softmax is not in the table. There is
    a second table with another imbalance factor, of which nothing is ours.
    """
    rows = []
    for row in results[results["test_set"].isin(TEST_SETS)].to_dict("records"):
        if row["method"] == "balanced_softmax":
            continue
        for metric in ("loss", "acc1", "f1"):
            value = row[metric]
            if row["method"] == "ldam" and metric != "loss":
                value += 0.25 if value < 0.75 else -0.25
            if row["method"] == "ldam" and row["train_set"] == "balanced":
                value = np.nan
            cell = {name: row[name] for name in ("backbone", "train_set", "method", "test_set")}
            cell |= {"metric": metric, "images": row["images"], "value": round(value, 4)}
            empty = {"low": np.nan, "high": np.nan, "note": ""}
            mine = {"table": TABLES[row["train_set"]], "imbalance_factor": 20}
            other = {"table": "Other", "imbalance_factor": 50}
            rows += [{**cell, **empty, **mine}, {**cell, **empty, **other}]
    return pd.DataFrame(rows, columns=list(published.PUBLISHED.columns))


@dataclass(frozen=True)
class Report:
    """The files that the report stage has made."""

    catalog: LongtailCatalog

    def load(self, name: str) -> Any:
        return self.catalog.load(name)


@pytest.fixture(scope="module")
def report(full: Run, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The whole run's report with a published table in the catalog."""
    folder = tmp_path_factory.mktemp("published")
    table = folder / "toy.csv"
    toy(full.load("digits_results")).to_csv(table, index=False, float_format="%.4f")
    pipeline, given = report_stage(full, LONGER, PUBLISHED)
    entries = loader("test", data=str(folder))["catalog"]
    entries["published_toy"] = {
        "type": "longtail.datasets.table.UserTableDataset",
        "filepath": str(table),
    }
    catalog = LongtailCatalog.from_config(entries)
    assert isinstance(catalog, LongtailCatalog)
    for name, value in given.items():
        catalog[name] = MemoryDataset(value, copy_mode="assign")
    SequentialRunner().run(pipeline, catalog)
    return Report(catalog)


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return str(report.load("digits_report"))


@pytest.fixture(scope="module")
def appendix(report: Report) -> str:
    return str(report.load("digits_intervals_appendix"))


def test_comparison_holds_the_cells_that_are_in_both(report: Report, full: Run) -> None:
    comparison = report.load("digits_published_comparison")
    assert len(comparison) == len(BACKBONES) * 2 * 2 * len(TEST_SETS) * 3
    assert set(comparison["method"]) == {"softmax", "ldam"}
    assert set(comparison["table"]) == {"T.1", "T.2"}
    results = full.load("digits_results")
    cells = results.set_index(["backbone", "train_set", "method", "test_set"])
    for row in comparison.to_dict("records"):
        own = cells.loc[(row["backbone"], row["train_set"], row["method"], row["test_set"])]
        assert row["ours"] == pytest.approx(own[row["metric"]])
        assert row["images"] == own["images"]
    parts = [report.load(f"report.digits.{b}.published_comparison") for b in BACKBONES]
    pd.testing.assert_frame_equal(comparison, pd.concat(parts, ignore_index=True))


def test_equal_figures_lie_in_our_intervals_and_others_do_not(report: Report) -> None:
    comparison = report.load("digits_published_comparison")
    acc1 = comparison[(comparison["metric"] == "acc1") & (comparison["test_set"] == "balanced")]
    softmax = acc1[acc1["method"] == "softmax"]
    assert softmax["difference"].to_numpy() == pytest.approx(0, abs=5e-5)
    assert softmax["inside"].tolist() == [True] * 4
    ldam = acc1[(acc1["method"] == "ldam") & (acc1["train_set"] == "long_tailed")]
    assert ldam["difference"].abs().to_numpy() == pytest.approx(0.25, abs=5e-5)
    assert ldam["inside"].tolist() == [False] * 2
    missing = acc1[(acc1["method"] == "ldam") & (acc1["train_set"] == "balanced")]
    assert missing["published"].isna().tolist() == [True] * 2


def test_a_table_of_another_data_set_is_reported_and_not_audited(
    small: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(small.data, tmp_path, dirs_exist_ok=True)
    ended = run(tmp_path, dotted(*SMALL, "datasets.digits.published=thesis"), stages=["report"])
    assert ended.error is None
    note = (
        "The published table 'thesis' is not compared: none of its 56 rows has a backbone, "
        "training set, method and imbalance factor of this report. Its audit is left out. Not in "
        "this report: backbones mobilenetv2, resnet50v2, vit_b16, and 1 more; "
        "training set balanced; methods focal, weighted_softmax, class_balanced, and 2 more; "
        "imbalance factor 100."
    )
    assert f"datasets.digits.published: {note}" in caplog.text
    assert note.replace("'", "&#39;") in ended.load("digits_report")
    assert '<h2 id="audit">' not in ended.load("digits_report")
    assert ended.load("digits_published_audit").empty
    appendix = ended.load("digits_intervals_appendix")
    assert escaped(note) in appendix
    assert "Audit of the published tables" not in appendix


def test_rows_that_are_not_in_the_grid_are_counted(page: str, appendix: str) -> None:
    """Two backbones, two training sets and two methods; and as many of another factor."""
    note = (
        "Only 8 of the 16 rows of the published table 'toy' are compared. Not in this report: "
        "imbalance factor 50."
    )
    assert note in appendix
    assert note.replace("'", "&#39;") in page


def rows_of(page: str, number: str) -> list[list[str]]:
    """The cells of a page's table."""
    table = page[page.index(f"<b>Table {number}.</b>") :]
    table = table[table.index("<tbody>") : table.index("</table>")]
    rows = re.findall(r"<tr.*?>(.*?)</tr>", table, flags=re.DOTALL)
    return [cells for row in rows if (cells := re.findall(r"<td[^>]*>(.*?)</td>", row))]


def test_the_page_has_ours_above_the_published(page: str, full: Run) -> None:
    results = full.load("digits_results").set_index(["backbone", "train_set", "method", "test_set"])
    place = BACKBONES[0], "long_tailed"
    softmax, softmax_published, ldam, ldam_published = rows_of(page, "C.2")
    values = [results.at[(*place, "softmax", test_set), "acc1"] for test_set in TEST_SETS]
    assert softmax[:2] == ["Softmax", "ours"]
    assert [cell.split(" ±")[0] for cell in softmax[2:]] == [f"{value:.4f}" for value in values]
    assert softmax_published == ["", "published", *(f"{value:.4f} (+0.0)" for value in values)]
    balanced = results.at[(*place, "ldam", "balanced"), "acc1"]
    sign = -1 if balanced < 0.75 else 1  # of ours minus published
    assert ldam[:2] == ["LDAM", "ours"]
    assert ldam_published[2] == f"{balanced - sign * 0.25:.4f} ({sign * 25:+.1f})*"
    assert [row[:2] for row in rows_of(page, "C.1")[2:]] == [["LDAM", "ours"], ["", "published"]]
    assert rows_of(page, "C.1")[3][2:] == ["--"] * 5


def test_each_backbone_has_its_tables_and_its_figure(page: str, report: Report) -> None:
    numbers = re.findall(r"<b>Table (C\.\d)\.</b> (Acc1 of .*? trained on)", page)
    assert numbers == [
        ("C.1", "Acc1 of MobileNetV2 (micro) trained on"),
        ("C.2", "Acc1 of MobileNetV2 (micro) trained on"),
        ("C.3", "Acc1 of ConvNeXt (micro) trained on"),
        ("C.4", "Acc1 of ConvNeXt (micro) trained on"),
    ]
    sections = [page.index(f'<h2 id="section-{n}">') for n in (1, 2)] + [len(page)]
    for position, backbone in enumerate(BACKBONES):
        figure = report.load(f"report.digits.{backbone}.published_figure")
        assert figure.startswith(b"\x89PNG\r\n\x1a\n")
        source = b64encode(figure).decode()
        assert page.count(source) == 1
        assert sections[position] < page.index(source) < sections[position + 1]
    assert page.count("Ours ± to the farther end of its 95% interval") == len(BACKBONES)


def test_the_audit_is_kept_and_shown(page: str, appendix: str, report: Report) -> None:
    audit = report.load("digits_published_audit")
    assert not audit.isna().any(axis=None)  # a finding about several rows names none
    missing = audit[(audit["check"] == "missing_cells") & (audit["table"] == "T.1")]
    assert list(missing["backbone"]) == list(BACKBONES)
    assert set(missing["method"]) == {"ldam"}
    assert set(missing["holds"]) == {False}
    assert (audit["train_set"] == "").any()
    assert '<a href="#audit">' in page
    shown = page[page.index('<h2 id="audit">') :]
    shown = shown[: shown.index("</table>")]
    assert shown.count("<tr>") == 1 + len(audit)
    assert f"<td>Table T.1, {BACKBONES[0]}, trained balanced, ldam</td>" in shown
    assert r"\subsection{Audit of the published tables}" in appendix
    assert appendix.count(r"\item ") == len(audit)


def test_the_appendix_with_intervals_has_the_tables_and_the_other_none(
    appendix: str, report: Report, full: Run
) -> None:
    assert r"\subsection{Comparison with the published results}" in appendix
    numbers = re.findall(r"\\renewcommand{\\thetable}{(C\.\d)}", appendix)
    assert numbers == ["C.1", "C.2", "C.3", "C.4"]
    before = str(full.load("digits_intervals_appendix")).removesuffix("\\end{document}\n")
    assert appendix.startswith(before)
    assert report.load("digits_appendix") == full.load("digits_appendix")


SHIPPED = [
    ("thesis", "thesis"),
    ("benchmark", "cifar100_lt"),
    ("record", "cifar100_lt_record"),
]


@pytest.mark.parametrize(("env", "name"), SHIPPED)
def test_shipped_tables_are_in_the_catalog_of_the_grids_that_have_them(
    env: str,
    name: Literal["thesis", "cifar100_lt", "cifar100_lt_record"],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(PROJECT)
    parameters, _ = loader(env).parameters()
    assert parameters.datasets["cifar100"].published == name
    stage = pipelines(env)["report"]
    assert f"published_{name}" in stage.inputs()
    assert {"cifar100_published_comparison", "cifar100_published_audit"} <= stage.all_outputs()
    catalog = LongtailCatalog.from_config(loader(env)["catalog"])
    table = catalog.load(f"published_{name}").fillna({"note": ""})
    table = table.reset_index(drop=True)  # which was the lines of the file
    pd.testing.assert_frame_equal(table, shipped(name), check_dtype=False)


def test_without_published_results_the_stage_makes_nothing_of_them() -> None:
    stage = pipelines("test")["report"]
    assert not [name for name in stage.datasets() if "published" in name]
    beside = pipelines("test", **dotted(PUBLISHED))["report"]
    parts = ("comparison", "figure", "pdf", "svg", "tables", "html")
    assert {name for name in beside.datasets() if "published" in name} == {
        *("published_toy", "digits_published_comparison", "digits_published_audit"),
        *("report.digits.published_note", "report.digits.published_latex"),
        *(f"report.digits.{b}.published_{part}" for b in BACKBONES for part in parts),
    }
