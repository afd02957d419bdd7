"""What to do where something stored is missing, damaged, or was made with other parameters."""

from __future__ import annotations

FULL_RUN = "kedro run --pipelines=full with the same --env and --params"
REMEDY = (
    f"Make them again: {FULL_RUN} (what has not changed is not trained again). "
    "Or give the parameters that they were made with."
)
RESCORE = (
    f"Compute them again, which trains nothing: {FULL_RUN}. "
    "Or give the parameters that they were made with."
)
# About a version that lacks columns.
MAKE_AGAIN = f"If older code made it, make it again, which trains nothing: {FULL_RUN}"
TRAIN_AGAIN = (
    "Train it again: kedro run --pipelines=full with the --env and --params that it was trained "
    "with"
)
