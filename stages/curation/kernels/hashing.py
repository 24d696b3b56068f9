"""The factor of every multiplicative hash of the compiled loops and of their numpy twins."""

import numpy as np

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd; the golden ratio in 64 bits
