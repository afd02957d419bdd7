"""Valid raw values of the members of unions, and of models that may be null."""

from __future__ import annotations

from typing import Any

# By the name of the model, with all optional keys, so that a test can change each of them.
RECTANGLE: dict[str, Any] = {"scale": [0.1, 0.5], "ratio": [0.5, 2]}
COLOUR_JITTER = {
    **{"brightness": 0.4, "contrast": 0.3, "saturation": 0.2, "hue": 0.1},
    **{"probability": 0.8, "grey": 0.2},
}
EXAMPLES: dict[str, dict[str, Any]] = {
    "DigitsSource": {"kind": "digits", "image_size": 32},
    "Cifar100Source": {"kind": "cifar100", "path": "p", "url": "https://a/b", "md5": "0" * 32},
    "FolderSource": {
        "path": "p", "kind": "folder", "image_size": 32, "metadata": None, "class_levels": 1,
        "corrections": None,
        "class_names": "p", "split_folders": "official", "unsorted": "skip",
        "max_pixels": 9, "truncated": "keep", "group_pattern": "(a)", "near_duplicates": 9,
        "min_images": 5, "small_classes": "drop", "deployments": "p", "time_zone": "UTC",
        "group_by": "night", "boxes": "p", "box_confidence": 0.5, "box_categories": ["moth"],
        "box_species": "folder", "find_animals": None,
    },
    "OfficialHoldout": {"kind": "official"},
    "OfficialTestHoldout": {"kind": "official_test"},
    "PerClassHoldout": {"kind": "per_class", "test": 3, "validation": 3},
    "StratifiedHoldout": {"kind": "stratified", "test": 0.2, "validation": 0.2, "minimum": 1},
    "ExponentialProfile": {"kind": "exponential", "imbalance_factor": 20},
    "StepProfile": {"kind": "step", "imbalance_factor": 20},
    "ParetoProfile": {"kind": "pareto", "alpha": 2.0},
    "RankGroups": {"kind": "thirds"},
    "ShotGroups": {"kind": "shots", "many": 100, "few": 20},
    "UnknownClasses": {"classes": 3},
    "Softmax": {"name": "softmax"},
    "Focal": {"name": "focal", "gamma": 2},
    "WeightedSoftmax": {"name": "weighted_softmax", "convention": "min_ratio", "exponent": 0.5},
    "ClassBalanced": {"name": "class_balanced", "beta": 0.9},
    "BalancedSoftmax": {"name": "balanced_softmax"},
    "LogitAdjustment": {"name": "logit_adjustment", "tau": 1},
    "ClassDependentTemperatures": {"name": "cdt", "gamma": 0.3},
    "VectorScaling": {"name": "vs", "gamma": 0.3, "tau": 1},
    "LabelAwareSmoothing": {"name": "label_aware_smoothing", "head": 0.4, "tail": 0.1},
    "CustomLoss": {"name": "custom", "type": "tests.custom_losses.ENet", "parameters": {"c": 2.0}},
    "PowerSampling": {"kind": "power", "exponent": 0, "start": 0.5},
    "ProgressiveSampling": {"kind": "progressive", "start": 0.5},
    "Equalization": {"name": "equalization", "probability": 0.9, "threshold": 0.1},
    "LDAM": {"name": "ldam", "max_margin": 0.5},
    "Classifier": {"kind": "linear", "scale": 1.0},
    "DeferredWeights": {"beta": 0.99, "start": 0.5},
    "Adapters": {"bottleneck": 4},
    "Experts": {
        "count": 2, "shared": 0.5, "tau": [0, 1], "reversed_tau": [1, 0], "diversity": 0.1,
        "reduction": "sum",
    },
    "External": {"path": "p.csv", "values": "logits"},
    "SecondStage": {
        "epochs": 9, "trains": ["classifier", "class_scales"], "start": "random",
        "classifier": {"kind": "linear", "scale": 1.0}, "classifier_rate": 0.2,
        "loss": {"name": "softmax"}, "sampling": {"kind": "power"}, "learning_rate": 0.1,
        "weight_decay": 0.1, "schedule": {"kind": "cosine"}, "warmup_epochs": 1,
        "batch_norm": "kept",
    },
    "Contrastive": {
        **{"kind": "proco", "temperature": 0.2, "weight": 0.5, "views": 1},
        "augmentation": {
            "random_resized_crop": RECTANGLE, "horizontal_flip": False,
            "colour_jitter": COLOUR_JITTER,
        },
    },
    "PostHocLogitAdjustment": {"kind": "logit_adjustment", "tau": [0.5, 1]},
    "TauNormalization": {"kind": "tau_normalization", "tau": [0.5, 1]},
    "CosineSchedule": {"kind": "cosine"},
    "StepSchedule": {"kind": "step", "milestones": [3, 5], "factor": 0.1},
    "RandomResizedCrop": RECTANGLE,
    "ColourJitter": COLOUR_JITTER,
    "ViewAugmentation": {
        "random_resized_crop": RECTANGLE, "horizontal_flip": False, "colour_jitter": COLOUR_JITTER,
    },
    "RandAugment": {"operations": 2, "magnitude": 9},
    "RandomErasing": {**RECTANGLE, "probability": 0.5},
    "Remix": {"kappa": 3, "tau": 0.5},
    "Mixing": {
        **{"kind": "mixup", "alpha": 0.2, "partner_exponent": 0, "probability": 0.5},
        **{"start": 0.1, "end": 0.9, "remix": {"kappa": 3, "tau": 0.5}},
    },
}  # fmt: skip

# What an example needs beside it.
NEEDED: dict[str, dict[str, Any]] = {"Adapters": {"freeze": "backbone"}}
