import gzip

import pytest
import zstandard

from stages.curation.reading.inputs import byte_lines, decoded
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


CONTENT = b"one\ntwo\r\n\nlast" + b"z" * 600_000


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_lines_carry_number_and_offset_through_every_compression(tmp_path, suffix):
    pack = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}[suffix]
    # two members or frames
    path = write(tmp_path / f"a.jsonl{suffix}", pack(CONTENT[:5]) + pack(CONTENT[5:]))
    lines = list(byte_lines(find_files(path)[0][0]))
    assert [(number, offset, line[:4]) for number, offset, line in lines] == [
        (1, 0, b"one"),
        (2, 4, b"two\r"),
        (3, 9, b""),
        (4, 10, b"last"),
    ]
    assert len(lines[3][2]) == 600_004


@pytest.mark.parametrize(
    ("suffix", "pack"), [(".gz", gzip.compress), (".zst", zstandard.compress)]
)
def test_a_cut_stream_is_an_error_and_not_a_short_file(tmp_path, suffix, pack):
    path = write(tmp_path / f"a.jsonl{suffix}", pack(CONTENT)[:-3])
    with pytest.raises(
        InputError, match=r"a\.jsonl.*cut off at byte \d+.*fetch the file again"
    ):
        list(byte_lines(find_files(path)[0][0]))


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_damaged_data_is_an_error(tmp_path, suffix):
    path = write(tmp_path / f"a.jsonl{suffix}", b"this is not compressed at all")
    with pytest.raises(InputError, match="damaged"):
        list(byte_lines(find_files(path)[0][0]))


def test_wrong_encoding_gives_the_byte():
    with pytest.raises(
        InputError, match=r"f:3: not UTF-8 at byte 102 \(value 0xe9\).*iconv"
    ):
        decoded("ab\u00e9c".encode("latin-1"), "f:3", 100)
    with pytest.raises(InputError, match="iconv -f UTF-16 -t UTF-8"):
        decoded("ab".encode("utf-16"), "f:1", 0)
