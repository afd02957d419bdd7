"""Whether stored results are those of the current parameters, images and code.

A stage can be run by itself, so results can be older than the parameters that a report would
state beside them. Everything that determines a result is in its fingerprint, which is stored with
it. The fingerprint is computed again and compared.
"""

from longtail.trials.verification.data import check_data as check_data
from longtail.trials.verification.results import (
    stale_results as stale_results,
    training_changes as training_changes,
    verified_results as verified_results,
)
from longtail.trials.verification.tables import (
    check_statistics as check_statistics,
    verified_answers as verified_answers,
    verified_comparisons as verified_comparisons,
    verified_novelty as verified_novelty,
)
