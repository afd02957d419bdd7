"""The model of ``mlflow models serve``: photographs in, rows of the table of names out.

MLflow stores this file with the exported recognizer and with this package, which has the rules
for names and trust.
"""

from __future__ import annotations

import base64
import io
import json
import math
import struct
import sys
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import torch
from mlflow.models import Model
from mlflow.models.model import MLMODEL_FILE_NAME

from longtail.errors import DataError
from longtail.learning.inference.export import ABOUT
from longtail.naming.answers_table import columns_of, names_table, unreadable_row
from longtail.naming.decision_rule import DecisionRule
from longtail.parameters import Serving
from longtail.parameters.serving import RECOGNIZER_CHECKSUM
from longtail.serving.requests import check_size, guard
from longtail.sources.decoding.decode import decode, decoded_pixels
from longtail.storage.files import sha256_of_file

# The model's one input: the content of an image file in base64.
PHOTOGRAPH = "photograph"
# The exported recognizer among the model's files.
RECOGNIZER = "recognizer"
# The module of `mlflow models serve`.
SERVER = "mlflow.pyfunc.scoring_server.app"
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, struct.error)


class ServedRecognizer(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined]
    """A recognizer with the interface of MLflow's models."""

    def load_context(self, context: Any) -> None:
        about = {ABOUT: ""}
        _verify(Path(context.artifacts[RECOGNIZER]))
        program = torch.export.load(context.artifacts[RECOGNIZER], extra_files=about)
        self._program = program.module()
        self._values: Mapping[str, Any] = json.loads(about[ABOUT])
        self._rule = DecisionRule.of(self._values)
        self._limits = Serving.model_validate(context.model_config or {})
        if SERVER in sys.modules:  # a server is being started
            guard(sys.modules[SERVER.rpartition(".")[0]], self._limits)

    def predict(
        self,
        context: Any,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> list[dict[str, Any]]:
        """One row of the predict stage's table per photograph, without the column ``file``.

        Empty cells are None.

        Args:
            context: unused.
            model_input: one column ``photograph``: the contents of image files in base64.
            params: unused.

        Raises:
            RefusedRequestError: if there are more photographs or pixels than the limits allow.
        """
        check_size("photographs", len(model_input), self._limits)
        photographs = [_content(text) for text in model_input[PHOTOGRAPH]]
        pixels = sum(
            decoded_pixels(content, self._values["image_size"])
            for content in photographs
            if isinstance(content, io.BytesIO)
        )
        check_size("megapixels", pixels / 1e6, self._limits)
        rows = [self._named(content) for content in photographs]
        columns = [name for name in columns_of(self._rule) if name != "file"]
        cells = pd.DataFrame(rows, columns=columns).astype(object)
        known = cells.where(cells.notna() & (cells != ""), None)
        return [{str(key): value for key, value in row.items()} for row in known.to_dict("records")]

    def _named(self, content: io.BytesIO | str) -> Mapping[Any, Any]:
        if isinstance(content, str):
            return unreadable_row(PHOTOGRAPH, content)
        try:
            pixels, _ = decode(content, self._values["image_size"])
        except ValueError as reason:
            return unreadable_row(PHOTOGRAPH, str(reason))
        _, *outputs = self._program(torch.from_numpy(np.array(pixels))[None])
        # Logits and, if the recognizer needs it, the similarity to what it has learnt.
        values = (output.numpy() for output in outputs)
        [row] = names_table(self._rule, [PHOTOGRAPH], *values).to_dict("records")
        return row


def _content(text: object) -> io.BytesIO | str:
    """The content of a file in base64, or the reason why it cannot be read."""
    # Among other rows, MLflow turns null into NaN.
    if text is None or (isinstance(text, float) and math.isnan(text)):
        return "the photograph is missing: null"
    unreadable = "not the content of a file in base64"
    if not isinstance(text, str):
        return f"{unreadable}: {type(text).__name__} is not a text"
    if text.startswith("data:"):
        return f"{unreadable}: leave out 'data:' up to the comma"
    try:
        # Many encoders break base64 into lines.
        content = base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        return f"{unreadable}: {error}"
    return io.BytesIO(content) if content else "the photograph is missing: the text is empty"


def _verify(file: Path) -> None:
    """Refuse an exported recognizer that has changed: torch does not compare its checksums.

    Raises:
        DataError: naming the file.
    """
    expected = _stored_checksum(file)
    damaged = _damage_of_archive(file) if expected is None else None
    if expected is not None and sha256_of_file(file) != expected:
        damaged = "its SHA-256 is not the one in the model's metadata"
    if damaged is not None:
        raise DataError(
            f"{file} is damaged ({damaged}). Export the recognizer again: kedro run "
            f"--pipelines=export with the same --env and --params"
        )


def _stored_checksum(file: Path) -> str | None:
    """The SHA-256 in the metadata of the model that a file belongs to, if it was registered."""
    description = file.parents[1] / MLMODEL_FILE_NAME
    if not description.is_file():  # it is tried before it is registered
        return None
    metadata: dict[str, str] = Model.load(str(description)).metadata or {}
    return metadata.get(RECOGNIZER_CHECKSUM)


def _damage_of_archive(file: Path) -> str | None:
    """What is wrong with the archive, whose own checksums leave some bits out."""
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.testzip()
    # A flipped bit in a header of the archive makes the standard library raise any of these.
    except (*BROKEN_ZIP, NotImplementedError, RuntimeError, ValueError, EOFError) as error:
        return str(error)


mlflow.models.set_model(ServedRecognizer())
