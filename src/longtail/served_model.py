"""What ``mlflow models serve`` runs: photographs in, names in the words of the predict stage out.

MLflow keeps this file beside the exported recognizer, and the project's package too, whose rules
for names and trust it applies.
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Mapping
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import torch

from longtail.learning.inference.export import ABOUT
from longtail.naming.answers_table import name_all, unreadable
from longtail.naming.decision_rule import Sheet
from longtail.sources.decode import decode_content

# The model's one input: the content of an image file in base 64.
PHOTOGRAPH = "photograph"
# The exported recognizer among the model's files.
RECOGNIZER = "recognizer"


class ServedRecognizer(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined]
    """A recognizer behind MLflow's interface for models."""

    def load_context(self, context: Any) -> None:
        about = {ABOUT: ""}
        program = torch.export.load(context.artifacts[RECOGNIZER], extra_files=about)
        self._program = program.module()
        self._values: Mapping[str, Any] = json.loads(about[ABOUT])
        self._sheet = Sheet.of(self._values)

    def predict(
        self,
        context: Any,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> list[dict[str, Any]]:
        """A row of the predict stage's table for each photograph, without ``file``.

        What is empty in that table is None.

        Args:
            context: unused.
            model_input: a column ``photograph``: the contents of image files in base 64.
            params: unused.
        """
        rows = [self._named(text) for text in model_input[PHOTOGRAPH]]
        if not rows:
            return []
        cells = pd.concat(rows).drop(columns="file").astype(object)
        known = cells.where(cells.notna() & (cells != ""), None)
        return [{str(key): value for key, value in row.items()} for row in known.to_dict("records")]

    def _named(self, text: object) -> pd.DataFrame:
        try:
            content = io.BytesIO(_from_base64(text))
            pixels = decode_content(content, self._values["image_size"])
        except ValueError as reason:
            return unreadable(self._sheet, PHOTOGRAPH, str(reason))
        _, logits = self._program(torch.from_numpy(np.array(pixels))[None])
        return name_all(self._sheet, [PHOTOGRAPH], logits.numpy())


def _from_base64(text: object) -> bytes:
    """The content of a file.

    Raises:
        ValueError: if it is no text, not in base 64, or of nothing.
    """
    # MLflow makes NaN of null beside others.
    if text is None or (isinstance(text, float) and math.isnan(text)):
        raise ValueError("no photograph is given: null")
    if not isinstance(text, str):
        raise ValueError(f"not the content of a file in base 64: {type(text).__name__} is no text")
    if text.startswith("data:"):
        raise ValueError("not the content of a file in base 64: leave out 'data:' up to the comma")
    try:
        # Lines are broken by many that write base 64.
        content = base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise ValueError(f"not the content of a file in base 64: {error}") from None
    if not content:
        raise ValueError("no photograph is given: the text is empty")
    return content


mlflow.models.set_model(ServedRecognizer())
