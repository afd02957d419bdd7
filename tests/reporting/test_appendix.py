from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from longtail.parameters import Table
from longtail.reporting.appendix import LOSS_NOTE, appendix
from longtail.reporting.tables import TEST_SETS, latex, printed

PROFILE = pd.DataFrame(
    {
        "group": ["head", "middle", "tail", "tail"],
        "train_balanced": [1000] * 4,
        "train_long_tailed": [1000, 300, 40, 20],
        "test_balanced": [50] * 4,
        "test_long_tailed": [50, 15, 2, 1],
    }
)


def tables(label: str = "ViT & 100% {x}") -> str:
    """Both tables of a backbone with a label that is hard to print."""
    table = Table(
        dataset="d",
        backbone="vit",
        backbone_label=label,
        train_set="balanced",
        methods={"softmax": r"Softmax~\^", "focal": "Focal #2", "ldam": "LDAM"},
        number=3,
    )
    results = pd.DataFrame(
        [
            {"backbone": "vit", "train_set": "balanced", "method": method, "seed": 0, "loss": 1.5,
             "test_set": test_set, "acc1": 0.5, "f1": 0.25, "fingerprint": "same"}
            for method in ("softmax", "focal")
            for test_set in TEST_SETS
        ]
    )  # fmt: skip
    both = (("acc1",), 3), (("loss", "acc1", "f1"), 4)
    return "\n".join(latex(printed(results, table, metrics, number)) for metrics, number in both)


def test_introduction_counts_the_images() -> None:
    text = appendix("Digits", PROFILE, [])
    assert (
        "Digits: 4 classes; training images: balanced 4,000, long-tailed 1,360 (1000 to 20 a "
        "class); test images: balanced 200, long-tailed 68, head 50, middle 15, tail 3." in text
    )
    assert LOSS_NOTE in text


def test_sections_hold_their_tables_in_order() -> None:
    text = appendix("D", PROFILE, [("First & 1", "TABLES ONE"), ("Second", "TABLES TWO")])
    order = [r"\appendix", r"\subsection{First \& 1}", "TABLES ONE", r"\subsection{Second}",
             "TABLES TWO", r"\end{document}"]  # fmt: skip
    positions = [text.index(part) for part in order]
    assert positions == sorted(positions)


def compiled(text: str, folder: Path) -> str:
    """The text of the first pages of the PDF, or of pdflatex's log where it cannot be read."""
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    (folder / "appendix.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "appendix.tex"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-2000:]
    assert (folder / "appendix.pdf").read_bytes().startswith(b"%PDF")
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed; the document compiles")
    command = ["pdftotext", "-layout", "appendix.pdf", "-"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_document_compiles_and_numbers_its_tables_as_the_thesis(tmp_path: Path) -> None:
    text = appendix("Käfer {50%}", PROFILE, [("ViT & 100% {x}", tables())])
    shown = " ".join(compiled(text, tmp_path).split())
    assert "Table A.3: Evaluation results for ViT & 100% {x} trained on the balanced" in shown
    assert "Table A.4: Evaluation results" in shown
    assert "Focal #2 0.5000 0.5000" in shown
    assert re.search(r"Softmax\S\\\S and Focal #2 are one training", shown)


def test_all_characters_of_a_label_are_printed(tmp_path: Path) -> None:
    label = "a < b > c | d"
    shown = compiled(appendix(label, PROFILE, [(label, tables("ViT"))]), tmp_path)
    assert f"{label}: 4 classes" in " ".join(shown.split())
