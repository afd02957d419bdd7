"""Types of numpy arrays, named by their elements. A docstring gives the shape and the meaning."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]
UInt8Array = npt.NDArray[np.uint8]
Int64Array = npt.NDArray[np.int64]
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
# float32 or float64.
FloatArray = npt.NDArray[np.floating]
StrArray = npt.NDArray[np.str_]
