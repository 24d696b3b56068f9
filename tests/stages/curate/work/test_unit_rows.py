"""Documents of a unit: small files share a batch, and nothing about a document depends on it."""

import gzip
import json

import polars as pl
import pytest

from stages.curate.work import unit_rows
from stages.curate.work.unit_rows import ReadCount, unit_documents
from stages.curate.work.units import cut
from stages.curation.reading.named_files import find_files
from stages.foundation.errors import InputError
from stages.settings.curate import CurateSettings


@pytest.fixture
def folder(tmp_path):
    """Twelve compressed files of three rows, one of them blank and one broken, and two text files."""
    for number in range(12):
        rows = [
            {
                "text": f"row {number} {row}",
                "name": f"n{number}-{row}",
                "url": f"http://a/{row}",
            }
            for row in range(2)
        ]
        lines = [
            *map(json.dumps, rows),
            json.dumps({"text": " ", "name": f"n{number}-2"}),
        ]
        with gzip.open(tmp_path / f"{number:02d}.jsonl.gz", "wt") as file:
            file.write("\n".join(lines) + ("\n{broken" if number == 5 else ""))
    for number in range(2):
        (tmp_path / f"z{number}.txt").write_text(f"a text of its own, {number}")
    return tmp_path


def read(inputs, settings):
    bad, count = [], ReadCount()
    units, _ = cut(find_files([str(path) for path in inputs])[0], 10**9)
    frames = [
        frame
        for unit in units
        for frame in unit_documents(unit, settings, on_bad=bad.append, count=count)
    ]
    return frames, bad, count


@pytest.mark.parametrize(
    "columns", [{}, {"id": "name"}, {"id": "name", "extra": ["url"]}]
)
def test_small_files_share_a_batch_and_give_what_each_gives_alone(folder, columns):
    settings = CurateSettings(**columns)
    frames, bad, count = read([folder], settings)
    alone = [
        frame
        for path in sorted(folder.iterdir())
        for frame in read([path], settings)[0]
    ]
    assert len(frames) == 1 and len(alone) == 14
    assert frames[0].equals(pl.concat(alone))
    assert (frames[0].height, count.rows, count.empty, len(bad)) == (26, 38, 12, 1)
    assert bad[0].file.endswith("05.jsonl.gz") and isinstance(bad[0].error, InputError)


def test_a_batch_ends_where_it_is_full(folder, monkeypatch):
    together, _, _ = read([folder], CurateSettings())
    monkeypatch.setattr(unit_rows, "BATCH_CHARS", 60)
    frames, _, _ = read([folder], CurateSettings())
    assert len(frames) > 5 and pl.concat(frames).equals(together[0])


def test_rows_without_text_and_long_further_columns_fill_a_batch_too(
    tmp_path, monkeypatch
):
    table = pl.DataFrame({"text": ["a"] + [None] * 9_999, "note": ["long"] * 10_000})
    table.write_parquet(tmp_path / "a.parquet")
    for limit, most in (("BATCH_CHARS", 20_000), ("BATCH_ROWS", 3_000)):
        with monkeypatch.context() as lowered:
            lowered.setattr(unit_rows, limit, most)
            frames, _, count = read([tmp_path], CurateSettings(extra=["note"]))
        assert len(frames) > 2 and pl.concat(frames)["text"].to_list() == ["a"]
        assert (count.rows, count.empty) == (10_000, 9_999)
