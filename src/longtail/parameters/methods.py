"""Methods for training on long-tailed data: losses, sampling, classifiers, experts, stages."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from longtail.parameters.classifier import Classifier
from longtail.parameters.contrastive import Contrastive
from longtail.parameters.experts import Experts
from longtail.parameters.external import External
from longtail.parameters.families import Family
from longtail.parameters.losses import Loss, Softmax
from longtail.parameters.post_hoc import PostHoc, PostHocLogitAdjustment, TauNormalization
from longtail.parameters.sampling import DeferredWeights, Sampling
from longtail.parameters.second_stage import SecondStage
from longtail.parameters.strict import Contradictions, Strict, key_error
from longtail.parameters.types import Label, Line, Name


class Method(Strict):
    """A method for training on long-tailed data.

    Attributes:
        name: its key in ``methods``.
        label: its name in reports.
        loss: loss that is minimised.
        classifier: the last layer of the network.
        deferred_weights: class weights from some epoch on; null for the same loss in all epochs.
        sampling: rule by which the images of an epoch are drawn; null for each image once.
        experts: copies of the last layers that are trained together; null for one network.
        second_stage: a second training that starts from the first one's model; null for none.
            Methods that differ in nothing else share the first one.
        contrastive: a branch that is trained with the network and then dropped; null for none.
        post_hoc: a change of the trained model's logits; the training stays the same.
        recipe: keys of the common recipe that this method changes.
        external: predictions that are read from a file; nothing is trained, and all keys but
            ``label``, ``family`` and ``paper`` are left out. Null for a method that is trained.
        family: family in Zhang et al.'s survey; null for the baseline, and for methods of no
            family.
        paper: publication of the method, for the report.
    """

    name: Name
    label: Label
    loss: Loss
    classifier: Classifier = Classifier()
    deferred_weights: DeferredWeights | None = None
    sampling: Sampling | None = None
    experts: Experts | None = None
    second_stage: SecondStage | None = None
    contrastive: Contrastive | None = None
    post_hoc: PostHoc | None = None
    recipe: dict[str, Any] = Field(default_factory=dict)
    external: External | None = None
    family: Family | None = None
    paper: Line | None = None

    @model_validator(mode="before")
    @classmethod
    def _external_has_no_loss(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("external") is not None:
            return {"loss": {"name": "softmax"}, **values}  # its column of losses is the NLL
        return values

    @field_validator("second_stage")
    @classmethod
    def _no_epochs_are_no_stage(cls, stage: SecondStage | None) -> SecondStage | None:
        return None if stage is None or stage.epochs == 0 else stage

    @field_validator("experts")
    @classmethod
    def _one_expert_is_none(cls, experts: Experts | None) -> Experts | None:
        return None if experts is None or not experts.has_effect else experts

    @property
    def row_label(self) -> str:
        """The name of the row in tables and figures, which marks external predictions."""
        return f"{self.label} (external)" if self.external else self.label

    def _contradictions(self) -> Contradictions:
        if self.external is not None:
            yield from self._trained_keys()
        if self.second_stage is not None:
            yield from self._contradictions_of_stages(self.second_stage)
        last = self.last_stage
        if isinstance(self.post_hoc, TauNormalization) and last.classifier.kind == "cosine":
            yield key_error(
                "post_hoc",
                "tau_normalization changes the norms of the class vectors, which a cosine "
                "classifier does not use: it would do nothing. Use {kind: logit_adjustment}, "
                "or the classifier {kind: linear}",
            )
        if isinstance(self.post_hoc, TauNormalization) and self.experts is not None:
            yield key_error(
                "post_hoc",
                "tau_normalization changes one last layer, but each of the experts has its own. "
                "Use {kind: logit_adjustment}, or set experts to null",
            )
        if self.contrastive is not None and self.experts is not None:
            yield key_error(
                "contrastive",
                "learns from the features of one network, but each of the experts has its own. "
                "Set contrastive or experts to null",
            )
        if isinstance(self.post_hoc, PostHocLogitAdjustment) and last.sampling is not None:
            yield key_error(
                "post_hoc",
                "logit_adjustment subtracts the class frequencies that a network has learnt, but "
                "sampling has changed those. Set sampling or post_hoc to null",
            )

    def _trained_keys(self) -> Contradictions:
        """The errors of keys of a training in a method whose predictions are external."""
        described = {"name", "label", "external", "family", "paper"}
        plain = Method(name=self.name, label=self.label, loss=Softmax(name="softmax"))
        for key in type(self).model_fields:
            if key not in described and getattr(self, key) != getattr(plain, key):
                yield key_error(
                    key,
                    "has no effect on external predictions, which are not trained. Leave it out",
                )

    def _contradictions_of_stages(self, stage: SecondStage) -> Contradictions:
        last = self.last_stage.classifier
        if stage.start == "trained" and last != self.classifier:
            others = "Start at random, or leave" if "classifier" in stage.trains else "Leave"
            yield key_error(
                "second_stage.start",
                "is trained, but the classifier of the second stage is another one than that of "
                f"the first. {others} second_stage.classifier out",
            )
        if stage.start == "class_means" and last.kind != "cosine":
            yield key_error(
                "second_stage.start",
                "class_means are the class vectors of a cosine classifier. Set "
                "second_stage.classifier to {kind: cosine, scale: 30}, or start at random",
            )
        if stage.start == "class_means" and self.experts is not None and self.experts.count > 1:
            yield key_error(
                "second_stage.start",
                "class_means would start experts with the same weights, or they have different "
                "features. Start at random, or set experts to null",
            )
        if stage.adjusts and last.kind == "cosine":
            yield key_error(
                "second_stage.trains",
                "class_scales and class_offsets become norms of the class vectors and biases, "
                "which a cosine classifier does not have. Train the classifier, or use a linear "
                "one",
            )

    @property
    def first_stage(self) -> Method:
        """The method without its second stage."""
        return self.model_copy(update={"second_stage": None})

    @property
    def last_stage(self) -> Method:
        """What the last training does, as a method of one stage; the method itself if it is one."""
        stage = self.second_stage
        if stage is None:
            return self
        experts = self.experts
        if experts is not None:  # their own terms belong to the loss of the first stage
            own = {"tau": None, "reversed_tau": None, "diversity": 0.0}
            experts = experts.model_copy(update=own)
        return self.model_copy(
            update={
                "loss": stage.loss,
                "experts": experts,
                "classifier": stage.classifier or self.classifier,
                "deferred_weights": None,
                "sampling": stage.sampling,
                "contrastive": None,  # it learns features, which are frozen now
                "second_stage": None,
            }
        )
