"""Every kind of broken input: one clear line, what cannot be read set aside, nothing lost, and `strict` to stop."""

import base64
import errno
import gzip
import json
import os
import resource
import subprocess
import sys

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from stages.curate.work import staged
from stages.curation.reading import row_groups, storage
from stages.foundation.errors import InputError
from stages.foundation.stage import ROOT

GOOD = [{"text": f"A good document, number {at}."} for at in range(50)]
LINES = "".join(json.dumps(row) + "\n" for row in GOOD).encode()


@pytest.fixture
def curated(tmp_path, run, read):
    """curated(strict=...) -> (manifest, texts kept and dropped, quarantine), of tmp_path/raw, all rules off."""

    def done(strict=False, **changes):
        manifest = run(
            tmp_path / "raw",
            f"out{strict}",
            request={"strict": strict},
            **({"rules": [], "dedup": {"policy": "none"}} | changes),
        )
        kept, dropped = read("kept", f"out{strict}"), read("dropped", f"out{strict}")
        file = tmp_path / f"out{strict}/quarantine.jsonl"
        aside = (
            [json.loads(line) for line in file.read_text().splitlines()]
            if file.exists()
            else []
        )
        counts, rests = manifest["counts"], [bad for bad in aside if "rest" in bad]
        assert counts["bad_rows"] == len(aside) - len(rests)
        assert counts["bad_files"] == len({bad["file"] for bad in rests})
        judged = len(kept) + len(dropped) + counts["empty"]
        assert counts["rows"] == judged + counts["bad_rows"]
        return manifest, kept, dropped, aside

    (tmp_path / "raw").mkdir()
    return done


def strict_refuses(curated, message):
    with pytest.raises(InputError, match=message) as caught:
        curated(strict=True)
    assert "\n" not in str(caught.value)


def test_a_broken_line_in_the_middle(curated, tmp_path):
    (tmp_path / "raw/a.jsonl").write_bytes(LINES + b'{"text": "broken\n' + LINES)
    manifest, kept, _, [bad] = curated()
    assert len(kept) == 100 and manifest["counts"]["bad_rows"] == 1
    assert (bad["file"], bad["line"], bad["offset"], bad["raw"]) == (
        "a.jsonl",
        51,
        len(LINES),
        '{"text": "broken',
    )
    assert "a.jsonl:51: broken JSON" in manifest["faults"]["a.jsonl"]["first"]
    strict_refuses(curated, r"a\.jsonl:51: broken JSON")


def test_a_truncated_gzip_gives_what_is_there(curated, tmp_path):
    big = b"".join(
        json.dumps({"text": os.urandom(400).hex()}).encode() + b"\n" for _ in range(500)
    )
    (tmp_path / "raw/a.jsonl.gz").write_bytes(gzip.compress(big)[:-50_000])
    (tmp_path / "raw/b.jsonl").write_bytes(LINES)
    _, kept, _, [bad] = curated()
    read = [text for text in kept["text"] if not text.startswith("A good")]
    assert len(kept) == len(read) + 50 and 200 < len(read) < 500
    assert "gz stream cut off at byte" in bad["reason"] and bad["line"] == len(read) + 1
    assert big[bad["offset"] :].startswith(bad["raw"].encode()) and big[
        : bad["offset"]
    ].count(b"\n") == len(read)
    strict_refuses(
        curated, r"a\.jsonl\.gz: gz stream cut off at byte .* fetch the file again"
    )


def damaged_files(folder):
    """Good rows, and seven files that cannot be read, or not to their end; their names."""
    texts = [f"good text {i}" for i in range(60)]
    pq.write_table(pa.table({"text": texts}), folder / "good.parquet")
    whole = (folder / "good.parquet").read_bytes()
    lines = b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)
    packed = zstandard.compress(lines)
    damaged = {
        "cut.parquet": whole[: len(whole) // 2],
        "hole.parquet": whole[:40]
        + bytes(len(whole) // 3)
        + whole[40 + len(whole) // 3 :],
        "cut.jsonl.zst": packed[: len(packed) // 2],
        "no.jsonl.zst": b"no zst at all",
        "no.jsonl.gz": b"no gzip at all",
        "no.wet.gz": b"no wet at all",
        "latin.txt": b"caf\xe9",
    }
    for name, content in damaged.items():
        (folder / name).write_bytes(content)
    return sorted(damaged)


def test_a_file_that_cannot_be_read_is_counted_as_a_file_and_named(curated, tmp_path):
    damaged = damaged_files(tmp_path / "raw")
    manifest, kept, _, aside = curated()
    assert sorted({bad["file"] for bad in aside}) == damaged
    assert manifest["counts"]["bad_files"] == 7 and manifest["counts"]["bad_rows"] == 0
    assert len(kept) >= 60
    report = (tmp_path / "outFalse/report.md").read_text("utf-8")
    assert (
        "0 cannot be read" in report and "\n7 files could not be read, or not" in report
    )
    for name in damaged:
        assert f"/{name}: " in report.replace("\\", "")


def test_a_file_with_a_bad_row_and_a_lost_end_says_both(curated, tmp_path):
    lines = b'{"text": "broken\n' + b"no json\n" + LINES * 40
    (tmp_path / "raw/a.jsonl.gz").write_bytes(gzip.compress(lines)[:-30])
    manifest, *_ = curated()
    fault = manifest["faults"]["a.jsonl.gz"]
    assert fault["rows"] == 2 and "a.jsonl.gz:1: broken JSON" in fault["first"]
    assert "gz stream cut off" in fault["rest"]
    report = (tmp_path / "outFalse/report.md").read_text("utf-8")
    assert "broken JSON" in report and "gz stream cut off" in report


def test_invalid_utf8_is_kept_as_base64(curated, tmp_path):
    (tmp_path / "raw/a.jsonl").write_bytes(LINES + b'{"text": "\xe9t\xe9"}\n')
    _, kept, _, [bad] = curated()
    assert (
        len(kept) == 50
        and base64.b64decode(bad["raw_base64"]) == b'{"text": "\xe9t\xe9"}'
    )
    strict_refuses(curated, r"a\.jsonl:51: not UTF-8 at byte")


def test_one_bad_row_of_parquet_costs_no_other(curated, tmp_path):
    bad_text = pa.array([b"good one", b"\xff\xfe", b"good two"], pa.binary()).view(
        pa.string()
    )
    pq.write_table(pa.table({"text": bad_text}), tmp_path / "raw/a.parquet")
    _, kept, _, [bad] = curated()
    assert kept["text"].to_list() == ["good one", "good two"] and kept[
        "source"
    ].to_list() == ["a.parquet:1", "a.parquet:3"]
    assert (bad["line"], base64.b64decode(bad["raw_base64"])) == (2, b"\xff\xfe")


def test_nul_bytes(curated, tmp_path):
    """In a text they are a reason to drop it; a hole of them in the file is a row that cannot be read."""
    (tmp_path / "raw/a.jsonl").write_bytes(
        b'{"text": "a \\u0000 b"}\n' + b"\0" * 100 + b"\n" + LINES
    )
    _, kept, dropped, [bad] = curated()
    assert len(kept) == 50 and dropped.select("text", "reason").rows() == [
        ("a \0 b", "nul_character")
    ]
    assert bad["raw"] == "\0" * 100


def test_mixed_schemas(curated, tmp_path):
    """A row without the column is set aside; a parquet file without it is set aside whole, and says
    which columns it has.
    """
    pl.DataFrame({"content": ["x"], "n": [1]}).write_parquet(tmp_path / "raw/a.parquet")
    pl.DataFrame({"text": [1, 2]}).write_parquet(tmp_path / "raw/b.parquet")
    (tmp_path / "raw/c.jsonl").write_bytes(
        b'{"content": "x"}\n{"text": 5}\n[1]\n' + LINES
    )
    manifest, kept, _, aside = curated()
    assert len(kept) == 50 and [(bad["file"], bad["line"]) for bad in aside] == [
        ("a.parquet", None),
        ("b.parquet", None),
        ("c.jsonl", 1),
        ("c.jsonl", 2),
        ("c.jsonl", 3),
    ]
    assert (
        "columns seen: content, n; map it, for example text=content"
        in aside[0]["reason"]
    )
    assert "is int64, not text" in aside[1]["reason"]
    assert manifest["faults"]["c.jsonl"]["rows"] == 3


def test_no_parquet_at_all(curated, tmp_path):
    (tmp_path / "raw/a.parquet").write_bytes(b"PAR1 no, it is not")
    (tmp_path / "raw/b.jsonl").write_bytes(LINES)
    _, kept, _, [bad] = curated()
    assert len(kept) == 50 and "a.parquet: not a readable parquet file" in bad["reason"]
    strict_refuses(curated, "a.parquet: not a readable parquet file")


def test_empty_files_are_named(curated, tmp_path):
    (tmp_path / "raw/a.jsonl").write_bytes(b"")
    (tmp_path / "raw/b.jsonl").write_bytes(LINES)
    pl.DataFrame({"text": []}, schema={"text": pl.String}).write_parquet(
        tmp_path / "raw/c.parquet"
    )
    manifest, kept, _, _ = curated()
    assert len(kept) == 50 and [
        os.path.basename(path) for path in manifest["empty_files"]
    ] == ["a.jsonl", "c.parquet"]
    strict_refuses(curated, r"a\.jsonl: the file is empty")


@pytest.mark.parametrize("dedup", ["exact", "near"])
def test_an_input_whose_text_is_all_null_is_an_error(curated, tmp_path, dedup):
    (tmp_path / "raw/a.jsonl").write_text('{"text": null}\n{"text": null}\n')
    with pytest.raises(InputError, match="all 2 rows are without text") as refused:
        curated(rules=[], dedup={"policy": dedup})
    assert "a.jsonl" in str(refused.value)
    assert not (tmp_path / "outFalse/manifest.json").exists()


@pytest.mark.parametrize("content", [b"", b"\n\n", b"{}\n[]\n"])
def test_nothing_that_can_be_read_is_an_error(curated, tmp_path, content):
    (tmp_path / "raw/a.jsonl").write_bytes(content)
    with pytest.raises(
        InputError,
        match=r"a\.jsonl.*(the file is empty|holds no rows|no column 'text')",
    ):
        curated()


def test_a_document_too_long_to_measure_is_dropped_whole(curated, tmp_path):
    long = "word " * 2_000
    (tmp_path / "raw/a.jsonl").write_bytes(
        LINES + json.dumps({"text": long}).encode() + b"\n"
    )
    _, kept, dropped, _ = curated(
        rules=["gopher_min_words"], thresholds={"min_doc_words": 1}, max_doc_chars=5_000
    )
    assert (
        len(kept) == 50
        and dropped["reason"].to_list() == ["too_long"]
        and dropped["text"].item() == long
    )
    assert dropped["named_words"].item() is None


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.txt"])
def test_a_row_too_long_to_hold_is_named_and_passed_over(curated, tmp_path, name):
    line = json.dumps({"text": "x" * 3_000_000}).encode()
    content = line if name == "a.txt" else LINES + line + b"\n" + LINES
    (tmp_path / "raw" / name).write_bytes(
        gzip.compress(content) if name.endswith("gz") else content
    )
    (tmp_path / "raw/b.jsonl").write_bytes(LINES)
    _, kept, _, [bad] = curated(max_row_bytes=1_000_000)
    assert (
        len(kept) == (50 if name == "a.txt" else 150)
        and "max_row_bytes" in bad["reason"]
        and len(bad["raw"]) <= 1_000
    )
    assert bad["line"] == (None if name == "a.txt" else 51)


def test_no_permission_stops_before_any_work(curated, tmp_path, monkeypatch):
    """A root user reads everything, so the refusal of the system is played."""
    (tmp_path / "raw/a.jsonl").write_bytes(LINES)
    (tmp_path / "raw/b.jsonl").write_bytes(LINES)

    def denied(path, *arguments):
        if str(path).endswith("b.jsonl"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return open(path, *arguments)

    monkeypatch.setattr(storage, "open", denied, raising=False)
    with pytest.raises(
        InputError, match=r"b\.jsonl: no permission to read; give it \(chmod"
    ):
        curated()
    assert not (tmp_path / "outFalse").exists()


@pytest.mark.parametrize("module", [staged, row_groups])
def test_a_full_disk_is_one_line_and_the_run_goes_on_later(
    curated, tmp_path, monkeypatch, module
):
    """While documents are staged, and while the output is written."""

    class Full(pq.ParquetWriter):
        def write_table(self, *arguments, **options):
            raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "raw/a.jsonl").write_bytes(LINES)
    with monkeypatch.context() as patch:
        patch.setattr(module.pq, "ParquetWriter", Full)
        with pytest.raises(
            InputError,
            match=(
                "cannot be written: No space left on device; make room and run again,"
                " finished work is kept"
            ),
        ):
            curated()
    assert not list((tmp_path / "outFalse").rglob("*.tmp"))
    assert len(curated()[1]) == 50


def test_a_file_size_limit_ends_the_command_with_code_2(tmp_path):
    """A real refusal of the system in the middle of writing: the limit stands for a full disk."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/a.jsonl").write_bytes(
        b"".join(
            json.dumps({"text": os.urandom(300).hex()}).encode() + b"\n"
            for _ in range(1000)
        )
    )
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))  # noqa: E731
    command = [sys.executable, "-m", "flows.cli", "curate", "raw", "--out", "out"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        preexec_fn=limit,
    )
    assert done.returncode == 2, done.stderr
    assert (
        "cannot be written: File too large; make room and run again, finished work is"
        " kept"
        in done.stderr
        and len(done.stderr.splitlines()) == 1
    )
    assert not (tmp_path / "outFalse/manifest.json").exists()


def test_a_column_that_no_row_has_is_said_and_refused_where_a_setting_needs_it(
    curated, tmp_path, caplog
):
    (tmp_path / "raw/a.jsonl").write_bytes(LINES)
    (tmp_path / "blocked.txt").write_text("bad.org\n")
    with caplog.at_level("WARNING", logger="assay"):
        curated(extra=["url"])
    assert "no row of the input has the column 'url'" in caplog.text
    lists = {"domains": str(tmp_path / "blocked.txt")}
    with pytest.raises(InputError, match="has the column 'url', which url_lists needs"):
        curated(True, extra=["url"], url_lists=lists)
    score = {"liked": {"kind": "column", "column": "stars"}}
    with pytest.raises(InputError, match=r"'stars', which scores\.liked needs"):
        curated(True, extra=["stars"], scores=score)


def test_other_content_of_the_same_size_and_time_is_another_input(curated, tmp_path):
    file = tmp_path / "raw/a.jsonl"
    file.write_bytes(LINES)
    before = os.stat(file)
    curated()
    file.write_bytes(LINES.replace(b"number 7.", b"number X."))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(InputError, match="other input or settings"):
        curated()
