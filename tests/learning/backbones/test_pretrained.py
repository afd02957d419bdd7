from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from longtail.errors import DataError
from longtail.learning.backbones import build, pretrained
from longtail.learning.backbones.pretrained import pretrained_weights
from longtail.parameters import Backbone, Classifier
from tests.damage import flip_bit

WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3), "steps": torch.tensor(3)}


def backbone(weights: Path | None, architecture: str = "resnet18") -> Backbone:
    text = None if weights is None else str(weights)
    return Backbone(name="b", label="L", architecture=architecture, pretrained=True, weights=text)


def save(file: Path) -> None:
    if file.suffix == ".safetensors":
        save_file(WEIGHTS, file)
    elif file.suffix == ".npz":
        arrays: dict[str, Any] = {name: value.numpy() for name, value in WEIGHTS.items()}
        np.savez(file, **arrays)
    else:
        torch.save(WEIGHTS, file)


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".pth", ".pt"])
def test_weights_are_read_from_every_kind_of_file(suffix: str, tmp_path: Path) -> None:
    save(tmp_path / f"weights{suffix}")
    loaded = pretrained_weights(backbone(tmp_path / f"weights{suffix}"))
    assert loaded.keys() == WEIGHTS.keys()
    assert all(torch.equal(loaded[name], WEIGHTS[name]) for name in WEIGHTS)


def test_missing_file_names_the_parameter(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"backbones\.b\.weights: there is no file '.*gone\.npz'"):
        pretrained_weights(backbone(tmp_path / "gone.npz"))


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".pth"])
def test_damaged_file_is_refused(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"bad{suffix}").write_bytes(b"no weights at all")
    with pytest.raises(DataError, match=r"backbones\.b\.weights: .* cannot be read as weights"):
        pretrained_weights(backbone(tmp_path / f"bad{suffix}"))


def test_file_of_something_else_than_weights_is_refused(tmp_path: Path) -> None:
    torch.save(torch.zeros(3), tmp_path / "tensor.pt")
    with pytest.raises(DataError, match="cannot be read as weights"):
        pretrained_weights(backbone(tmp_path / "tensor.pt"))


def test_other_endings_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "weights.h5").write_bytes(b"")
    with pytest.raises(DataError, match=r"must end in \.safetensors, \.npz, \.pth or \.pt"):
        pretrained_weights(backbone(tmp_path / "weights.h5"))


def test_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.mkdir, (tmp_path / "evil",)

    torch.save({"a": Evil()}, tmp_path / "weights.pth")
    with pytest.raises(DataError, match="cannot be read as weights"):
        pretrained_weights(backbone(tmp_path / "weights.pth"))
    assert not (tmp_path / "evil").exists()


def test_unreachable_hub_suggests_alternatives(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("Network is unreachable")

    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    monkeypatch.setattr(timm, "create_model", no_network)
    with pytest.raises(DataError) as caught:
        pretrained_weights(backbone(None))
    text = str(caught.value)
    assert "weights of resnet18 could not be downloaded" in text
    assert "Network is unreachable" in text
    assert "--params=backbones.b.weights=/path/to/file" in text
    assert "--params=backbones.b.pretrained=false" in text


def test_weights_of_the_hub_are_the_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    network = timm.create_model("resnet18", num_classes=2)
    asked: list[tuple[str, dict[str, Any]]] = []

    def hub(architecture: str, **options: Any) -> torch.nn.Module:
        asked.append((architecture, options))
        return network

    monkeypatch.setattr(pretrained, "check_available", lambda _: None)
    monkeypatch.setattr(timm, "create_model", hub)
    loaded = pretrained_weights(backbone(None))
    assert asked == [("resnet18", {"pretrained": True})]
    assert all(torch.equal(loaded[name], value) for name, value in network.state_dict().items())


def test_real_imagenet_weights_fit_their_network(shared_data: Path) -> None:
    file = shared_data / "mobilenetv2_100_imagenet_coral.npz"
    if not file.is_file():
        pytest.skip(f"no {file.name} among the real archives")
    mobilenet = Backbone(
        name="b",
        label="L",
        architecture="mobilenetv2_100",
        options={"pad_type": "same"},
        weights=str(file),
    )
    weights = pretrained_weights(mobilenet)
    model = build(mobilenet, Classifier(), 10, 32, weights)
    stem = model.backbone.get_submodule("conv_stem").weight
    assert torch.equal(torch.as_tensor(stem), weights["conv_stem.weight"])


def test_a_damaged_file_of_the_hubs_cache_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub's client gives a large file the SHA-256 of its content as its name."""
    content = b"weights" * 100
    blob = tmp_path / hashlib.sha256(content).hexdigest()
    blob.write_bytes(content)
    link = tmp_path / "model.safetensors"
    link.symlink_to(blob)
    monkeypatch.setattr(
        pretrained,
        "try_to_load_from_cache",
        lambda _, name: str(link) if name == link.name else None,
    )
    pretrained.check_available(backbone(None))
    flip_bit(blob)
    with pytest.raises(DataError, match=rf"'{blob}', which .* is damaged: .* Delete it and run"):
        pretrained.check_available(backbone(None))
