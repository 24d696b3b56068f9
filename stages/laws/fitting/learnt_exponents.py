"""Exponents of published tables, by law and study. Written by benchmarks/exponent_priors.py --write.

law -> name of the exponent, study -> its mean, its spread over the tables of the study in natural logs, their number.
Studies (arXiv): chinchilla 2404.10102, repeats 2305.16264, over-training 2403.08540, iso-FLOP 2406.19146, comparison
2506.04598, best of a grid 2503.04715, ladder 2412.04403.
"""

Study = tuple[float, float, int]
EXPONENTS: dict[str, tuple[str, dict[str, Study]]] = {
    "power_floor": (
        "alpha",
        {
            "chinchilla": (0.17, 0.0, 1),
            "repeats": (0.19, 0.0, 1),
            "over-training": (0.132, 0.238, 24),
            "iso-FLOP": (0.23, 0.47, 4),
            "comparison": (0.128, 0.142, 6),
            "best of a grid": (0.133, 0.0, 1),
            "ladder": (0.158, 0.199, 9),
        },
    ),
    "compute_offset": (
        "alpha",
        {
            "chinchilla": (0.17, 0.0, 1),
            "repeats": (0.226, 0.0, 1),
            "over-training": (0.156, 0.333, 24),
            "iso-FLOP": (0.25, 0.564, 4),
            "comparison": (0.256, 0.187, 6),
            "best of a grid": (0.148, 0.0, 1),
            "ladder": (0.171, 0.17, 9),
        },
    ),
    "power_floor_tokens": (
        "beta",
        {
            "chinchilla": (0.358, 0.0, 1),
            "repeats": (0.295, 0.0, 1),
            "over-training": (0.242, 0.195, 24),
            "iso-FLOP": (0.534, 0.556, 4),
            "best of a grid": (0.331, 0.0, 1),
            "ladder": (0.239, 0.249, 9),
        },
    ),
}
