"""What to do where something stored was made with other parameters."""

from __future__ import annotations

REMEDY = (
    "Make them again: kedro run --pipelines=full with the same --env and --params (what has not "
    "changed is not trained again). Or give the parameters that they were made with."
)
RESCORE = (
    "Compute them again, which trains nothing: kedro run --pipelines=full "
    "with the same --env and --params. Or give the parameters that they were made with."
)
