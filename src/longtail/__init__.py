"""Image recognition under class imbalance, from a folder of images to the tables of a thesis."""

import os
from pathlib import Path

__version__ = "0.1.0"

# Threads that wait for each other sleep instead of spinning. It must be set before anything loads
# torch, which other packages do, too. Spinning gains nothing on free cores and costs much on busy
# ones: a training step of MobileNetV2 with two threads on two busy cores took 6 s, and 0.4 s since.
# Results are the same.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

PACKAGE_FOLDER = Path(__file__).parent
# The configuration: in the package where it was installed from a wheel, else in the checkout.
CONFIGURATION = (
    PACKAGE_FOLDER / "conf"
    if (PACKAGE_FOLDER / "conf").is_dir()
    else PACKAGE_FOLDER.parents[1] / "conf"
)
