"""Whether stored results are those of the current parameters, images and code.

A stage can be run by itself, so results can be older than the parameters that a report would
state beside them. Everything that determines a result is in its fingerprint, which is stored with
it. The fingerprint is computed again and compared.
"""

from longtail.trials.verification.data import check_data
from longtail.trials.verification.results import (
    changes_since,
    stale_results,
    trial_names,
    verified_results,
)
from longtail.trials.verification.tables import (
    check_statistics,
    verified_answers,
    verified_comparisons,
    verified_novelty,
)

__all__ = [
    "changes_since",
    "check_data",
    "check_statistics",
    "stale_results",
    "trial_names",
    "verified_answers",
    "verified_comparisons",
    "verified_novelty",
    "verified_results",
]
