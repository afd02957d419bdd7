"""Naming photographs beside a plain timm loop: ``python -m benchmarks.naming [FOLDER]``.

All use a MobileNetV2 with the same number of classes and random weights. The plain loop is that of
timm's documentation: its transforms, in the processes of a DataLoader, and batches of 32. With
``--onnx``, the same loop also runs the exported network in ONNX Runtime, and its names are compared
with the plain loop's. Ours reads, hashes and decodes the photographs, predicts, and draws the
thumbnails of the page. Without a folder, photographs are made.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rich
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.data.config import resolve_data_config
from timm.data.transforms_factory import create_transform
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.__main__ import RECIPE
from benchmarks.timing import Timed, ratio, seconds_of
from longtail.arrays import Float32Array
from longtail.learning.backbones import build_for_trial
from longtail.learning.inference.trained_model import Predictor, TrainedModel, images_per_chunk
from longtail.parameters import Backbone, Compute, Method, Recipe, Softmax, Trial
from longtail.provenance import usable_cores
from longtail.sources.photographs import (
    Photographs,
    checksums,
    decode_in_chunks,
    find_photographs,
    thumbnails,
)

Named = Callable[[], list[int]]
ARCHITECTURE, CLASSES, SIDE, BATCH = "mobilenetv2_100", 200, 224, 32
# The size of photographs that are made, and of the noise that they are enlarged from.
WIDTH, HEIGHT, NOISE = 1024, 768, 16


class Opened(Dataset[Tensor]):
    """Photographs as the transforms of timm give them."""

    def __init__(self, files: list[Path], transform: Any) -> None:
        self._files, self._transform = files, transform

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, position: int) -> Tensor:
        with Image.open(self._files[position]) as image:
            transformed: Tensor = self._transform(image.convert("RGB"))
        return transformed


def make_photographs(folder: Path, count: int) -> None:
    """Write JPEG files of smooth noise."""
    generator = np.random.default_rng(0)
    for number in range(count):
        noise = generator.integers(0, 256, (NOISE, NOISE, 3), dtype=np.uint8)
        image = Image.fromarray(noise).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        image.save(folder / f"{number:05}.jpg")


def a_timm_model() -> nn.Module:
    """The network of the plain loops."""
    torch.manual_seed(0)
    model: nn.Module = timm.create_model(ARCHITECTURE, pretrained=False, num_classes=CLASSES)
    return model.eval()


def plain_loop(files: list[Path], model: nn.Module) -> Named:
    """Name the files with timm alone."""
    batches = _batches(files, model)

    @torch.inference_mode()
    def named() -> list[int]:
        torch.set_num_threads(usable_cores())
        return [int(answer) for batch in batches for answer in model(batch).argmax(1)]

    return named


def onnx_loop(files: list[Path], model: nn.Module, folder: Path) -> Named:
    """Name the files with timm's transforms and ONNX Runtime.

    Args:
        files: the photographs.
        model: the network that is exported.
        folder: for the exported network.

    Raises:
        SystemExit: if ONNX Runtime is not installed.
    """
    try:
        runtime = importlib.import_module("onnxruntime")
        importlib.import_module("onnxscript")
    except ModuleNotFoundError as error:
        raise SystemExit(f"--onnx needs {error.name}: pip install onnxruntime onnxscript") from None
    file = folder / "network.onnx"
    example = torch.zeros(2, 3, SIDE, SIDE)
    several = ({0: torch.export.Dim("batch")},)
    torch.onnx.export(model, (example,), file, input_names=["images"], dynamic_shapes=several)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    session = runtime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    batches = _batches(files, model)

    def named() -> list[int]:
        logits = (session.run(None, {"images": batch.numpy()})[0] for batch in batches)
        return [int(answer) for of_batch in logits for answer in of_batch.argmax(1)]

    return named


def _batches(files: list[Path], model: nn.Module) -> DataLoader[Tensor]:
    config = resolve_data_config({}, model=model)  # type: ignore[no-untyped-call]
    opened = Opened(files, create_transform(**config))
    return DataLoader(opened, batch_size=BATCH, num_workers=usable_cores())


def a_predictor(folder: Path) -> Predictor:
    """A model of random weights, stored and loaded as a trained one."""
    recipe = Recipe.model_validate(
        {**RECIPE.model_dump(), "image_size": SIDE, "batch_size": BATCH, "crop_padding": 0}
    )
    trial = Trial(
        dataset="photographs",
        train_set="natural",
        backbone=Backbone(name="network", label="Network", architecture=ARCHITECTURE),
        method=Method(name="softmax", label="Softmax", loss=Softmax(name="softmax")),
        seed=0,
        recipe=recipe,
        compute=Compute(device="cpu", threads=1, workers=None, compile="never"),
    )
    file = folder / "weights.safetensors"
    save_file(build_for_trial(trial, CLASSES, None).state_dict(), file)
    return Predictor(TrainedModel(file, trial, CLASSES))


def logits_of(photographs: Photographs, predictor: Predictor) -> Float32Array:
    """The logits of all photographs, decoded in chunks."""
    torch.set_num_threads(1)
    files = list(photographs.files.values())
    chunks = decode_in_chunks(files, SIDE, images_per_chunk(SIDE), "Naming", photographs.limits)
    parts = [
        predictor.logits(np.stack([each for each in chunk if not isinstance(each, str)]))
        for chunk in chunks
    ]
    return np.concatenate(parts)


def main() -> None:
    """Print the seconds and photographs per second of each part, and the ratio to the loop."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.naming", description=__doc__)
    parser.add_argument("folder", nargs="?", help="of photographs; default: some are made")
    parser.add_argument("--photographs", type=int, default=2000, help="how many are made")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--onnx", action="store_true", help="run ONNX Runtime too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if arguments.folder is None:
            made = folder / "photographs"
            made.mkdir()
            make_photographs(made, arguments.photographs)
            arguments.folder = str(made)
        photographs = find_photographs(arguments.folder)
        files = [Path(file.container, *file.parts) for file in photographs.files.values()]
        predictor, model = a_predictor(folder), a_timm_model()
        plain: dict[str, Named] = {"plain timm loop": plain_loop(files, model)}
        if arguments.onnx:
            plain["ONNX Runtime"] = onnx_loop(files, model, folder)
            names_of_plain = [named() for named in plain.values()]
            equal = sum(a == b for a, b in zip(*names_of_plain, strict=True))
            rich.print(f"ONNX Runtime gives {equal:,} of {len(files):,} photographs timm's name")
        contenders: dict[str, Timed] = {
            **plain,
            "checksums": lambda: checksums(photographs.files),
            "decoding and model": lambda: logits_of(photographs, predictor),
            "thumbnails of the page": lambda: thumbnails(photographs.files, photographs.limits),
        }
        seconds = seconds_of(contenders, arguments.rounds, torch.device("cpu"), "Naming")
    parts = [seconds[name] for name in contenders if name not in plain]
    ours = [sum(of) for of in zip(*parts, strict=True)]
    for name, of in {**seconds, "ours, all parts": ours}.items():
        middle = statistics.median(of)
        rich.print(f"| {name} | {middle:.1f} | {len(files) / middle:,.0f} |")
    for name in plain:
        names_alone = ratio(seconds[name], seconds["decoding and model"])
        rich.print(
            f"Beside {name}: names {names_alone:.2f} times as fast, with all parts "
            f"{ratio(seconds[name], ours):.2f}"
        )


if __name__ == "__main__":
    main()
