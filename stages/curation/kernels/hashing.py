"""The constants of every multiplicative hash of the compiled loops and of their numpy twins."""

import numpy as np

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd; the golden ratio in 64 bits
# finaliser of splitmix64
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
