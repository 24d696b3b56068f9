"""Units cover the input once, in order, and rows keep the numbers of their file."""

import json

import polars as pl
import pytest

from stages.curate.work.unit_rows import unit_documents
from stages.curate.work.units import cut
from stages.curation.reading.named_files import find_files
from stages.settings.curate import CurateSettings


def sources(folder, unit_bytes):
    units, _empty = cut(find_files(folder)[0], unit_bytes)
    frames = [
        frame
        for unit in units
        for frame in unit_documents(unit, CurateSettings(), on_bad=pytest.fail)
    ]
    return units, pl.concat(frames).select("source", "text").rows()


@pytest.mark.parametrize("unit_bytes", [40, 100, 333, 1_000, 100_000])
@pytest.mark.parametrize("end", ["\n", ""])
def test_ranges_of_lines(tmp_path, unit_bytes, end):
    lines = [
        (
            json.dumps(
                {"text": f"Line {at}" + " é" * (at % 7 * 10)}, ensure_ascii=False
            )
            if at % 5
            else ""
        )
        for at in range(60)
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + end)
    units, rows = sources(tmp_path, unit_bytes)
    assert [source for source, _ in rows] == [
        f"a.jsonl:{at + 1}" for at in range(60) if at % 5
    ]
    assert [text.split()[1] for _, text in rows] == [
        str(at) for at in range(60) if at % 5
    ]
    assert (len(units) > 1) == (unit_bytes < 2_000)
    assert all(unit.n_bytes < unit_bytes + 300 for unit in units)


def test_row_groups_of_parquet(tmp_path):
    pl.DataFrame({"text": [f"Row {at}" for at in range(100)]}).write_parquet(
        tmp_path / "a.parquet", row_group_size=10
    )
    units, rows = sources(tmp_path, 300)
    assert len(units) > 3 and rows == [
        (f"a.parquet:{at + 1}", f"Row {at}") for at in range(100)
    ]


def test_small_files_share_a_unit_and_empty_ones_are_told(tmp_path):
    for at in range(20):
        (tmp_path / f"{at:02}.txt").write_text(f"Text {at}.")
    (tmp_path / "none.txt").write_text("")
    units, empty = cut(find_files(tmp_path)[0], 50)
    assert 3 <= len(units) <= 5
    assert [file.name for file in empty] == ["none.txt"] and sum(
        len(unit.pieces) for unit in units
    ) == 20
    assert [unit.number for unit in units] == list(range(len(units)))
