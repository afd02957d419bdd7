"""Image recognition under class imbalance, from a folder of images to the tables of a thesis."""

from pathlib import Path

__version__ = "0.1.0"

_PACKAGE = Path(__file__).parent
# The configuration: in the package where it was installed from a wheel, else in the checkout.
CONFIGURATION = _PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parents[1] / "conf"
