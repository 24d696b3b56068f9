"""A new batch against what earlier runs kept."""

import random
import subprocess
import sys

import pytest

from stages.curate.searches.signature_index import locked, segments
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


def test_a_batch_of_which_nothing_stays_goes_into_an_index_too(
    write, run, read, tmp_path, rows
):
    options = {"request": {"index": tmp_path / "index"}, "rules": ["gopher"]}
    page = [{"text": next(row["text"] for row in rows if row["key"] == "k50")}]
    run(write(name="a", content=[{"text": "too short"}]), "first", **options)
    run(write(name="b", content=page), "second", rules=[], request=options["request"])
    run(write(name="c", content=page), "third", rules=[], request=options["request"])
    kept = [read("kept", name).height for name in ("first", "second", "third")]
    assert kept == [0, 1, 0]


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


def test_what_is_replaced_does_not_count(batches, run, read, tmp_path):
    """With other settings too, as the message of a run that is in the way advises."""
    index = {"index": tmp_path / "index"}
    first = run(batches[0], "first", request=index)
    for settings in ({}, {"part_chars": 30_000}):
        again = run(
            batches[0], "first", request=index | {"overwrite": True}, **settings
        )
        assert again["kept"]["documents"] == first["kept"]["documents"] > 0
    assert len(list((tmp_path / "index").glob("[0-9a-f]*"))) == 1
    second = run(batches[0], "second", request=index)
    assert second["kept"]["documents"] == 0  # all are copies of what "first" holds now
    assert set(read("dropped", "second")["duplicate_of"].drop_nulls()) <= set(
        read("kept", "first")["id"]
    )


def test_a_replaced_result_without_an_index_leaves_other_indexes_alone(
    batches, run, tmp_path
):
    run(batches[0], "first", request={"index": tmp_path / "index"})
    run(batches[1], "other", request={"index": tmp_path / "index"})
    run(batches[1], "other", request={"index": tmp_path / "index", "overwrite": True})
    names = [path.name for path in (tmp_path / "index").iterdir() if path.is_dir()]
    assert len(names) == 2


HOLD = """
import sys
from pathlib import Path
from stages.curate.searches.signature_index import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_two_runs_do_not_work_with_one_index_at_once(batches, run, tmp_path):
    index = tmp_path / "index"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(index)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "held\n"
        said = rf"at work with this index \(process {other.pid} since"
        with pytest.raises(InputError, match=said):
            run(batches[0], "first", request={"index": index})
        other.communicate("\n")
    assert run(batches[0], "first", request={"index": index})["kept"]["documents"] > 0
    with locked(index):
        pass


def page(rng, n=300):
    return [
        f"{a}{b}{rng.randrange(10_000)}"
        for a, b in zip(
            rng.choices("abcdefgh", k=n), rng.choices("stuvwxyz", k=n), strict=True
        )
    ]


def test_new_documents_are_compared_with_old_ones(write, run, read, tmp_path):
    """Edited copies at .97, .85 and .75, and 20 pages of one template at .66."""
    rng = random.Random(0)
    options = {"request": {"index": tmp_path / "index"}, "rules": []}
    old, template = page(rng), page(rng, 160)
    turned = [template + page(rng, 40) for _ in range(20)]
    first = [old, *turned[:10]]
    run(
        write(name="a", content=[{"text": " ".join(words)} for words in first]),
        "first",
        **options,
    )
    assert len(read("kept", "first")) == 11
    # n words at the end changed: (296 - n) of (296 + n) shingles
    edited = [old[: 300 - n] + page(rng, n) for n in (4, 24, 42)]
    run(
        write(
            name="b",
            content=[{"text": " ".join(words)} for words in edited + turned[10:]],
        ),
        "second",
        **options,
    )
    dropped = read("dropped", "second")
    assert dropped["text"].to_list() == [" ".join(words) for words in edited[:2]]
    assert dropped["similarity"].to_list() == pytest.approx(
        [292 / 300, 272 / 320], abs=0.03
    )
    assert set(dropped["duplicate_of"]) == {read("kept", "first")["id"][0]}
    assert read("dropped", "second")["reason"].unique().to_list() == ["duplicate_near"]


def test_an_index_of_an_earlier_version_is_refused(batches, run, tmp_path):
    (tmp_path / "index").mkdir()
    (tmp_path / "index/index.json").write_text(
        '{"policy": "near", "shingle_words": 5, "bands": 14, "rows": 8, "seed": 1}'
    )
    with pytest.raises(InputError, match="made by an earlier version; give another"):
        run(batches[0], "first", request={"index": tmp_path / "index"})


HARMS = {
    "cut": lambda content: content[: len(content) * 2 // 3],
    "flipped": lambda content: (
        content[: len(content) // 2]
        + bytes([content[len(content) // 2] ^ 1])
        + content[len(content) // 2 + 1 :]
    ),
    "empty": lambda content: b"",
    "list": lambda content: b"[]",
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
@pytest.mark.parametrize(
    "name", ["index.json", "*/unit-*/marks.bin", "*/unit-*/sketches.bin"]
)
def test_a_damaged_file_of_an_index_is_named_and_nothing_is_written(
    batches, run, tmp_path, name, harm
):
    request = {"index": tmp_path / "index"}
    run(batches[0], "first", request=request)
    [file] = (tmp_path / "index").glob(name)
    file.write_bytes(harm(file.read_bytes()))
    with pytest.raises(InputError) as refused:
        run(batches[1], "second", request=request)
    said = str(refused.value)
    assert said.startswith(f"{file} is damaged (") and len(said.splitlines()) == 1
    assert said.endswith("give another index and curate the old input with it once")
    assert not (tmp_path / "second/manifest.json").exists()


def test_a_missing_file_of_an_index_is_named(batches, run, tmp_path):
    request = {"index": tmp_path / "index"}
    run(batches[0], "first", request=request)
    [file] = (tmp_path / "index").glob("*/unit-*/sketches.bin")
    file.unlink()
    with pytest.raises(InputError, match=r"sketches\.bin is damaged \(is missing\)"):
        run(batches[1], "second", request=request)
