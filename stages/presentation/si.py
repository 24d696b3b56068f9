"""A number with its thousands as a letter."""


def si(value: float) -> str:
    """75M, 1.2B, 3e+15: at most three digits."""
    for scale, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if scale <= value < 1e3 * scale:
            return f"{value / scale:.3g}{suffix}"
    return f"{value:.3g}"
