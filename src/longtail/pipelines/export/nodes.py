"""Nodes of the export stage. torch is imported in the nodes that need it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from rich import filesize

from longtail.naming.decision_rule import DecisionRule
from longtail.naming.neighbours import learnt_features
from longtail.naming.trial_choice import weights_of
from longtail.parameters import Trial

log = logging.getLogger(__name__)


def export_recognizer(recognizer: dict[str, Any], store: Path) -> bytes:
    """A recognizer as one file, see :mod:`longtail.learning.inference.export`.

    Args:
        recognizer: :func:`longtail.naming.recognizer.make_recognizer` gives it.
        store: the folder of finished trainings.

    Returns:
        The content of the file.

    Raises:
        DataError: if the trained weights, or features to compare with, are missing.
    """
    from longtail.learning.inference.export import Recognizer, export_program
    from longtail.learning.inference.similarity import WithSimilarity
    from longtail.learning.inference.trained_model import TrainedModel

    rule = DecisionRule.of(recognizer)
    trial = Trial.model_validate(recognizer["trial"])
    model_file = weights_of(store, recognizer["fingerprint"], trial.name)
    model = TrainedModel(model_file, trial, len(rule.class_names)).load()
    learnt = learnt_features(store, recognizer)
    whole = Recognizer(
        model if learnt is None else WithSimilarity(model, learnt),
        recognizer["image_size"],
        rule.temperature,
        rule.shift,
    )
    content = export_program(whole, recognizer)
    log.info("%s is in one file of %s", trial.name, filesize.decimal(len(content)))
    return content
