"""Weights in files as people publish them, and what is in their place when something went wrong."""

from __future__ import annotations

import argparse
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from longtail.errors import ConfigurationError, DataError
from longtail.learning.backbones import build
from longtail.learning.backbones.pretrained import pretrained_weights
from longtail.learning.backbones.weight_file import read_weight_file
from longtail.parameters import Backbone, Classifier
from longtail.pipelines.train.nodes import fetch_weights

RESNET32 = Backbone(name="b", label="L", architecture="resnet32", pretrained=True, weights="x")


def backbone(weights: Path, architecture: str = "resnet32", **options: Any) -> Backbone:
    return Backbone(
        name="b", label="L", architecture=architecture, weights=str(weights), options=options
    )


@pytest.fixture(scope="module")
def trained() -> dict[str, Tensor]:
    """The weights of a whole model of the project, as in its store."""
    torch.manual_seed(0)
    return build(RESNET32, Classifier(), 7, 32, None).state_dict()


@pytest.fixture(scope="module")
def own(trained: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of its backbone."""
    named = "backbone."
    return {n.removeprefix(named): t for n, t in trained.items() if n.startswith(named)}


def prefixed(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in weights.items()}


def changed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor + 1 for name, tensor in weights.items()}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda own: {"state_dict": own, "epoch": 3, "arch": "resnet32"},
        lambda own: {"model": own, "args": argparse.Namespace(lr=0.1), "acc": np.float64(0.5)},
        lambda own: {"model_ema": own, "model": changed(own)},
        lambda own: {"state_dict": changed(own), "state_dict_ema": own},
        lambda own: {"model_state": own, "optimizer": {"state": {0: {"m": torch.zeros(3)}}}},
        lambda own: {"checkpoint": {"network": OrderedDict(own)}},
        lambda own: prefixed(own, "module."),
        lambda own: prefixed(own, "module._orig_mod."),
        lambda own: {"state_dict": prefixed(own, "model.backbone.")},
        lambda own: {"state_dict": prefixed(own, "module.encoder_q.") | {"queue": torch.ones(3)}},
        lambda own: prefixed(own, "backbone.") | {"projector.0.weight": torch.zeros(2, 2)},
        lambda own: own | {"fc.weight": torch.zeros(1000, 64), "fc.bias": torch.zeros(1000)},
        lambda own: {name: torch.nn.Parameter(t.float()) for name, t in own.items()},
    ],
)
def test_nested_and_prefixed_weights_load(
    wrap: Any, own: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save(wrap(own), tmp_path / "a.pth.tar")
    b = backbone(tmp_path / "a.pth.tar")
    network = build(b, Classifier(), 5, 32, pretrained_weights(b)).backbone
    assert all(torch.equal(t, own[name]) for name, t in network.state_dict().items())


def test_a_model_of_the_project_loads_without_its_classifier(
    trained: dict[str, Tensor], own: dict[str, Tensor], tmp_path: Path
) -> None:
    save_file(trained, tmp_path / "model.safetensors")
    weights = pretrained_weights(backbone(tmp_path / "model.safetensors"))
    assert weights.keys() == own.keys()
    assert all(torch.equal(weights[name], own[name]) for name in own)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision_load(
    dtype: torch.dtype, own: dict[str, Tensor], tmp_path: Path
) -> None:
    halved = {n: t.to(dtype) if t.is_floating_point() else t for n, t in own.items()}
    torch.save(halved, tmp_path / "a.pt")
    b = backbone(tmp_path / "a.pt")
    weights = pretrained_weights(b)
    network = build(b, Classifier(), 5, 32, weights).backbone
    stem = network.state_dict()["conv1.weight"]
    assert stem.dtype == torch.float32
    torch.testing.assert_close(stem, halved["conv1.weight"].float())
    for tensor in weights.values():
        tensor.numpy()  # they are hashed as such


def test_names_that_share_memory_can_be_saved(tmp_path: Path) -> None:
    shared = torch.arange(6.0)
    torch.save({"a": shared, "b": shared[:3]}, tmp_path / "a.pt")
    weights = read_weight_file(tmp_path / "a.pt", "key", {"a", "b"})
    save_file(weights, tmp_path / "again.safetensors")
    assert torch.equal(weights["b"], torch.arange(3.0))


def test_equal_sets_of_weights_are_logged(
    own: dict[str, Tensor], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.save({"student": own, "teacher": changed(own)}, tmp_path / "a.pth")
    caplog.set_level("INFO")
    weights = read_weight_file(tmp_path / "a.pth", "key", set(own))
    assert torch.equal(weights["conv1.weight"], own["conv1.weight"])
    assert "the weights 'student.*' are used (others: 'teacher.*')" in caplog.text


def test_names_of_another_layout_lose_the_usual_prefixes_only(tmp_path: Path) -> None:
    foreign = {"model": {"module.trunk.0.w": torch.ones(2), "module.head.w": torch.ones(1)}}
    torch.save(foreign, tmp_path / "a.pth")
    assert read_weight_file(tmp_path / "a.pth", "key", {"conv1.weight"}).keys() == {
        "trunk.0.w",
        "head.w",
    }


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (Path("/tmp/evil"),)


def legacy(file: Path) -> None:
    file.write_bytes(pickle.dumps({"a": Evil()}, protocol=2))


def objects(file: Path) -> None:
    with file.open("wb") as written:
        np.savez(written, a=np.array([{}]))


def program(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("net/constants.pkl", b"")


def truncated(file: Path) -> None:
    torch.save({"a": torch.arange(1000.0)}, file)
    file.write_bytes(file.read_bytes()[:-1000])


def truncated_safetensors(file: Path) -> None:
    save_file({"a": torch.arange(1000.0)}, file)
    file.write_bytes(file.read_bytes()[:-1000])


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda file: file.write_bytes(b""), "it is empty"),
        (lambda file: file.write_bytes(b"\n<!DOCTYPE html><html>"), "it is a web page"),
        (
            lambda file: file.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid"),
            "it is a pointer of Git LFS, .* git lfs pull",
        ),
        (lambda file: file.write_bytes(b"\x89HDF\r\n"), "it is an HDF5 file"),
        (lambda file: file.write_bytes(b"PK\x03\x04"), "truncated, damaged or of another kind"),
        (lambda file: file.write_bytes(b"no weights at all"), "truncated, damaged or of"),
        (truncated, "truncated, damaged or of another kind"),
        (truncated_safetensors, "truncated, damaged or of another kind"),
        (program, "it is a TorchScript program"),
        (legacy, "would run code"),
        (lambda file: torch.save({"a": Evil()}, file), "would run code"),
        (lambda file: torch.save(torch.nn.Linear(2, 2), file), r"run code \(torch\.nn.*Linear"),
        (lambda file: torch.save([torch.zeros(2)], file), "has no named arrays"),
        (lambda file: torch.save({"a": 1, 2: torch.zeros(1)}, file), "has no named arrays"),
        (objects, "truncated, damaged or"),
        (lambda file: torch.save({"a": torch.tensor([0, torch.nan])}, file), "not a number"),
    ],
)
def test_what_is_no_weights_is_refused_in_one_sentence(
    write: Any, reason: str, tmp_path: Path
) -> None:
    write(tmp_path / "a.pth")
    with pytest.raises(DataError, match=f"^key: '.*a.pth'.*{reason}") as error:
        read_weight_file(tmp_path / "a.pth", "key", {"a"})
    assert "\n" not in str(error.value)
    assert "weights_only" not in str(error.value)
    assert not Path("/tmp/evil").exists()


def test_weights_of_another_network_are_refused_by_what_is_in_the_file(
    own: dict[str, Tensor], tmp_path: Path
) -> None:
    renamed = {name.replace("conv1", "convolution1"): tensor for name, tensor in own.items()}
    torch.save(renamed, tmp_path / "a.pth")
    b = backbone(tmp_path / "a.pth")
    with pytest.raises(ConfigurationError, match="do not fit resnet32") as error:
        build(b, Classifier(), 5, 32, pretrained_weights(b))
    text = str(error.value)
    assert "'blocks.0.conv1.weight' is missing (shape (16, 16, 3, 3); nearest: 'blocks." in text
    assert f"There are {len(own)} arrays ('convolution1.weight' (16, 3, 3, 3), " in text


def test_the_classifier_in_a_file_is_left_out_with_a_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    network = timm.create_model("mobilenetv3_small_050", num_classes=7)
    torch.save({"state_dict": network.state_dict()}, tmp_path / "a.pth")
    b = backbone(tmp_path / "a.pth", "mobilenetv3_small_050")
    weights, _ = fetch_weights(b)
    assert "b: the classifier 'classifier' of 7 classes in" in caplog.text
    built = build(b, Classifier(), 5, 32, weights).backbone.state_dict()
    assert torch.equal(built["conv_stem.weight"], network.state_dict()["conv_stem.weight"])


def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read as weights: Is a directory"):
        read_weight_file(tmp_path, "key", {"a"})


def test_options_that_no_network_takes_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(ConfigurationError, match=r"backbones\.b: resnet18 .*cannot be used: .*no"):
        pretrained_weights(backbone(tmp_path / "a.safetensors", "resnet18", nonsense=1))
