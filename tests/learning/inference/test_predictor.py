from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from longtail.learning.backbones import build_for_trial
from longtail.learning.inference import trained_model
from longtail.learning.inference.trained_model import Predictor, TrainedModel
from longtail.learning.predict_logits import predict_logits
from longtail.parameters import Trial

CLASSES, SIDE, BATCH = 10, 32, 16
PIXELS = np.random.default_rng(0).integers(0, 256, (5 * BATCH + 3, SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture
def stored(make_trial: Callable[..., Trial], tmp_path: Path) -> TrainedModel:
    torch.manual_seed(0)
    trial = make_trial()
    file = tmp_path / "model.safetensors"
    save_file(build_for_trial(trial, CLASSES, None).state_dict(), file)
    return TrainedModel(file, trial, CLASSES)


@pytest.mark.parametrize("cores", [1, 4])
def test_logits_do_not_depend_on_the_batches_that_run_side_by_side(
    cores: int, stored: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trained_model, "usable_cores", lambda: cores)
    predictor = Predictor(stored)
    found = predictor.logits(PIXELS)
    images = torch.from_numpy(PIXELS).permute(0, 3, 1, 2).contiguous()
    one_by_one = predict_logits(
        predictor._model, images, stored.trial.recipe.batch_size, predictor._execution
    )
    assert found.shape == (len(PIXELS), CLASSES)
    assert (found == one_by_one.numpy()).all()
    assert predictor.logits(PIXELS[:0]).shape == (0, CLASSES)
