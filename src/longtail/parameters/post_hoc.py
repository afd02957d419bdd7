"""Post-hoc methods, which change the logits of a trained model without training it again."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from longtail.parameters.strict import Strict
from longtail.parameters.types import Distinct


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, int | float) else value


# One value, or several from which one is chosen on the validation images.
Taus = Annotated[Distinct[Annotated[float, Field(ge=0, le=5)]], BeforeValidator(_as_list)]


class PostHocLogitAdjustment(Strict):
    """``tau`` times the log of the training set's class frequencies, subtracted from the logits.

    Menon et al. 2020, arXiv 2007.07314, section 4.1.

    Attributes:
        tau: one value, or several of which the one with the best balanced accuracy on the
            validation images is used, of equal ones the first.
    """

    kind: Literal["logit_adjustment"]
    tau: Taus = (1.0,)


class TauNormalization(Strict):
    """Each class' vector in the last layer divided by its norm to the power of ``tau``.

    Kang et al. 2020, arXiv 1910.09217, section 4.2; the biases are left out, as there.

    Attributes:
        tau: one value, or several of which the one with the best balanced accuracy on the
            validation images is used, of equal ones the first.
    """

    kind: Literal["tau_normalization"]
    tau: Taus = (1.0,)


PostHoc = Annotated[PostHocLogitAdjustment | TauNormalization, Field(discriminator="kind")]
