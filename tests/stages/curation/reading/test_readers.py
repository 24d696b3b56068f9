import gzip
import json

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from stages.curation.reading.documents import SCHEMA, document_id
from stages.curation.reading.readers import (
    Columns,
    ReadReport,
    read_all,
    read_documents,
)
from stages.foundation.errors import InputError

ROWS = [
    {"text": "First é text", "id": "r1", "lang": "en"},
    {"text": "Second\ntext", "id": "r2", "lang": None},
]


def json_lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def write(folder, name, rows=ROWS):
    path = folder / name
    if name.endswith(".parquet"):
        pl.DataFrame(rows).write_parquet(path)
    else:
        pack = (
            gzip.compress
            if name.endswith(".gz")
            else zstandard.compress
            if name.endswith(".zst")
            else bytes
        )
        path.write_bytes(pack(rows if isinstance(rows, bytes) else json_lines(rows)))
    return path


@pytest.mark.parametrize(
    "name", ["a.jsonl", "a.json", "a.ndjson", "a.jsonl.gz", "a.jsonl.zst", "a.parquet"]
)
def test_every_format_gives_the_same_documents(tmp_path, name):
    frame = read_all(write(tmp_path, name), "pool", columns=Columns(lang="lang"))
    assert dict(frame.schema) == SCHEMA
    assert frame["text"].to_list() == ["First é text", "Second\ntext"]
    assert frame["source"].to_list() == [f"{name}:1", f"{name}:2"]
    assert frame["id"].to_list() == [document_id("pool", f"{name}:{k}") for k in (1, 2)]
    assert frame["lang"].to_list() == ["en", None]


def test_text_folder_is_one_document_a_file(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.txt").write_text("\ufeffWith a byte order mark", encoding="utf-8")
    (tmp_path / "sub" / "a.md").write_text("Another")
    frame = read_all(tmp_path, "pool", lang="en")
    assert frame["source"].to_list() == ["b.txt", "sub/a.md"]
    assert frame["text"].to_list() == ["With a byte order mark", "Another"]
    assert frame["lang"].to_list() == ["en", "en"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_columns_can_be_mapped(tmp_path, name):
    path = write(tmp_path, name, [{"body": "hello", "key": 7}])
    frame = read_all(path, "pool", columns=Columns(text="body", id="key"))
    assert frame["source"].to_list() == [f"{name}#7"]


def test_line_numbers_count_blank_lines(tmp_path):
    path = write(
        tmp_path,
        "a.jsonl",
        b'{"text": "a"}\n\n  \n{"text": "b"}\r\n{"text": "no newline at the end"}',
    )
    assert read_all(path, "p")["source"].to_list() == [
        "a.jsonl:1",
        "a.jsonl:4",
        "a.jsonl:5",
    ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_empty_texts_are_counted_and_named(tmp_path, name):
    rows = [{"text": "a"}, {"text": " \n"}, {"text": None}, {"text": "b"}]
    report = ReadReport()
    frame = read_all(write(tmp_path, name, rows), "p", report=report)
    assert frame["text"].to_list() == ["a", "b"]
    assert (
        report.rows,
        report.empty,
        report.documents,
        report.files,
        report.characters,
    ) == (4, 2, 2, 1, 2)
    assert report.empty_sources == [f"{name}:2", f"{name}:3"]


def test_batches_are_bounded_and_splitting_changes_no_character(tmp_path):
    path = write(tmp_path, "a.jsonl", [{"text": "Some sentence. " * 20}] * 50)
    report = ReadReport()
    batches = list(
        read_documents(path, "p", batch_chars=3000, passage_chars=100, report=report)
    )
    assert len(batches) == 5
    assert report.rows == 50 and report.documents == 50 * 4
    assert report.characters == 50 * 300
    assert pl.concat(batches)["parent"].n_unique() == 50


def test_reading_is_the_same_for_any_batch_size(tmp_path):
    path = write(tmp_path, "a.jsonl", [{"text": f"document {i}"} for i in range(30)])
    assert read_all(path, "p", batch_chars=25).equals(read_all(path, "p"))


BROKEN = [
    (b"", r"a\.jsonl: the file is empty"),
    (b"\n\n", r"a\.jsonl: the file holds no rows"),
    (
        b'{"text": "a"}\n{"text": "b\n',
        r"a\.jsonl:2: broken JSON \(.*column \d+, near .*mend or delete the line",
    ),
    (b"[\n{}\n]\n", r"a\.jsonl:1: broken JSON .*jq -c"),
    (
        b'[{"text": "a"}]\n',
        r"a\.jsonl:1: the line holds a JSON array, not an object.*jq",
    ),
    (
        b'{"body": "a", "url": "u"}\n',
        (
            r"a\.jsonl:1: no column 'text'; columns seen: body, url; map it, for"
            r" example text=body"
        ),
    ),
    (
        b'{"x": 1}\n',
        r"a\.jsonl:1: no column 'text'; columns seen: x; map the column that holds it",
    ),
    (
        b'{"text": "a"}\n{"text": 12}\n',
        r"a\.jsonl:2: column 'text' holds int '12', not text",
    ),
    (b'{"text": {"a": 1}}\n', r"a\.jsonl:1: column 'text' holds dict"),
    (
        b'{"text": "a"}\n{"text": "\xe9"}\n',
        r"a\.jsonl:2: not UTF-8 at byte 24 \(value 0xe9\)",
    ),
    ('{"text": "a"}\n'.encode("utf-16"), r"a\.jsonl:1: not UTF-8 at byte 0 .*UTF-16"),
    (
        b'{"text": "half \\ud83d of it"}\n',
        r"a\.jsonl:1: half a surrogate pair \(\\ud83d\) at character 5",
    ),
]


@pytest.mark.parametrize(("content", "message"), BROKEN)
def test_broken_json_lines_name_file_line_and_cure_in_one_line(
    tmp_path, content, message
):
    with pytest.raises(InputError, match=message) as caught:
        read_all(write(tmp_path, "a.jsonl", content), "p")
    assert "\n" not in str(caught.value)


def test_escaped_pairs_are_text(tmp_path):
    assert (
        read_all(write(tmp_path, "a.jsonl", b'{"text": "\\ud83d\\ude00"}\n'), "p")[
            "text"
        ].item()
        == "\U0001f600"
    )


def test_a_repeated_id_is_refused(tmp_path):
    path = write(
        tmp_path, "a.jsonl", [{"text": "a", "id": "x"}, {"text": "b", "id": "x"}]
    )
    with pytest.raises(InputError, match=r"id 'x' occurs twice in column 'id'"):
        read_all(path, "p", columns=Columns(id="id"))


def test_parquet_errors_name_the_column_and_the_file(tmp_path):
    path = write(tmp_path, "a.parquet", [{"content": "a", "n": 1}])
    with pytest.raises(
        InputError,
        match=(
            r"a\.parquet: no column 'text'; columns seen: content, n; map it, for"
            r" example text=content"
        ),
    ):
        read_all(path, "p")
    with pytest.raises(InputError, match=r"column 'n' is int64, not text"):
        read_all(path, "p", columns=Columns(text="n"))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"a\.parquet: not a readable parquet file"):
        read_all(path, "p", columns=Columns(text="content"))


def test_parquet_ids_must_be_there(tmp_path):
    path = write(
        tmp_path, "a.parquet", [{"text": "a", "id": "x"}, {"text": "b", "id": None}]
    )
    with pytest.raises(InputError, match="row 2 has no value in the id column 'id'"):
        read_all(path, "p", columns=Columns(id="id"))


def test_parquet_text_must_be_utf8(tmp_path):
    bad = pa.array([b"ok", b"\xff\xfe"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": bad}), tmp_path / "a.parquet")
    with pytest.raises(
        InputError, match=r"a\.parquet: row 2 holds text that is not UTF-8"
    ):
        read_all(tmp_path / "a.parquet", "p")


def test_categorical_parquet_is_text(tmp_path):
    pl.DataFrame(
        {"text": pl.Series(["a", "b", "a"], dtype=pl.Categorical)}
    ).write_parquet(tmp_path / "a.parquet")
    assert read_all(tmp_path / "a.parquet", "p")["text"].to_list() == ["a", "b", "a"]


def test_files_of_a_folder_left_out_are_reported(tmp_path):
    write(tmp_path, "a.jsonl")
    (tmp_path / "b.csv").write_text("x")
    report = ReadReport()
    read_all(tmp_path, "p", report=report)
    assert [path.name for path in report.ignored] == ["b.csv"]
