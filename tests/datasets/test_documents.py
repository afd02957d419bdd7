from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DatasetError, Version

from longtail.datasets.documents import HtmlDataset, LatexDataset, PngDataset, ZipDataset

TEXT = "Käfer & Falter: \\textbf{1 < 2}\r\n\nend\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\xff not really"


@pytest.mark.parametrize("kind", [LatexDataset, HtmlDataset])
def test_text_comes_back_in_utf8(kind: Any, tmp_path: Path) -> None:
    dataset = kind(filepath=str(tmp_path / "out" / "text"))
    text = TEXT.replace("\r", "")
    dataset.save(text)
    assert dataset.load() == text
    assert (tmp_path / "out" / "text").read_bytes() == text.encode("utf-8")


def test_png_comes_back_byte_by_byte(tmp_path: Path) -> None:
    dataset = PngDataset(filepath=str(tmp_path / "figure.png"))
    dataset.save(PNG)
    assert dataset.load() == PNG
    assert (tmp_path / "figure.png").read_bytes() == PNG


@pytest.mark.parametrize(
    ("kind", "data"), [(LatexDataset, "text"), (HtmlDataset, "text"), (PngDataset, PNG)]
)
def test_versions_are_kept_apart(kind: Any, data: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    kind(filepath=path, version=Version(None, "2020")).save(data)
    kind(filepath=path, version=Version(None, "2021")).save(data * 2)
    assert kind(filepath=path, version=Version(None, None)).load() == data * 2
    assert kind(filepath=path, version=Version("2020", None)).load() == data


def test_failed_save_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = LatexDataset(filepath=str(tmp_path / "table.tex"))
    dataset.save("old")

    def half(path: Path, data: str, **_: Any) -> None:
        path.write_bytes(data.encode()[:1])
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", half)
        with pytest.raises(DatasetError, match="no space left"):
            dataset.save("new")
    assert dataset.load() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["table.tex"]


def test_latex_is_previewed_as_its_source(tmp_path: Path) -> None:
    dataset = LatexDataset(filepath=str(tmp_path / "table.tex"))
    dataset.save("a & b < c")
    assert dataset.preview() == "<pre>a &amp; b &lt; c</pre>"


def test_html_is_previewed_as_itself(tmp_path: Path) -> None:
    dataset = HtmlDataset(filepath=str(tmp_path / "report.html"))
    dataset.save("<h1>Report</h1>")
    assert dataset.preview() == "<h1>Report</h1>"


def test_png_is_previewed_as_base64(tmp_path: Path) -> None:
    dataset = PngDataset(filepath=str(tmp_path / "figure.png"))
    dataset.save(PNG)
    assert b64decode(str(dataset.preview())) == PNG


def test_an_archive_has_equal_bytes_for_equal_files(tmp_path: Path) -> None:
    files = {"tables/a.tex": "ä".encode(), "figures/b.pdf": b"%PDF-\x00"}
    first, second = (ZipDataset(filepath=str(tmp_path / name)) for name in ("a.zip", "b.zip"))
    for dataset in (first, second):
        dataset.save(files)
        assert dataset.load() == files
    assert first.load_path().read_bytes() == second.load_path().read_bytes()
