"""Exported recognizers in MLflow's model registry."""

from __future__ import annotations

import base64
import io
import logging
import os
from contextlib import redirect_stderr
from importlib.metadata import version
from pathlib import Path

from kedro.pipeline import Pipeline

import longtail
from longtail.catalog import LongtailCatalog
from longtail.parameters import Serving
from longtail.parameters.serving import RECOGNIZER_CHECKSUM
from longtail.runs import tracking
from longtail.runs.run_files import EXPORTED, made
from longtail.storage.files import sha256_of_file, verified

log = logging.getLogger(__name__)

# The packages that the served model imports, in the versions of the exporting machine.
REQUIREMENTS = (
    *("torch", "torchvision", "timm", "safetensors", "numpy", "pandas", "scipy"),
    *("scikit-learn", "pillow", "pydantic", "psutil", "filelock", "rich"),
)


def register_exported(pipeline: Pipeline, catalog: LongtailCatalog, mlflow_run: str) -> None:
    """Register each recognizer that a run has exported as a version of ``longtail-<data set>``."""
    for name, file in made(pipeline, catalog, (EXPORTED,)).items():
        model = f"longtail-{name.removesuffix(EXPORTED)}"
        _register(model, file, mlflow_run, catalog.parameters().serving)


def _register(model: str, file: Path, mlflow_run: str, limits: Serving) -> None:
    # In a log, each step of a progress bar would be a line.
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    package = Path(longtail.__file__).parent
    mlflow.set_tracking_uri(tracking.uri())
    # MLflow prints to stderr; the result is logged below.
    with mlflow.start_run(run_id=mlflow_run), redirect_stderr(io.StringIO()):
        logged = mlflow.pyfunc.log_model(
            name=model,
            python_model=str(package / "serving/model.py"),
            artifacts={"recognizer": str(file)},
            code_paths=[str(package)],
            model_config=limits.model_dump(),
            metadata={RECOGNIZER_CHECKSUM: sha256_of_file(verified(file))},
            signature=ModelSignature(inputs=Schema([ColSpec("string", "photograph")])),
            input_example=pd.DataFrame({"photograph": [_example()]}),
            pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
            registered_model_name=model,
        )
    log.info("Registered in MLflow as models:/%s/%s", model, logged.registered_model_version)


def _example() -> str:
    """A small grey photograph, encoded as in a request."""
    from PIL import Image

    content = io.BytesIO()
    Image.new("RGB", (32, 32), "grey").save(content, "JPEG")
    return base64.b64encode(content.getvalue()).decode()
