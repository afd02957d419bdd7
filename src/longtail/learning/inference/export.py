"""A trained model as one file that predicts without this project.

The file is a ``torch.export`` program: photographs in, probabilities out. It includes cropping,
resizing and normalisation, the network, its calibration and the class prior, and describes its
outputs in ``recognizer.json``. It needs only torch::

    about = {"recognizer.json": ""}
    program = torch.export.load("recognizer.pt2", extra_files=about).module()
    names = json.loads(about["recognizer.json"])["class_names"]
    probabilities, *_ = program(photographs)  # uint8 (images, height, width, 3), RGB, upright
"""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from longtail.arrays import Float64Array
from longtail.learning.backbones import ImageModel
from longtail.learning.predict_logits import logits_of_images

ABOUT = "recognizer.json"
# The shape of the example that is traced. The program takes any number and size of photographs.
EXAMPLE_SHAPE = (2, 67, 81, 3)


class Recognizer(nn.Module):
    """Map photographs to probabilities, logits and, if the model has it, their similarity.

    Args:
        model: model from pixels to logits, perhaps with the similarity of
            :class:`longtail.learning.inference.similarity.WithSimilarity` in one more column.
        stored_size: side of the squares that ingest crops photographs to, in pixels.
        temperature: divisor of the logits.
        shift: (classes,), added to the scaled logits; it changes the prior that they assume to the
            stated one: see :func:`longtail.naming.priors.prior_shift`.
    """

    shift: Tensor

    def __init__(
        self,
        model: ImageModel,
        stored_size: int,
        temperature: float,
        shift: Float64Array,
    ) -> None:
        super().__init__()
        self.model = model
        self.stored_size, self.temperature = stored_size, temperature
        self.register_buffer("shift", torch.from_numpy(shift).float())

    def forward(self, photographs: Tensor) -> tuple[Tensor, ...]:
        """Return probabilities and logits, float32 of shape (images, classes), and similarities.

        Similarities, of shape (images,), are missing if the model does not compute them.

        Args:
            photographs: images as uint8 of shape (images, height, width, 3), RGB.
        """
        squares = _center_squares(photographs.permute(0, 3, 1, 2).float())
        stored = F.interpolate(
            squares, (self.stored_size, self.stored_size), mode="bicubic", antialias=True
        )
        # Ingest stores whole numbers, on which the network was trained.
        stored = stored.round().clamp(0, 255)
        outputs = logits_of_images(self.model, stored)
        classes = len(self.shift)
        logits = outputs[:, :classes]
        probabilities = torch.softmax(logits / self.temperature + self.shift, dim=1)
        similarity = [outputs[:, column] for column in range(classes, outputs.shape[1])]
        return probabilities, logits, *similarity


def _center_squares(images: Tensor) -> Tensor:
    """Crop images of shape (images, 3, height, width) to their largest centred squares."""
    height, width = images.shape[2:]
    side = torch.sym_min(height, width)
    # By index, not by slices, whose strides would tie the program to one shape.
    offsets = torch.arange(side, device=images.device)
    rows = images.index_select(2, offsets + (height - side) // 2)
    return rows.index_select(3, offsets + (width - side) // 2)


def export_program(recognizer: Recognizer, about: Mapping[str, Any]) -> bytes:
    """Return the content of the exported file.

    Args:
        recognizer: recognizer on the CPU.
        about: meaning of the outputs, as plain values.
    """
    example = torch.zeros(EXAMPLE_SHAPE, dtype=torch.uint8)
    free = torch.export.Dim.AUTO
    with torch.no_grad():
        program = torch.export.export(
            _for_inference(recognizer),
            (example,),
            dynamic_shapes=({0: free, 1: free, 2: free},),
            strict=False,
        )
    content = io.BytesIO()
    extra = {ABOUT: json.dumps(about, ensure_ascii=False)}
    torch.export.save(program, content, extra_files=extra)
    return content.getvalue()


def _for_inference(recognizer: Recognizer) -> Recognizer:
    """Return a copy without parts for training: gradients, and BatchNorm's count of batches."""
    frozen = copy.deepcopy(recognizer).eval().requires_grad_(False)
    for module in frozen.modules():
        if "num_batches_tracked" in dict(module.named_buffers(recurse=False)):
            module.register_buffer("num_batches_tracked", None)
    return frozen
