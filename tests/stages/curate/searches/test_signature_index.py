"""A new batch against what earlier runs kept."""

import pytest

from stages.curate.searches.signature_index import segments
from stages.foundation.errors import InputError


@pytest.fixture
def batches(write, rows):
    return write(name="a", content=rows[:60]), write(name="b", content=rows[60:])


def test_two_batches_keep_what_one_run_keeps(batches, run, read, tmp_path):
    """With the first copy preferred, since an old document always stays."""
    options = {"request": {"index": tmp_path / "index"}, "dedup": {"keep": "first"}}
    run(list(batches), "whole", dedup={"keep": "first"})
    run(batches[0], "first", **options)
    run(batches[1], "second", **options)
    assert (
        read("kept", "first")["text"].to_list()
        + read("kept", "second")["text"].to_list()
        == read("kept", "whole")["text"].to_list()
    )
    old = (
        read("dropped", "second")
        .filter(reason="duplicate_near")["duplicate_of"]
        .to_list()
    )
    assert set(old) & set(read("kept", "first")["id"])


def test_an_old_document_stays_even_when_the_new_copy_is_better(
    write, run, read, tmp_path, rows
):
    text = next(row["text"] for row in rows if row["key"] == "k50")
    request = {"index": tmp_path / "index"}
    run(write(name="a", content=[{"text": text}]), "first", request=request)
    run(
        write(name="b", content=[{"text": text + " And longer."}]),
        "second",
        request=request,
    )
    assert (
        read("dropped", "second")["duplicate_of"].to_list()
        == read("kept", "first")["id"].to_list()
    )


def test_a_run_does_not_meet_its_own_segment(batches, run, tmp_path):
    request = {"index": tmp_path / "index"}
    first = run(batches[0], "first", request=request)
    again = run(batches[0], "first", request=request)
    assert (
        again["kept"]["hash"] == first["kept"]["hash"]
        and again["kept"]["documents"] > 0
    )


def test_batches_of_many_shards_give_the_same_index(batches, run, read, tmp_path):
    kept = []
    for name, shard_mb in (("one", 64), ("many", 0.005)):
        for at in (0, 1):
            run(
                batches[at],
                f"{name}{at}",
                request={"index": tmp_path / f"index-{name}"},
                shard_mb=shard_mb,
            )
        kept.append(read("kept", f"{name}1")["text"].to_list())
    assert kept[0] == kept[1]


def test_an_index_of_other_settings_is_refused(batches, run, tmp_path, settings):
    run(batches[0], "first", request={"index": tmp_path / "index"})
    with pytest.raises(
        InputError,
        match=(
            "was made with dedup.bands 20, now it is 30; use the same or another index"
        ),
    ):
        run(
            batches[1],
            "second",
            request={"index": tmp_path / "index"},
            dedup={"bands": 30},
        )
    assert len(segments(tmp_path / "index", settings().dedup)) == 1
