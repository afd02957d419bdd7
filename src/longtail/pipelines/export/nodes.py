"""Nodes of the export stage. torch is imported where a node needs it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from longtail.naming.decision_rule import Sheet
from longtail.naming.trial_choice import weights_of
from longtail.parameters import Trial

log = logging.getLogger(__name__)


def export_recognizer(recognizer: dict[str, Any], store: Path) -> bytes:
    """A recognizer as one file, see :mod:`longtail.learning.inference.export`.

    Args:
        recognizer: the sheet of :func:`longtail.naming.recognizer.describe`.
        store: the folder of finished trainings.

    Raises:
        DataError: if the trained weights are gone.
    """
    from longtail.learning.inference.export import Recognizer, exported
    from longtail.learning.inference.loaded_model import load_model

    sheet = Sheet.of(recognizer)
    trial = Trial.model_validate(recognizer["trial"])
    model_file = weights_of(store, recognizer["fingerprint"], trial.name)
    whole = Recognizer(
        load_model(model_file, trial, len(sheet.class_names)),
        recognizer["image_size"],
        trial.recipe.image_size,
        sheet.temperature,
        sheet.shift,
    )
    content = exported(whole, recognizer)
    log.info("%s is in one file of %.1f MB", trial.name, len(content) / 1e6)
    return content
