"""The example of CONTRIBUTING.md of a loss that is defined outside the package."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml

GUIDE = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
[DEFINITION] = re.findall(r"^```python\n(.*?class PowerOfCounts.*?)^```", GUIDE, re.M | re.S)
[METHODS] = re.findall(r"^```yaml\n(methods:\n  power_of_counts:.*?)^```", GUIDE, re.M | re.S)
METHOD = yaml.safe_load(METHODS)["methods"]


def write_example(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Write the example's file to a folder from which Python imports."""
    patch.syspath_prepend(folder)
    forget_example()
    file = folder / "my_losses.py"
    file.write_text(DEFINITION, encoding="utf-8")
    return file


def forget_example() -> None:
    """Let the file be imported again, as in a new process."""
    sys.modules.pop("my_losses", None)
