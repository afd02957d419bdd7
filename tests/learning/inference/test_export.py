"""The exported file predicts as the project does, without the project."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy
import torch
from PIL import Image, ImageOps
from torch import Tensor

from longtail.learning import backbones
from longtail.learning.augmentation.geometry import resize
from longtail.learning.backbones import FeatureWhitening, ImageClassifier
from longtail.learning.inference.export import ABOUT, Recognizer, export_program
from longtail.learning.inference.similarity import WithSimilarity
from longtail.naming.neighbours import unit_vectors
from longtail.parameters import Backbone, Classifier, Experts

CLASSES, STORED, INPUT = 5, 64, 32
# The last class cannot occur.
SHIFT = np.append(np.linspace(-1.0, 1.0, CLASSES - 1), -np.inf)
NAMES = ["Äbia fasciata", "b", "c", "d", "e"]


def recognizer(
    architecture: str = "vit_micro", classifier: str = "linear", experts: Experts | None = None
) -> Recognizer:
    torch.manual_seed(0)
    model = backbones.build(
        Backbone(name="net", label="Net", architecture=architecture),
        Classifier.model_validate({"kind": classifier, "scale": 3}),
        *(CLASSES, INPUT, None, experts),
    )
    model.normalize.set(torch.full((3,), 0.5), torch.full((3,), 0.25))
    return Recognizer(model, STORED, 1.5, SHIFT).eval()


def photographs(height: int, width: int, count: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(height * width)
    return torch.randint(0, 256, (count, height, width, 3), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize(
    ("architecture", "classifier", "experts"),
    [
        ("mobilenetv2_micro", "linear", None),
        ("resnetv2_micro", "linear", None),
        ("vit_micro", "cosine", None),
        ("convnext_micro", "cosine", None),
        ("resnet32", "linear", None),
        ("mobilenetv2_035", "linear", None),
        ("mobilenetv2_micro", "cosine", Experts(shared=0.5)),
        ("vit_micro", "linear", Experts(shared=1.0)),
    ],
)
def test_photographs_of_any_number_and_size_get_the_models_logits(
    architecture: str, classifier: str, experts: Experts | None
) -> None:
    whole = recognizer(architecture, classifier, experts)
    program = torch.export.load(io.BytesIO(export_program(whole, {}))).module()
    for shape in ((1, 300, 120), (3, STORED, STORED), (2, 12, 600), (1, 1, 1)):
        count, height, width = shape
        images = photographs(height, width, count)
        with torch.no_grad():
            expected = whole(images)
        assert [part.shape for part in expected] == [(count, CLASSES)] * 2
        torch.testing.assert_close(program(images), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("is_whitened", [False, True])
def test_similarity_to_what_was_learnt_is_in_the_file(is_whitened: bool) -> None:
    whole = recognizer("mobilenetv2_micro")
    model = whole.model
    assert isinstance(model, ImageClassifier)
    if is_whitened:
        size = model.classifier.in_features
        assert isinstance(size, int)
        model.whitening = FeatureWhitening(size)
        model.whitening.fit(torch.randn(30, size), torch.arange(30) % 5)
    images = photographs(STORED, STORED, 3)
    with torch.no_grad():
        expected = whole(images)
        pixels = resize(images.permute(0, 3, 1, 2).float(), INPUT)
        features = model.backbone(model.normalize(pixels)).numpy()
    learnt = np.random.default_rng(0).normal(size=(7, features.shape[1])).astype(np.float32)
    compared = WithSimilarity(model, unit_vectors(learnt))
    program = export_program(Recognizer(compared, STORED, 1.5, SHIFT).eval(), {})
    probabilities, logits, similarity = torch.export.load(io.BytesIO(program)).module()(images)
    torch.testing.assert_close((probabilities, logits), expected, rtol=0, atol=1e-5)
    cosines = 1 - scipy.spatial.distance.cdist(features, learnt, "cosine")
    np.testing.assert_allclose(similarity.numpy(), cosines.max(axis=1), atol=1e-5)


def test_five_crops_are_in_the_file() -> None:
    whole = recognizer("mobilenetv2_micro")
    images = photographs(90, 70, 2)
    with torch.no_grad():
        _, of_whole = whole(images)
        whole.model.five_crop_size = INPUT + 6
        expected = whole(images)
    assert not torch.allclose(expected[1], of_whole, atol=1e-3)
    program = torch.export.load(io.BytesIO(export_program(whole, {}))).module()
    torch.testing.assert_close(program(images), expected, rtol=0, atol=1e-5)


def test_nothing_of_the_training_is_in_the_file() -> None:
    whole = recognizer("mobilenetv2_micro")
    program = torch.export.load(io.BytesIO(export_program(whole, {})))
    assert not any(value.requires_grad for value in program.state_dict.values())
    assert not [name for name in program.state_dict if "num_batches_tracked" in name]
    answers, _ = program.module()(photographs(80, 60))
    assert not answers.requires_grad
    assert all(parameter.requires_grad for parameter in whole.model.parameters())


def test_probabilities_are_of_the_calibrated_and_adjusted_logits() -> None:
    whole = recognizer()
    stored = photographs(STORED, STORED, 4)
    pixels = stored.permute(0, 3, 1, 2).float()
    with torch.no_grad():
        small = torch.nn.functional.interpolate(
            pixels, (INPUT, INPUT), mode="bilinear", antialias=True
        )
        logits = whole.model(small)
        probabilities = torch.softmax(logits / 1.5 + torch.from_numpy(SHIFT).float(), dim=1)
        assert probabilities[:, -1].tolist() == [0] * 4
        torch.testing.assert_close(whole(stored), (probabilities, logits))


def test_photographs_are_cut_and_resized_as_ingest_does() -> None:
    """Pillow rounds to whole numbers between its two passes, torch after both: a level or two."""
    smooth = Image.effect_mandelbrot((300, 201), (-2, -1, 1, 1), 60).convert("RGB")
    cut = ImageOps.fit(smooth, (STORED, STORED), Image.Resampling.BICUBIC)
    whole = recognizer()
    with torch.no_grad():
        of_photograph, _ = whole(torch.from_numpy(np.array(smooth))[None])
        of_stored, _ = whole(torch.from_numpy(np.array(cut))[None])
    torch.testing.assert_close(of_photograph, of_stored, rtol=0, atol=0.01)


def test_the_file_needs_torch_only(tmp_path: Path) -> None:
    whole = recognizer()
    file, image = tmp_path / "model.pt2", tmp_path / "image.pt"
    file.write_bytes(export_program(whole, {"class_names": NAMES}))
    images = photographs(90, 70)
    torch.save(images, image)
    script = f"""
import json, sys, torch
about = {{"{ABOUT}": ""}}
program = torch.export.load("{file}", extra_files=about).module()
probabilities, _ = program(torch.load("{image}"))
assert not any(name.startswith(("longtail", "timm", "kedro")) for name in sys.modules)
print(json.dumps([json.loads(about["{ABOUT}"])["class_names"], probabilities.tolist()]))
"""
    answer = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, check=True, cwd=tmp_path
    )
    names, probabilities = json.loads(answer.stdout)
    assert names == NAMES
    with torch.no_grad():
        expected, _ = whole(images)
    torch.testing.assert_close(torch.tensor(probabilities), expected, rtol=0, atol=1e-6)
