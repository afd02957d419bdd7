"""Learning rates as functions of the step."""

from __future__ import annotations

import math

from longtail.parameters import Recipe, StepSchedule


def learning_rate_factor(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Compute the factor on the learning rate at a step, counted from 0.

    It rises linearly over the warm-up epochs, from above 0 at the first step to 1 at the last
    warm-up step. Then it follows the schedule.
    """
    warmup = recipe.warmup_epochs * steps_per_epoch
    if step < warmup:
        return (step + 1) / warmup
    if isinstance(recipe.schedule, StepSchedule):
        epoch = step // steps_per_epoch
        passed = sum(epoch >= milestone for milestone in recipe.schedule.milestones)
        return recipe.schedule.factor**passed
    total = recipe.epochs * steps_per_epoch
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))
