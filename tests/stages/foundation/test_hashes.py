"""What a stage made is recorded, and a changed file of it is named before it is read."""

from pathlib import Path

import pytest

from flows.commands.project.damage import damage_rows
from stages.foundation import hashes
from stages.foundation.errors import InputError


@pytest.fixture(autouse=True)
def made(tmp_path, monkeypatch):
    """A stage that made a folder of two files, and a file."""
    monkeypatch.chdir(tmp_path)
    Path("data/pack/pools").mkdir(parents=True)
    Path("data/pack/pools/tokens.bin").write_bytes(b"\1\2" * 500)
    Path("data/pack/pools/index.parquet").write_bytes(b"index")
    Path("data/pack/tokenizer.json").write_text("{}")
    hashes.record("pack", ["data/pack/pools", "data/pack/tokenizer.json"])


def test_what_is_whole_passes_and_so_does_what_nobody_recorded():
    Path("raw").write_text("mine")
    hashes.require_whole(["data/pack/pools", "data/pack/tokenizer.json", "raw"])


@pytest.mark.parametrize(
    ("file", "content", "why"),
    [
        ("pools/tokens.bin", b"\1\2" * 499, "has 998 bytes, 1000 were written"),
        ("pools/tokens.bin", b"\1\3" + b"\1\2" * 499, "hashes to"),
        ("pools/index.parquet", b"Index", "hashes to"),
        ("pools/index.parquet", None, "is missing"),
    ],
)
def test_a_changed_file_is_named_with_the_cure(file, content, why):
    path = Path("data/pack") / file
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        hashes.require_whole(["data/pack/pools"])
    assert str(refused.value).startswith(f"{path} is damaged ({why}")
    assert str(refused.value).endswith("; delete it and `assay run` makes it again")
    hashes.require_whole(["data/pack/tokenizer.json"])
    [fault] = hashes.faults(hashes.known_files("pack"))
    assert fault == str(refused.value)


def test_large_files_are_held_to_their_size_alone(monkeypatch):
    Path("data/pack/pools/tokens.bin").write_bytes(b"\1\3" * 500)
    monkeypatch.setattr(hashes, "HASHED_BYTES", 100)
    hashes.require_whole(["data/pack/pools"])
    assert len(list(hashes.faults(hashes.known_files("pack")))) == 1
    Path("data/pack/pools/tokens.bin").write_bytes(b"\1")
    with pytest.raises(InputError, match="has 1 bytes, 1000 were written"):
        hashes.require_whole(["data/pack/pools"])


def test_a_stage_that_begins_forgets_what_it_made():
    hashes.forget("pack")
    assert hashes.recorded_stages() == [] and hashes.known_files("pack") == {}
    hashes.require_whole(["data/pack/pools"])


def test_a_damaged_record_is_named():
    Path("data/hashes/pack.json").write_text('{"files"')
    with pytest.raises(InputError, match=r"data/hashes/pack.json is damaged"):
        hashes.require_whole(["data/pack/pools"])


@pytest.mark.parametrize(
    "content",
    [
        *("[]", "{}", "null", "5", '"x"', '{"files": []}', '{"files": {"a": 5}}'),
        '{"files": {"a": {"bytes": 5}}}',
        '{"files": {"a": {"bytes": "5", "hash": 1}}}',
    ],
)
def test_a_record_of_another_form_is_named(content):
    Path("data/hashes/pack.json").write_text(content)
    with pytest.raises(InputError, match=r"^data/hashes/pack\.json is damaged \(it"):
        hashes.require_whole(["data/pack/pools"])
    [row] = [row for row in damage_rows() if row["kind"] == "file"]
    assert row["because"].startswith("data/hashes/pack.json is damaged")
