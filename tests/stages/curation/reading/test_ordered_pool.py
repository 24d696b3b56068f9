"""Ranges of ids: the order and the content of the whole table, whatever the files and ranges."""

import random

import pytest

from stages.curation.reading import ordered_pool as module
from stages.curation.reading.documents import documents
from stages.curation.reading.ordered_pool import HeldPool, ordered_pool
from stages.foundation.errors import InputError


@pytest.fixture
def frame():
    rng = random.Random(0)
    texts = [
        "".join(rng.choices("abcdé \n", k=rng.randint(1, 300))) for _ in range(700)
    ]
    return documents(texts, [f"{i}" for i in range(700)], "p", langs="en")


def written(frame, folder, n_files):
    for number in range(n_files):
        frame[number::n_files].write_parquet(folder / f"{number}.parquet")
    return sorted(folder.glob("*.parquet"))


@pytest.mark.parametrize(("n_files", "range_chars"), [(1, 10**9), (3, 9_000), (2, 1)])
def test_batches_joined_are_the_table_sorted_by_id(
    frame, tmp_path, monkeypatch, n_files, range_chars
):
    monkeypatch.setattr(module, "RANGE_CHARS", range_chars)
    pool = ordered_pool(written(frame, tmp_path, n_files), tmp_path / "work")
    assert (
        pool.whole().equals(frame.sort("id")) and pool.n_chars == frame["n_chars"].sum()
    )
    assert pool.columns("id", "n_chars").equals(
        HeldPool(frame).columns("id", "n_chars")
    )
    if range_chars == 9_000:
        sizes = [batch["n_chars"].sum() for batch in pool.batches()]
        assert 5 < len(sizes) < 20 and max(sizes) < 3 * range_chars


def test_work_of_an_earlier_run_is_not_read(frame, tmp_path):
    files = written(frame, tmp_path, 1)
    ordered_pool(files, tmp_path / "work")
    frame[:10].write_parquet(files[0])
    assert ordered_pool(files, tmp_path / "work").whole().height == 10


def test_no_files_is_one_line(tmp_path):
    with pytest.raises(InputError, match="no file of documents"):
        ordered_pool([], tmp_path / "work")
