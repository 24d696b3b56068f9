"""What a pool holds: roles by hash, whole documents up to max_chars, the same in any batches."""

import json

import polars as pl
import pytest

from stages.foundation.errors import ParamsError
from stages.pools.staged_pools import stage_pool
from stages.settings.pools import IngestParams, Pool

N = 200


@pytest.fixture
def source(tmp_path):
    file = tmp_path / "web.jsonl"
    lines = [json.dumps({"text": f"document {i:03d}"}) for i in range(N)]
    file.write_text("\n".join(lines) + "\n")
    return file


def staged(source, tmp_path, **changes) -> pl.DataFrame:
    pool = Pool(path=str(source), heldout=0.2, reference=0.3, **changes)
    params = IngestParams(pools={"web": pool})
    found = stage_pool("web", pool, params, tmp_path / "web.parquet")
    return pl.concat(found.batches())


def test_every_document_has_one_role_in_about_the_shares_asked_for(source, tmp_path):
    frame = staged(source, tmp_path)
    assert frame["text"].to_list() == [f"document {i:03d}" for i in range(N)]
    counts = dict(frame["role"].cast(pl.String).value_counts().iter_rows())
    assert set(counts) == {"heldout", "reference", "pool"}
    # 40, 60 and 100 are expected, with a deviation of about 6
    assert abs(counts["heldout"] - 40) < 20 and abs(counts["reference"] - 60) < 22


def test_max_chars_takes_whole_documents_and_no_role_changes(source, tmp_path):
    every = staged(source, tmp_path)
    some = staged(source, tmp_path, max_chars=12 * 50)
    assert some.height == 50
    roles = dict(every.select("id", "role").iter_rows())
    assert all(
        roles[name] == role for name, role in some.select("id", "role").iter_rows()
    )
    assert "_u" not in some.columns


def test_the_document_that_passes_the_limit_is_the_last(source, tmp_path):
    assert staged(source, tmp_path, max_chars=12 * 50 + 1).height == 51
    assert staged(source, tmp_path, max_chars=1).height == 1


def test_a_pool_without_text_is_refused_by_name(tmp_path):
    empty = tmp_path / "empty.jsonl"
    empty.write_text('{"text": ""}\n')
    with pytest.raises(ParamsError, match="ingest.pools.web: no document with text"):
        staged(empty, tmp_path)
