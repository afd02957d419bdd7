"""Tags of the nodes of trials, and of the nodes that gather their results."""

from __future__ import annotations

# The runner runs a trial's nodes together, and a gathering node without the trials that failed.
TRIAL_TAG, GATHER_TAG = "trial", "gather"
