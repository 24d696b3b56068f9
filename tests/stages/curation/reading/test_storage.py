"""Files behind URLs are read and written as local ones are."""

import errno
import json
from pathlib import Path

import fsspec
import polars as pl
import pytest

from stages.curation.reading import storage
from stages.curation.reading.named_files import find_files
from stages.curation.reading.readers import read_all
from stages.foundation.errors import InputError

ROWS = [{"text": f"Document number {at}."} for at in range(5)]


@pytest.fixture
def bucket():
    """memory://bucket with a jsonl, a parquet and a text file, one hidden and one of another kind."""
    files = fsspec.filesystem("memory")
    files.pipe(
        "/bucket/a/one.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    )
    with files.open("/bucket/b.parquet", "wb") as handle:
        pl.DataFrame(ROWS).write_parquet(handle)
    for name, content in (
        ("note.txt", b"A note."),
        (".hidden.txt", b"x"),
        ("table.csv", b"x"),
    ):
        files.pipe(f"/bucket/{name}", content)
    yield "memory://bucket"
    files.rm("/bucket", recursive=True)


def test_a_folder_behind_a_url(bucket):
    files, ignored = find_files(bucket)
    assert [file.name for file in files] == [
        "a/one.jsonl",
        "b.parquet",
        "note.txt",
    ] and [path.name for path in ignored] == ["table.csv"]
    frame = read_all(bucket, "p")
    assert frame["source"].to_list() == [
        *(f"a/one.jsonl:{n}" for n in range(1, 6)),
        *(f"b.parquet:{n}" for n in range(1, 6)),
        "note.txt",
    ]


def test_globs_and_single_files(bucket):
    assert [file.name for file in find_files(f"{bucket}/**/*.jsonl")[0]] == [
        "a/one.jsonl"
    ]
    assert [file.name for file in find_files(f"{bucket}/b.parquet")[0]] == ["b.parquet"]


def test_a_file_url_is_a_path(tmp_path):
    (tmp_path / "a.txt").write_text("Here.")
    assert read_all(f"file://{tmp_path}", "p")["text"].to_list() == ["Here."]


def test_what_is_not_there(bucket, tmp_path):
    with pytest.raises(
        InputError, match="memory://bucket/none.jsonl: no such file or folder"
    ):
        find_files(f"{bucket}/none.jsonl")
    with pytest.raises(InputError, match="nonsense://a: .*known are local paths"):
        find_files("nonsense://a")


def test_a_changed_file_has_another_fingerprint(bucket, tmp_path):
    for path in (f"{bucket}/note.txt", str(tmp_path / "a.txt")):
        fsspec.open(path, "wb").open().close()
        before = storage.fingerprint(path)
        with fsspec.open(path, "wb") as handle:
            handle.write(b"other")
        assert storage.fingerprint(path) != before


def test_publishing_moves_a_file_whole(bucket, tmp_path):
    for number, target in enumerate(
        (f"{bucket}/out/a.txt", str(tmp_path / "out/a.txt"))
    ):
        source = tmp_path / f"source{number}"
        source.write_text("done")
        storage.publish(source, target)
        assert (
            storage.read_text(target) == "done"
            and storage.exists(target)
            and not source.exists()
        )


def test_publishing_over_disks_copies_whole(tmp_path, monkeypatch):
    """The refusal of the system to rename over disks is played."""
    source, target = tmp_path / "source", tmp_path / "out/a.txt"
    source.write_text("done")
    rename = storage.os.replace

    def only_within_a_folder(old, new):
        if Path(old).parent != Path(new).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(old, new)

    monkeypatch.setattr(storage.os, "replace", only_within_a_folder)
    storage.publish(source, str(target))
    assert (
        target.read_text() == "done"
        and not source.exists()
        and [file.name for file in target.parent.iterdir()] == ["a.txt"]
    )
