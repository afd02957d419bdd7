"""Image recognition under class imbalance, from a folder of images to the tables of a thesis."""

from pathlib import Path

__version__ = "0.1.0"

PACKAGE_FOLDER = Path(__file__).parent
# The configuration: in the package where it was installed from a wheel, else in the checkout.
CONFIGURATION = (
    PACKAGE_FOLDER / "conf"
    if (PACKAGE_FOLDER / "conf").is_dir()
    else PACKAGE_FOLDER.parents[1] / "conf"
)
