"""What a person names is read or refused; what lies in a folder and is not read is said."""

import logging
import os

import pytest

from stages.curation.reading.named_files import classify, find_files
from stages.foundation.errors import InputError


def names(files):
    return [file.name for file in files]


def write(path, data=b"x\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.parquet", ("parquet", "")),
        ("a.JSONL", ("jsonl", "")),
        ("a.b.jsonl.zst", ("jsonl", ".zst")),
        ("a.json.gz", ("jsonl", ".gz")),
        ("a.txt", ("text", "")),
        ("a.parquet.gz", None),
        ("a.csv", None),
        ("README", None),
        ("a.gz", None),
    ],
)
def test_kind_comes_from_the_suffix(tmp_path, name, kind):
    assert classify(tmp_path / name) == kind


def test_folder_is_walked_in_order_and_says_what_it_leaves_out(tmp_path):
    for name in ("b/2.jsonl", "b/1.jsonl", "a.parquet", "notes.csv", ".hidden/3.jsonl"):
        write(tmp_path / name)
    files, ignored = find_files(tmp_path)
    assert names(files) == ["a.parquet", "b/1.jsonl", "b/2.jsonl"]
    assert [path.name for path in ignored] == ["notes.csv"]


def test_glob_names_are_below_its_fixed_part(tmp_path):
    for name in ("2023/x.jsonl", "2024/x.jsonl", "2024/y.txt"):
        write(tmp_path / name)
    assert names(find_files(str(tmp_path / "*" / "*.jsonl"))[0]) == [
        "2023/x.jsonl",
        "2024/x.jsonl",
    ]


def test_equal_names_in_two_folders_are_told_apart(tmp_path):
    first, second = write(tmp_path / "a/part.jsonl"), write(tmp_path / "b/part.jsonl")
    assert names(find_files([first, second])[0]) == ["a/part.jsonl", "b/part.jsonl"]


def test_a_file_named_twice_is_read_once(tmp_path):
    file = write(tmp_path / "a.jsonl")
    assert names(find_files([file, tmp_path])[0]) == ["a.jsonl"]


@pytest.mark.parametrize("wanted", ["missing.jsonl", "missing/*.jsonl"])
def test_nothing_found_names_the_input(tmp_path, wanted):
    with pytest.raises(InputError, match=r"missing.*no (such )?file"):
        find_files(str(tmp_path / wanted))


def test_only_unknown_files_are_named(tmp_path):
    write(tmp_path / "a.csv")
    with pytest.raises(InputError, match=r"saw only a\.csv; readable are .*\.jsonl"):
        find_files(tmp_path)


@pytest.mark.parametrize(
    ("wanted", "match"),
    [
        ("missing.jsonl", "no such file"),
        ("missing/*.jsonl", "no file to read"),
        ("notes.csv", r"saw only notes\.csv"),
        ("*.csv", r"saw only notes\.csv"),
        ("empty", "no file to read"),
        ("", "names no file"),
        ("a\0b", "names no file"),
        ("x" * 300, "no such file"),
        ("dangling.jsonl", "is a link to none.jsonl, which is not there"),
    ],
)
def test_each_named_input_must_be_there_even_beside_good_ones(
    tmp_path, monkeypatch, wanted, match
):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "good.jsonl")
    write(tmp_path / "notes.csv")
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling.jsonl").symlink_to("none.jsonl")
    with pytest.raises(InputError, match=match) as error:
        find_files(["good.jsonl", wanted])
    assert "\n" not in str(error.value)


def test_what_is_not_read_is_counted_by_suffix(tmp_path, caplog):
    for name in ("a.jsonl", "b.csv", "c.csv", "d.jsonl.bz2"):
        write(tmp_path / name)
    with caplog.at_level(logging.WARNING, logger="assay"):
        find_files(tmp_path)
    assert "3 files are not read (2 .csv, 1 .bz2)" in caplog.text


def test_a_path_that_exists_is_itself_and_no_pattern(tmp_path, monkeypatch):
    write(tmp_path / "raw[1].jsonl", b"right")
    write(tmp_path / "raw1.jsonl", b"wrong")
    [file] = find_files(tmp_path / "raw[1].jsonl")[0]
    assert file.path.read_bytes() == b"right"
    write(tmp_path / "run[1]/pool/a.jsonl", b"right")
    write(tmp_path / "run1/pool/a.jsonl", b"wrong")
    monkeypatch.chdir(tmp_path / "run[1]")
    [file] = find_files("pool/*.jsonl")[0]
    assert file.path.read_bytes() == b"right" and file.name == "a.jsonl"


def test_links_to_folders_are_followed_once_and_unfinished_work_is_not(tmp_path):
    write(tmp_path / "elsewhere/far.jsonl")
    write(tmp_path / "raw/near.jsonl")
    write(tmp_path / "raw/_temporary/0/half.jsonl")
    (tmp_path / "raw/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "raw/loop").symlink_to(tmp_path / "raw")
    assert names(find_files(tmp_path / "raw")[0]) == ["linked/far.jsonl", "near.jsonl"]


def test_names_that_are_no_utf_8_are_escaped(tmp_path):
    with open(os.fsencode(tmp_path) + b"/caf\xe9.jsonl", "w") as file:
        file.write("x\n")
    [file] = find_files(tmp_path)[0]
    assert file.name == "caf\\udce9.jsonl" and os.path.isfile(file.path)


def test_urls_and_paths_of_one_name_are_told_apart(tmp_path):
    import fsspec

    with fsspec.open("memory://named/a.jsonl", "wb") as file:
        file.write(b"x\n")
    both = [write(tmp_path / "a.jsonl"), "memory://named/a.jsonl"]
    found = names(find_files(both)[0])
    assert len(set(found)) == 2
