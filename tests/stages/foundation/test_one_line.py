"""One line of at most 300 characters, without what opens a door."""

from pathlib import Path

import pytest

from stages.foundation.errors import InputError, told
from stages.foundation.one_line import MOST_CHARS, one_line, redacted, shortened

SECRET = (
    "postgresql://me:geheim@host:5432/runs",
    "postgresql://me:ge@heim@host/runs",
    "s3://AKIAKEY:geheim/with/slash@bucket/a.parquet",
    "https://geheim@host/api",
    "https://host/a?X-Amz-Signature=geheim&X-Amz-Credential=geheim",
    "mssql://host/db?user=me;password=geheim",
)
OPEN = (
    "http://127.0.0.1:5000/runs@2",
    "s3://bucket/mail@2024.parquet",
    "sqlite:////home/me/mlflow.db",
    "me@host.org wrote a: b",
)


@pytest.mark.parametrize("address", SECRET)
def test_no_secret_is_said(address):
    said = redacted(f"{address}: no such file; is it {address!r}?")
    assert "geheim" not in said and "AKIAKEY" not in said and "***" in said
    assert "no such file; is it" in said
    assert "geheim" not in str(InputError(f"{address}: no such file"))


@pytest.mark.parametrize("address", OPEN)
def test_what_is_no_secret_stays(address):
    assert redacted(address) == address


def test_a_long_value_is_cut_in_the_middle():
    said = shortened("params.yaml:7: seed: value " + "9" * 5000 + "; give a number")
    assert len(said) == MOST_CHARS
    assert said.startswith("params.yaml:7: seed: value 999")
    assert said.endswith("999; give a number") and " ... " in said


def test_halves_of_surrogate_pairs_and_line_breaks_are_printable():
    assert one_line("caf\udce9\n is\t gone") == "caf\\udce9 is gone"
    assert str(InputError("a\ud83d\nb")) == "a\\ud83d b"


def test_what_nobody_foresaw_is_one_line_with_its_traceback_in_a_file():
    try:
        {}["s3://key:geheim@bucket"]
    except KeyError as error:
        line, code = told(error, "assay")
    path = Path(line.rpartition(" ")[2])
    assert code == 1 and line.startswith("assay: KeyError: 's3://***@bucket';")
    written = path.read_text("utf-8")
    assert "Traceback" in written and "geheim" not in written
    path.unlink()
    line, _ = told(RuntimeError("x" * 10_000), "assay")
    assert len(line) <= MOST_CHARS and Path(line.rpartition(" ")[2]).is_file()
    Path(line.rpartition(" ")[2]).unlink()


def test_a_read_only_place_and_too_little_memory_are_told():
    line, code = told(PermissionError(13, "Permission denied", "/x/.work"), "assay")
    assert code == 2 and line.startswith("assay: /x/.work: Permission denied; ")
    assert "not enough memory" in told(MemoryError(), "assay")[0]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a\u202egpj.exe", r"a\u202egpj.exe"),
        ("\x1b[2Jgone\x07", r"\x1b[2Jgone\x07"),
        ("a\0b\x7f", r"a\x00b\x7f"),
        ("می‌خواهم", "می‌خواهم"),
        ("👩‍💻 é", "👩‍💻 é"),
    ],
)
def test_a_line_shows_what_would_move_the_cursor_or_the_text(name, told):
    assert one_line(f"{name}: no such file") == f"{told}: no such file"
