"""A sealed file is what was written, or one line."""

import math

import pytest

from stages.foundation.errors import InputError
from stages.foundation.files import write_json
from stages.foundation.sealed import kept, read_sealed, set_aside, write_sealed

VALUE = {"a": [1, 2.5, None, math.inf], "ä": {"10": "x", "9": True}}


def test_a_value_comes_back_without_its_hash(tmp_path):
    write_sealed(tmp_path / "v.json", VALUE | {"t": (1, 2), 3: "key"})
    found = read_sealed(tmp_path / "v.json", "write it again")
    assert found == VALUE | {"t": [1, 2], "3": "key"}


def test_no_changed_byte_passes(tmp_path):
    file = tmp_path / "v.json"
    write_sealed(file, VALUE)
    whole = file.read_bytes()
    taken = []
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 2]) + whole[place + 1 :])
        try:
            taken.append(read_sealed(file, "write it again"))
        except InputError as error:
            assert str(error).endswith("; write it again")
    # a change of the key that holds the hash leaves an older file, whose keys its reader knows
    assert all(set(value) > set(VALUE) for value in taken)
    assert len(taken) <= len("content_hash")


def test_a_file_of_an_older_version_is_taken_as_it_is(tmp_path):
    write_json(tmp_path / "v.json", VALUE)
    assert read_sealed(tmp_path / "v.json", "write it again") == VALUE


@pytest.mark.parametrize(
    ("content", "why"),
    [("", "it is empty"), ("{", "is damaged"), ("1" * 5000, "is damaged")],
)
def test_what_cannot_be_read_is_one_short_line(tmp_path, content, why):
    (tmp_path / "v.json").write_text(content)
    with pytest.raises(InputError, match=why) as error:
        read_sealed(tmp_path / "v.json", "write it again")
    message = str(error.value).replace(str(tmp_path), "")
    assert "\n" not in message and len(message) < 200


def test_a_missing_file_names_the_cure(tmp_path):
    with pytest.raises(InputError, match=r"v.json is missing; write it again$"):
        read_sealed(tmp_path / "v.json", "write it again")


def test_what_is_kept_and_damaged_is_set_aside_and_made_again(tmp_path, caplog):
    file = tmp_path / "rates.json"
    assert kept(file) == {}
    write_sealed(file, {"rate": 5})
    assert kept(file) == {"rate": 5}
    file.write_text('{"rate": 6, "content_hash": "0"}')
    assert kept(file) == {} and not file.exists()
    assert "set aside as rates.json.damaged" in caplog.text
    file.write_text("[]")
    assert set_aside(file, "no").name == "rates.json.damaged"
