"""A trained model as one file that answers without this project.

The file is a ``torch.export`` program: photographs in, probabilities out. Cutting, resizing and
normalising, the network, its calibration and the class prior are all inside, and beside them, as
``recognizer.json``, what the numbers mean. It wants torch and nothing else::

    about = {"recognizer.json": ""}
    program = torch.export.load("recognizer.pt2", extra_files=about).module()
    names = json.loads(about["recognizer.json"])["class_names"]
    probabilities, logits = program(photographs)  # uint8 (images, height, width, 3), RGB, upright
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
from longtail.learning.augmentation.epoch import resized
from longtail.learning.backbones import Classifying

ABOUT = "recognizer.json"
# Any number of photographs of any size; what it is traced with does not matter.
EXAMPLE_SHAPE = (2, 67, 81, 3)


class Recognizer(nn.Module):
    """From photographs to the probability of each class, and to the network's own logits.

    Args:
        model: from pixels to logits.
        stored_size: the side of the squares that the data set's photographs were cut to.
        input_size: the side of the images that the network was trained on.
        temperature: that the logits are divided by.
        shift: (classes,), added after that, from the prior that the logits assume to the stated
            one: see :func:`longtail.naming.priors.prior_shift`.
    """

    shift: Tensor

    def __init__(
        self,
        model: Classifying,
        stored_size: int,
        input_size: int,
        temperature: float,
        shift: Float64Array,
    ) -> None:
        super().__init__()
        self.model = model
        self.stored_size, self.input_size = stored_size, input_size
        self.temperature = temperature
        self.register_buffer("shift", torch.from_numpy(shift).float())

    def forward(self, photographs: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities and logits, both float32 of shape (images, classes).

        Args:
            photographs: uint8 of shape (images, height, width, 3), RGB.
        """
        squares = _squares(photographs.permute(0, 3, 1, 2).float())
        stored = F.interpolate(
            squares, (self.stored_size, self.stored_size), mode="bicubic", antialias=True
        )
        # Ingest stores whole numbers, and the network was trained on them.
        stored = stored.round().clamp(0, 255)
        logits = self.model(resized(stored, self.input_size)).float()
        probabilities = torch.softmax(logits / self.temperature + self.shift, dim=1)
        return probabilities, logits


def _squares(images: Tensor) -> Tensor:
    """The largest centred squares of images of shape (images, 3, height, width)."""
    height, width = images.shape[2:]
    side = torch.sym_min(height, width)
    # Chosen by number, not sliced: a slice's strides would tie the program to one shape.
    offsets = torch.arange(side, device=images.device)
    rows = images.index_select(2, offsets + (height - side) // 2)
    return rows.index_select(3, offsets + (width - side) // 2)


def exported(recognizer: Recognizer, about: Mapping[str, Any]) -> bytes:
    """The content of the file.

    Args:
        recognizer: on the CPU.
        about: what the answers mean, as plain values.
    """
    example = torch.zeros(EXAMPLE_SHAPE, dtype=torch.uint8)
    free = torch.export.Dim.AUTO
    with torch.no_grad():
        program = torch.export.export(
            _for_answers_only(recognizer),
            (example,),
            dynamic_shapes=({0: free, 1: free, 2: free},),
            strict=False,
        )
    content = io.BytesIO()
    extra = {ABOUT: json.dumps(about, ensure_ascii=False)}
    torch.export.save(program, content, extra_files=extra)
    return content.getvalue()


def _for_answers_only(recognizer: Recognizer) -> Recognizer:
    """A copy without what only training needs: gradients, and how many batches were seen."""
    frozen = copy.deepcopy(recognizer).eval().requires_grad_(False)
    for module in frozen.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.num_batches_tracked = None
    return frozen
