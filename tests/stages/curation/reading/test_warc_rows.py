"""WET files: text records are documents, everything else of a crawl is not."""

import gzip
import random

import pytest

from stages.curation.reading.named_files import find_files
from stages.curation.reading.readers import Columns, read_all, read_rows
from stages.foundation.errors import InputError

TEXTS = ["First é text", "Second\ntext", "", "Fourth"]


def record(kind: str, payload: bytes, number: int) -> bytes:
    headers = [
        "WARC/1.0",
        f"WARC-Type: {kind}",
        f"WARC-Target-URI: http://a/{number}",
        f"WARC-Record-ID: <urn:uuid:0-{number}>",
    ]
    headers += [
        "WARC-Identified-Content-Language: eng",
        "Content-Type: text/plain",
        f"Content-Length: {len(payload)}",
    ]
    return "\r\n".join(headers).encode() + b"\r\n\r\n" + payload + b"\r\n\r\n"


def wet(texts=TEXTS, kind="conversion", gz=True) -> bytes:
    """A crawl's file as it is published: each record is a gzip member of its own."""
    payloads = [text if isinstance(text, bytes) else text.encode() for text in texts]
    records = [
        record("warcinfo", b"software: test", 99),
        *(record(kind, payload, at) for at, payload in enumerate(payloads)),
    ]
    return b"".join(map(gzip.compress, records) if gz else records)


@pytest.mark.parametrize("name", ["a.warc.wet.gz", "a.wet", "a.warc"])
def test_text_records_are_documents(tmp_path, name):
    (tmp_path / name).write_bytes(wet(gz=name.endswith("gz")))
    frame = read_all(
        tmp_path, "p", columns=Columns(lang="WARC-Identified-Content-Language")
    )
    assert frame["text"].to_list() == ["First é text", "Second\ntext", "Fourth"]
    assert (
        frame["source"].to_list() == [f"{name}:1", f"{name}:2", f"{name}:4"]
        and frame["lang"].to_list() == ["eng"] * 3
    )


def rows_of(path, **columns):
    bad = []
    rows = list(
        read_rows(
            find_files(path)[0][0],
            Columns(**columns),
            10**6,
            on_bad=bad.append,
            max_row_bytes=10_000,
        )
    )
    return [text for batch in rows for text in batch.texts], rows, bad


def test_headers_are_columns(tmp_path):
    (tmp_path / "a.wet").write_bytes(wet(gz=False))
    _, [rows], _ = rows_of(tmp_path, id="WARC-Record-ID", extra=("url", "absent"))
    assert (
        rows.extra["url"] == [f"http://a/{at}" for at in range(4)]
        and rows.extra["absent"] == [None] * 4
    )
    assert all(name.startswith("<urn:uuid:") for name in rows.names)


def test_a_cut_off_file_gives_what_is_there(tmp_path):
    texts = [
        "".join(random.Random(at).choices("abcdefghij ", k=4000)) for at in range(100)
    ]
    (tmp_path / "a.wet.gz").write_bytes(wet(texts)[:-20_000])
    found, _, bad = rows_of(tmp_path)
    assert found == texts[: len(found)] and 80 < len(found) < 95
    assert "gz stream cut off at byte" in str(bad[-1].error)


def test_records_that_are_no_text_are_named(tmp_path):
    (tmp_path / "a.wet").write_bytes(
        wet(["good", b"\xff\xfe", "x" * 20_000, "also good"], gz=False)
    )
    found, _, bad = rows_of(tmp_path)
    assert (
        found == ["good", "also good"]
        and [row.line for row in bad] == [2, 3]
        and bad[0].raw == b"\xff\xfe"
    )
    assert "not UTF-8" in str(
        bad[0].error
    ) and "20000 bytes, more than max_row_bytes" in str(bad[1].error)


def test_pages_and_other_bytes_are_refused_with_the_cure(tmp_path):
    (tmp_path / "a.warc").write_bytes(
        wet(["HTTP/1.1 200 OK\r\n\r\n<p>x"], kind="response", gz=False)
    )
    with pytest.raises(
        InputError, match="a.warc: holds web pages, not text; give the WET file"
    ):
        read_all(tmp_path, "p")
    (tmp_path / "a.warc").write_bytes(b"no warc at all\n" * 9)
    with pytest.raises(InputError, match="a.warc: not a readable WARC file"):
        read_all(tmp_path, "p")


@pytest.mark.parametrize("said", ["3", "60", "999999", "", "x", "-4"])
@pytest.mark.parametrize("packed", [True, False])
def test_a_record_of_another_length_costs_no_other(tmp_path, said, packed):
    texts = [f"The text of page {at}." for at in range(5)]
    raw = wet(texts, gz=False)
    wrong = raw.replace(
        b"Content-Length: 19\r\n\r\nThe text of page 2.",
        f"Content-Length: {said}\r\n\r\nThe text of page 2.".encode(),
    )
    assert wrong != raw
    name = "a.wet.gz" if packed else "a.wet"
    (tmp_path / name).write_bytes(gzip.compress(wrong) if packed else wrong)
    found, _, bad = rows_of(tmp_path / name)
    assert found == [*texts[:2], *texts[3:]]
    assert [row.line for row in bad] == [3]
    assert b"The text of page 2." in bad[0].raw or said == "999999"


@pytest.mark.parametrize("kind", ["response", "resource", "converzion"])
def test_records_that_are_not_read_are_told_also_beside_text(tmp_path, kind):
    others = wet(["<p>x", "<p>y"], kind=kind, gz=False)
    about = wet(["said of a page"], kind="metadata", gz=False)
    (tmp_path / "a.warc").write_bytes(wet(["text"], gz=False) + others + about)
    found, _, bad = rows_of(tmp_path)
    assert found == ["text"] and [row.is_rest for row in bad] == [True]
    assert str(bad[0].error).endswith(f"(2 of type {kind})")


def test_what_a_crawl_says_of_itself_is_no_document(tmp_path):
    about = wet(["said of a page"], kind="metadata", gz=False)
    (tmp_path / "a.warc").write_bytes(wet(["text"], gz=False) + about)
    found, _, bad = rows_of(tmp_path)
    assert found == ["text"] and bad == []
