"""Networks, their training and their predictions, with torch."""

import os

# Threads that wait for each other sleep instead of spinning, which must be set before torch loads.
# Spinning gains nothing on free cores and costs much on busy ones: a training step of MobileNetV2
# with two threads on two busy cores took 6 s, and 0.4 s since. Results are the same.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
