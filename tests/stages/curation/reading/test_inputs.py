import gzip

import pytest
import zstandard

from stages.curation.reading.inputs import byte_chunks, byte_lines, decoded
from stages.curation.reading.named_files import find_files
from stages.foundation.errors import InputError


def write(path, data=b"x\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


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


def test_a_bomb_stops_at_a_multiple_of_its_size(tmp_path):
    for suffix, pack in ((".gz", gzip.compress), (".zst", zstandard.compress)):
        path = write(tmp_path / f"a.jsonl{suffix}", pack(b"\n" * 250_000_000))
        read = 0
        with pytest.raises(InputError, match="over 250 times their size"):
            for chunk in byte_chunks(find_files(path)[0][0]):
                read += len(chunk)
                assert len(chunk) <= 10_000_000
        assert read < 210_000_000


def test_a_large_window_and_a_dictionary_are_named_with_the_cure(tmp_path):
    params = zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
    wide = zstandard.ZstdCompressor(compression_params=params).compressobj()
    path = write(tmp_path / "a.jsonl.zst", wide.compress(CONTENT) + wide.flush())
    with pytest.raises(InputError, match="window is above 128 MB.*zstd --long=31 -dc"):
        list(byte_lines(find_files(path)[0][0]))
    samples = [f'{{"text": "document {at} of many"}}'.encode() for at in range(2000)]
    with_one = zstandard.ZstdCompressor(
        dict_data=zstandard.train_dictionary(2000, samples)
    )
    path = write(tmp_path / "b.jsonl.zst", with_one.compress(CONTENT))
    with pytest.raises(InputError, match="needs the zstandard dictionary"):
        list(byte_lines(find_files(path)[0][0]))


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.jsonl.gz", CONTENT, r"no gz data, it begins with b'one\\ntwo"),
        ("a.jsonl.zst", gzip.compress(CONTENT), "no zst data, it begins with .gz data"),
        ("a.jsonl.gz", b"PAR1" * 9, "no gz data, it begins with .parquet data"),
        ("a.jsonl.gz", gzip.compress(b"") + CONTENT, "damaged gz data"),
        ("a.jsonl.zst", b"\x50\x2a\x4d\x18\4\0\0\0skip" + CONTENT, "damaged zst data"),
    ],
)
def test_a_file_with_the_suffix_of_another_form_is_named(tmp_path, name, data, said):
    path = write(tmp_path / name, data)
    with pytest.raises(InputError, match=said):
        list(byte_chunks(find_files(path)[0][0]))


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_packed_bytes_under_a_plain_name_are_no_encoding(tmp_path, pack):
    with pytest.raises(InputError, match=r"a:1: holds \.(gz|zst) data; name the file"):
        decoded(pack(CONTENT), "a:1", 0)
