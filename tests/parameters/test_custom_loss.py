"""Losses outside the package: how they are found, and what is said where they cannot be used."""

from __future__ import annotations

import py_compile
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from longtail.errors import ConfigurationError
from longtail.parameters import CanonicalLoss, Classifier, CustomLoss, Loss, Method, Softmax
from longtail.parameters.messages import describe
from longtail.trials.canonical_loss import canonical
from tests.custom_losses import ENet, Given

HERE = "tests.custom_losses"
COUNTS = np.array([90, 9, 1])

DEFINITION = """
from longtail.parameters import CanonicalLoss, LossDefinition


class Halved(LossDefinition):
    share: float = 0.5

    def canonical(self, class_counts, scale):
        return CanonicalLoss(weights=class_counts**-self.share)
"""


def parsed(**values: Any) -> Loss:
    return Method.model_validate(
        {"name": "mine", "label": "Mine", "loss": {"name": "custom", **values}}
    ).loss


def message(**values: Any) -> str:
    with pytest.raises(ValidationError) as raised:
        parsed(**values)
    return describe(raised.value)


def form(**values: Any) -> CanonicalLoss:
    return canonical(parsed(**values), Classifier(), COUNTS)


def test_weights_are_those_of_the_formula_and_have_mean_1() -> None:
    raw = 1 / np.log(1.5 + COUNTS / 100)
    weights = form(type=f"{HERE}.ENet", parameters={"c": 1.5}).weights
    assert weights is not None
    np.testing.assert_allclose(weights, raw * 3 / raw.sum(), rtol=1e-12)


def test_on_equal_counts_it_is_cross_entropy() -> None:
    loss = canonical(parsed(type=f"{HERE}.ENet"), Classifier(), np.array([5, 5]))
    assert loss == canonical(Softmax(name="softmax"), Classifier(), np.array([5, 5]))


def test_its_definition_is_typed() -> None:
    loss = parsed(type=f"{HERE}.ENet", parameters={"c": 2.0})
    assert isinstance(loss, CustomLoss)
    assert loss.definition == ENet(c=2.0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"type": "no_such_file.ENet"}, "'no_such_file'). It must be a file in src/ or part"),
        ({"type": ".ENet"}, "cannot import '' (ValueError: Empty module name). It must be a file"),
        ({"type": f"{HERE}.ENets"}, "unknown loss 'ENets'. Did you mean 'ENet'?"),
        ({"type": f"{HERE}.NotALoss"}, "is not a class derived from longtail.parameters.LossDef"),
        ({"type": f"{HERE}.np"}, "is not a class derived from"),
        ({"type": f"{HERE}.Unfinished"}, "does not define the method canonical"),
        (
            {"type": "enet"},
            "'enet' has no dot, as an import path such as my_losses.ENet has, and no",
        ),
        ({"type": f"{HERE}.ENet", "parameters": {"c": 0.5}}, "c: Input should be greater than 1"),
        ({"type": f"{HERE}.ENet", "parameters": {"d": 2}}, "unknown key 'd'. Valid: c"),
        ({"type": f"{HERE}.ENet", "parameters": {"c": "2"}}, "valid number, found '2'"),
        ({"type": ""}, "type: String should have at least 1 character"),
    ],
)
def test_what_cannot_be_used_is_one_line(values: dict[str, Any], said: str) -> None:
    text = message(**values)
    assert said in text
    assert "\n" not in text
    assert text.startswith(("loss.type: ", "loss.parameters: "))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "TooShort",
            "must give offsets as a NumPy array of 3 numbers from -1e+06 to 1e+06, found the "
            "shape (2,)",
        ),
        (
            "Unbounded",
            "must give weights as a NumPy array of 3 numbers from 1e-12 to 1e+12, ",
        ),
        ("Raises", "cannot be computed (KeyError: 'counts'; custom_losses.py, line 42)"),
        ("Exits", "cannot be computed (SystemExit: 3; custom_losses.py, line 47)"),
        ("Random", "gives other values each time, and no result could be reproduced: give its"),
    ],
)
def test_a_wrong_form_is_refused(name: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        form(type=f"{HERE}.{name}")
    assert f"'{HERE}.{name}' {said}" in str(raised.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"weights": [1.0, 1.0, 1.0]}, "3 numbers from 1e-12 to 1e+12, found a list"),
        (
            {"offsets": np.ones(3) * 1j},
            "from -1e+06 to 1e+06, found elements of complex128",
        ),
        ({"temperatures": np.zeros(3)}, "3 numbers from 1e-06 to 1e+06, found 0 for class 0"),
        (
            {"smoothing": np.array([0.0, np.nan, 1.0])},
            "numbers from 0 to 1, found nan for class 1",
        ),
        ({"spared": np.array([0, 1, 1])}, "array of 3 bool, found elements of int64"),
        ({"spared": np.array([True])}, "array of 3 bool, found the shape (1,)"),
        ({"spared_probability": 1.5}, "spared_probability as a number from 0 to 1, found 1.5"),
        ({"focus": -1.0}, "focus as a number from 0 to 10"),
        ({"focus": float("nan")}, "focus as a number from 0 to 10"),
        ({"diversity": 0.1}, "leave out diversity, which follows from 'experts' of the method"),
        ({"expert_offsets": np.ones((2, 3))}, "leave out expert_offsets"),
        ({"experts_summed": True}, "leave out experts_summed"),
        (
            {"spared": np.ones(3, bool), "spared_probability": 1.0},
            "the loss 'tests.custom_losses.Given' is 0 for every image: all classes are "
            "spared with probability 1",
        ),
    ],
)
def test_values_that_no_training_can_use_are_refused(
    values: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Given, "form", values)
    with pytest.raises(ConfigurationError) as raised:
        form(type=f"{HERE}.Given")
    assert said in str(raised.value)


def test_all_that_a_training_can_use_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "weights": np.array([1, 2, 3]),
        "offsets": np.array([-1.0, 0.0, 1.0]),
        "margins": np.ones(3, np.float32),
        "temperatures": np.array([1.0, 2.0, 3.0]),
        "smoothing": np.zeros(3),
        "spared": np.array([True, False, True]),
        "spared_probability": 1,
        "focus": 2.0,
    }
    monkeypatch.setattr(Given, "form", values)
    weights = form(type=f"{HERE}.Given").weights
    assert weights is not None
    np.testing.assert_allclose(weights, [0.5, 1.0, 1.5])


def test_what_has_no_effect_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "weights": np.full(3, 2.0),
        "offsets": np.ones(3),
        "margins": np.zeros(3),
        "temperatures": np.ones(3),
        "smoothing": np.zeros(3),
        "spared": np.ones(3, bool),
    }
    monkeypatch.setattr(Given, "form", values)
    found = form(type=f"{HERE}.Given")
    assert found == CanonicalLoss()
    assert found.inexact is None
    monkeypatch.setattr(Given, "form", {"spared": np.zeros(3, bool), "spared_probability": 0.5})
    assert form(type=f"{HERE}.Given") == CanonicalLoss()


def test_a_loss_without_source_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "compiled_losses.py").write_text(DEFINITION)
    py_compile.compile(
        str(tmp_path / "compiled_losses.py"), cfile=str(tmp_path / "compiled_losses.pyc")
    )
    (tmp_path / "compiled_losses.py").unlink()
    monkeypatch.syspath_prepend(tmp_path)
    assert "define the loss in a .py file" in message(type="compiled_losses.Halved")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("1 / 0\n", "ZeroDivisionError: division by zero; raising_losses.py, line 1). Correct"),
        (
            "\nimport no_such_module\n",
            "ModuleNotFoundError: No module named 'no_such_module'; raising_losses.py, line 2). "
            "Correct this line, or install what it imports",
        ),
        ("import sys\nsys.exit(1)\n", "SystemExit: 1; raising_losses.py, line 2). Correct"),
        ("\nx = = 1\n", "SyntaxError: invalid syntax (raising_losses.py, line 2)). Correct"),
    ],
)
def test_what_fails_in_a_file_is_named(
    content: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "raising_losses.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    text = message(type="raising_losses.A")
    assert f"cannot import 'raising_losses' ({said}" in text
    assert "src/" not in text


def test_its_source_has_a_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    found = []
    for text in (DEFINITION, DEFINITION.replace("\n", "\r\n"), DEFINITION.replace("0.5", "0.25")):
        (tmp_path / "own_losses.py").write_bytes(text.encode())
        for module in ("own_losses", "linecache"):
            sys.modules.pop(module, None)
        loss = parsed(type="own_losses.Halved")
        assert isinstance(loss, CustomLoss)
        found.append(loss.source_sha256)
    assert found[0] == found[1] != found[2]


def test_an_installed_package_offers_it_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "packaged_losses.py").write_text(DEFINITION)
    metadata = tmp_path / "packaged_losses-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: packaged-losses\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(
        "[longtail_losses]\nhalved = packaged_losses:Halved\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    loss = parsed(type="halved", parameters={"share": 1.0})
    assert isinstance(loss, CustomLoss)
    weights = canonical(loss, Classifier(), COUNTS).weights
    assert weights is not None
    np.testing.assert_allclose(weights[2] / weights[0], 90)
    assert "Valid: halved. An import path has a dot" in message(type="half")
