"""The versions that decide the bytes of a curation run."""

from importlib import metadata

PACKAGES = ("numpy", "polars", "pyarrow")
FORMAT = 4  # of the work folder and the output; a change of either changes the number


def versions() -> dict[str, str]:
    """Of what decides the bytes."""
    return {"format": str(FORMAT)} | {name: metadata.version(name) for name in PACKAGES}
