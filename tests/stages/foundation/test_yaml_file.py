"""Whatever is wrong with a YAML file is one line that names the file and, where there is one, the line."""

import pytest

from stages.foundation.errors import InputError
from stages.foundation.yaml_file import read_yaml

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n"
    for a, b in zip("abcdefg", "bcdefgh", strict=True)
)
BAD = {
    "latin-1": ("a: 1\nb: 2 # caf\xe9".encode("latin-1"), r":2: not UTF-8 at byte 15"),
    "utf-16": ("a: 1".encode("utf-16"), "iconv -f UTF-16"),
    "date": (b"a: 1\nb: 2024-13-45", ":2: not readable as YAML: month must be"),
    "integer": (b"a: !!int x", ":1: not readable as YAML: invalid literal"),
    "float": (b"a: [1, !!float x]", ":1: not readable as YAML: could not convert"),
    "boolean": (b"a: !!bool maybe", ":1: not readable as YAML"),
    "timestamp": (b"a: !!timestamp maybe", ":1: not readable as YAML"),
    "digits": (b"a: " + b"9" * 5000, ":1: a whole number of 5000 digits"),
    "brackets": (b"a: " + b"[" * 60 + b"]" * 60, "nested more than 40 deep"),
    "thousands": (b"a: " + b"[" * 9000 + b"]" * 9000, "nested more than 40 deep"),
    "itself": (b"a: &a [*a]", "nested more than 40 deep"),
    "bomb": (BOMB.encode(), "aliases stand for more than 200000"),
    "twice": (b"a: 1\nb: {c: 1, d: 2,\n c: 3}", ":3: the key 'c' stands already in"),
    "object": (b"a: !!python/name:os.system", "not readable as YAML"),
    "nul": (b"a: \0", "not readable as YAML"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_one_line(tmp_path, kind):
    raw, match = BAD[kind]
    (tmp_path / "params.yaml").write_bytes(raw)
    with pytest.raises(InputError, match=match) as error:
        read_yaml(tmp_path / "params.yaml")
    said = str(error.value)
    assert said.startswith(str(tmp_path / "params.yaml")) and "\n" not in said


def test_a_good_file_is_its_values(tmp_path):
    (tmp_path / "a.yaml").write_text("a: &x {b: [1, 2.5]}\nc: *x\n")
    tree, values = read_yaml(tmp_path / "a.yaml")
    assert values == {"a": {"b": [1, 2.5]}, "c": {"b": [1, 2.5]}}
    assert tree.value[1][0].start_mark.line == 1


@pytest.mark.parametrize(
    "line", [r'a: "\ud83d\ude42"', r'"\ud800": 1', r'a: [{b: "x\udfff"}]']
)
def test_half_of_a_surrogate_pair_is_named_with_its_line(tmp_path, line):
    file = tmp_path / "params.yaml"
    file.write_text(f"# first\n{line}\n")
    with pytest.raises(InputError, match=r"params\.yaml:2: half of a surrogate pair"):
        read_yaml(file)
