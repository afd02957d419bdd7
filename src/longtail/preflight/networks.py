"""Whether the networks of a run take its images, which is known before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from longtail.parameters import OWN_ARCHITECTURES, Backbone, Trial


def check_networks(trials: Sequence[Trial], made: set[str]) -> None:
    """Refuse networks, weights, experts and layers with which a trial could not be trained.

    Nothing is downloaded.

    Args:
        trials: trials of the run.
        made: the outputs of its nodes.

    Raises:
        ConfigurationError: naming the backbone or the trial.
        DataError: if the file of weights is unreadable.
    """
    cases: list[tuple[Backbone, int]] = []
    for trial in trials:
        case = (trial.backbone, trial.recipe.image_size)
        is_own = trial.backbone.architecture in OWN_ARCHITECTURES
        if case not in cases and not (is_own and not trial.backbone.pretrained):
            cases.append(case)
    if cases:
        from longtail.learning.backbones import check_architecture
        from longtail.learning.backbones.check import check_network, shapes_of_weights

        for backbone, image_size in cases:
            check_architecture(backbone)
            weights = shapes_of_weights(backbone) if _is_fetched(backbone, made) else None
            check_network(backbone, image_size, weights)
    if any(trial.needs_layers for trial in trials):
        from longtail.learning.training.freezing import check_layers

        check_layers(trials)


def check_weights(trials: Iterable[Trial], made: set[str]) -> None:
    """Check that the weights that a run fetches are there, or that their hub can be reached.

    Raises:
        DataError: naming the backbone.
    """
    fetched = {of.backbone.name: of.backbone for of in trials if _is_fetched(of.backbone, made)}
    if fetched:
        from longtail.learning.backbones.pretrained import check_available

        for backbone in fetched.values():
            check_available(backbone)


def _is_fetched(backbone: Backbone, made: set[str]) -> bool:
    return f"{backbone.name}_weights" in made
