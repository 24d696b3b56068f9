"""Which documents lose lines that an earlier one holds, and what is left of them."""

import polars as pl
import pytest

from stages.curation.reading.documents import documents
from stages.pools.copies_section import LineParams
from stages.pools.line_copies import write_shortened

MENU = "home about contact imprint and more"
BODY = "a sentence that only this document holds"


@pytest.fixture
def pool(tmp_path):
    """Three pages under one menu, the last nothing but the menu, and a copy that is no first."""
    texts = [f"{MENU}\n{BODY} 0", f"{MENU}\n{BODY} 1", MENU, f"{MENU}\n{BODY} 1"]
    frame = documents(texts, ["a", "b", "c", "d"], "web")
    frame.write_parquet(tmp_path / "0.parquet")
    return [tmp_path / "0.parquet"], frame["id"].to_list()


def shortened(pool, params, path) -> tuple[int, dict[str, str]]:
    shards, ids = pool
    count = write_shortened(shards, pl.DataFrame({"id": ids[:3]}), params, path)
    table = pl.read_parquet(path)
    assert table.height == count
    return count, dict(table.select("id", "text").iter_rows())


def test_the_line_stays_in_the_document_of_the_smallest_id_alone(pool, tmp_path):
    count, texts = shortened(pool, LineParams(), tmp_path / "lines.parquet")
    ids = pool[1][:3]
    left = dict(zip(ids, (f"{BODY} 0", f"{BODY} 1", ""), strict=True))
    del left[min(ids)]
    assert count == 2
    assert {name: text.strip() for name, text in texts.items()} == left


def test_where_nobody_asks_there_is_a_table_without_rows(pool, tmp_path):
    count, texts = shortened(pool, None, tmp_path / "lines.parquet")
    assert (count, texts) == (0, {})
    assert "units_dropped" in pl.read_parquet_schema(tmp_path / "lines.parquet")


def test_short_lines_are_no_copies(pool, tmp_path):
    params = LineParams(min_chars=len(MENU) + 1)
    assert shortened(pool, params, tmp_path / "lines.parquet") == (0, {})
