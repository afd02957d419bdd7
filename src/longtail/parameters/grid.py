"""The grid of trials, and the tables that show it."""

from __future__ import annotations

from pydantic import Field
from pydantic_core import PydanticCustomError

from longtail.parameters.backbones import OWN_ARCHITECTURES, Backbone
from longtail.parameters.datasets import TrainSet
from longtail.parameters.families import Family
from longtail.parameters.methods import Method
from longtail.parameters.recipe import Compute, Recipe
from longtail.parameters.strict import Contradictions, Strict, key_error
from longtail.parameters.trial_name import TrialName
from longtail.parameters.types import Count, Distinct, Label, Line, Listed, Name, Seed, whole_share


class Grid(Strict):
    """The axes of the grid: every combination of their values is a trial.

    Attributes:
        datasets: names in ``datasets``.
        train_sets: images to train on. ``matched`` is balanced with as many images as
            ``long_tailed``; ``natural`` is all of them.
        backbones: names in ``backbones``.
        methods: names in ``methods``, or families such as ``decoupled-training`` for all of their
            members.
        seeds: seeds of the weights, of the order of the images and of their augmentation.
        draw_per_seed: whether each seed also draws the images of the training set, as many of each
            class. If not, all seeds train on the same images. Test images are always the same.
    """

    datasets: Distinct[str]
    train_sets: Distinct[TrainSet]
    backbones: Distinct[str]
    methods: Distinct[str]
    seeds: Distinct[Seed]
    draw_per_seed: bool = False


class Trial(Strict):
    """One combination of the grid, with everything that determines its result except the data."""

    dataset: Name
    train_set: TrainSet
    backbone: Backbone
    method: Method
    seed: Seed
    draw_per_seed: bool = False
    recipe: Recipe
    compute: Compute

    def _contradictions(self) -> Contradictions:
        side = OWN_ARCHITECTURES.get(self.backbone.architecture, 1)
        if self.recipe.image_size % side:
            yield key_error(
                "recipe.image_size",
                f"must be a multiple of {side} for the architecture "
                f"{self.backbone.architecture}, found {self.recipe.image_size}",
            )
        yield from self._parts_that_never_start()
        if self.recipe.freeze == "backbone":
            yield from self._contradictions_of_frozen_backbone()
        if self.recipe.freeze != "none" and not self.backbone.pretrained:
            yield self._frozen_at_random()
        branch = self.method.contrastive
        own = None if branch is None else branch.augmentation
        views_differ = self.recipe.augments if own is None else own.has_effect
        if branch is not None and not views_differ:
            yield key_error(
                "method.contrastive",
                "learns from several views of each image, but all views would be the same. Set "
                f"methods.{self.method.name}.contrastive.augmentation or, without it, "
                "recipe.crop_padding or recipe.horizontal_flip",
            )
        if self.recipe.has_fixed_features:
            yield from self._contradictions_of_cached_views()

    def _parts_that_never_start(self) -> Contradictions:
        method, stage = self.method, self.method.second_stage
        deferred = [
            ("deferred_weights", method.deferred_weights, self.recipe.epochs),
            ("sampling", method.sampling, self.recipe.epochs),
        ]
        if stage is not None:
            deferred.append(("second_stage.sampling", stage.sampling, stage.epochs))
        for key, part, epochs in deferred:
            if part is not None and whole_share(part.start, epochs) >= epochs:
                yield key_error(
                    f"method.{key}.start",
                    f"is after the last of {epochs} epochs, found {part.start}. The last one "
                    f"starts at {(epochs - 1) / epochs:.6g}",
                )

    def _contradictions_of_frozen_backbone(self) -> Contradictions:
        experts, stage = self.method.experts, self.method.second_stage
        are_equal = experts is not None and experts.count > 1 and not experts.differ
        if are_equal and self.starts_at_class_means:
            yield key_error(
                "recipe.cosine_start",
                "class_means starts all experts with the same weights, and with the same loss on "
                "the same features they would stay equal. Set it to random, or give the experts "
                "different method.experts.tau",
            )
        is_fixed = self.recipe.has_fixed_features
        if is_fixed and stage is not None and stage.batch_norm == "updated":
            yield key_error(
                "method.second_stage.batch_norm",
                "is updated, but with recipe.freeze: backbone the features are computed once: set "
                "it to kept, or recipe.freeze to none",
            )
        if is_fixed and self.method.contrastive is not None:
            yield key_error(
                "recipe.freeze",
                "backbone leaves a contrastive branch nothing to train but itself. Set it to none "
                "or a share of the layers, or method.contrastive to null",
            )

    def _frozen_at_random(self) -> PydanticCustomError:
        backbone, freeze = self.backbone, self.recipe.freeze
        instead = f"Set backbones.{backbone.name}.pretrained to true"
        if backbone.architecture in OWN_ARCHITECTURES:
            instead = (
                f"There are none to download of {backbone.architecture}: leave out the method or "
                f"the backbone, give weights in a file (backbones.{backbone.name}.weights)"
            )
        return key_error(
            "recipe.freeze",
            f"is {freeze}, but the network would start from random weights. {instead}, or set "
            "recipe.freeze to none",
        )

    def _contradictions_of_cached_views(self) -> Contradictions:
        recipe, chosen = self.recipe, self.recipe.optional_augmentation
        if chosen and recipe.cached_views == 1:
            yield key_error(
                f"recipe.{chosen[0]}",
                "has no effect with recipe.freeze: backbone and one cached view, the image itself. "
                f"Set recipe.cached_views to 2 or more, or recipe.{chosen[0]} to null",
            )
        if recipe.cached_views > 1 and not recipe.augments:
            yield key_error(
                "recipe.cached_views",
                f"is {recipe.cached_views}, but all views would be the same. Set "
                "recipe.crop_padding or recipe.horizontal_flip, or recipe.cached_views to 1",
            )

    @property
    def first_stage(self) -> Trial:
        """The trial without the second stage of its method."""
        return self.model_copy(update={"method": self.method.first_stage})

    @property
    def last_stage(self) -> Trial:
        """What the last training does, as a trial of one stage; the trial itself if it is one."""
        stage = self.method.second_stage
        if stage is None:
            return self
        recipe = stage.recipe(self.recipe)
        return self.model_copy(update={"method": self.method.last_stage, "recipe": recipe})

    @property
    def starts_at_class_means(self) -> bool:
        """Whether the class vectors of its first stage start at the means of their classes.

        A class without images starts at random nevertheless.
        """
        is_cosine, recipe = self.method.classifier.kind == "cosine", self.recipe
        # A backbone that learns changes the features, so their means would soon be of no use.
        return is_cosine and recipe.freeze == "backbone" and recipe.cosine_start == "class_means"

    @property
    def epochs(self) -> int:
        """The epochs of all stages."""
        stage = self.method.second_stage
        return self.recipe.epochs + (0 if stage is None else stage.epochs)

    @property
    def draw_seed(self) -> int | None:
        """The seed that draws the images of the training set; None for those of the data set."""
        return self.seed if self.draw_per_seed else None

    @property
    def needs_layers(self) -> bool:
        """Whether the layers of the network must be known."""
        return self.recipe.needs_layers or self.method.experts is not None

    @property
    def axes(self) -> TrialName:
        """The values of the trial on the axes of the grid."""
        return TrialName(
            self.dataset, self.train_set, self.backbone.name, self.method.name, self.seed
        )

    @property
    def name(self) -> str:
        """The dotted name of the trial, which is its namespace below ``train``."""
        return str(self.axes)


class Table(Strict):
    """The trials that a table of the report shows, and its number in the appendix.

    ``methods`` are the labels of the rows by the names of the methods, in order; ``families`` are
    the families by these names, of which each is a block of rows; ``seeds`` are the seeds of each
    method.
    """

    dataset: Name
    backbone: Name
    backbone_label: Label
    train_set: TrainSet
    methods: dict[Name, Label]
    families: dict[Name, Family] = Field(default_factory=dict)
    seeds: Listed[Seed]
    draw_per_seed: bool = False
    number: Count


class Contents(Strict):
    """What is in a data set's report.

    Attributes:
        label: label of the data set.
        grouped_by: training set whose class sizes define head, middle and tail.
        tables: tables of the report, in their order.
        methods: methods in the order of the tables' rows.
    """

    label: Line
    grouped_by: TrainSet
    tables: Listed[Table]
    methods: Listed[Method]


class Trials(Strict):
    """The trials of a data set in the grid."""

    trials: Listed[Trial]
