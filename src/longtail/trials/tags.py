"""The tags of a trial's nodes, and of the nodes that gather trials."""

from __future__ import annotations

# The runner runs a trial's nodes together, and a gathering node without the trials that failed.
TRIAL_TAG, GATHER_TAG = "trial", "gather"
