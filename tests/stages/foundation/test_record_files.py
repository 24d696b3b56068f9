"""A file that is a record comes back as it was; one of another format is one line."""

import json
import math
from typing import ClassVar

import pytest
from pydantic import ValidationError

from stages.foundation.errors import InputError
from stages.foundation.record_files import FileRecord, Record, schema


class Reading(Record):
    value: float


class Log(FileRecord):
    remedy: ClassVar[str] = "measure again"
    version: int = 1
    readings: tuple[Reading, ...]


def test_a_record_comes_back_with_its_nan_and_the_order_of_its_fields(tmp_path):
    log = Log(readings=(Reading(value=1.5), Reading(value=math.nan)))
    log.write(tmp_path / "log.json")
    text = (tmp_path / "log.json").read_text()
    keys = ["version", "readings", "content_hash"]
    assert list(json.loads(text)) == keys and "NaN" in text
    found = Log.read(tmp_path / "log.json")
    assert found.readings[0] == log.readings[0]
    assert math.isnan(found.readings[1].value)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"readings": [{"value": 1}, {"value": "much"}]}, "readings.1.value"),
        ({"readings": [], "more": 1}, "more"),
        ({}, "readings"),
        ([], "the file"),
    ],
)
def test_another_format_names_the_file_the_place_and_the_cure(tmp_path, value, where):
    file = tmp_path / "log.json"
    file.write_text(json.dumps(value))
    with pytest.raises(InputError) as error:
        Log.read(file)
    message = str(error.value)
    assert message.startswith(f"{file}: {where}: ")
    assert message.endswith("; measure again") and "\n" not in message


def test_a_changed_digit_is_one_line(tmp_path):
    file = tmp_path / "log.json"
    Log(readings=(Reading(value=1.5),)).write(file)
    file.write_text(file.read_text().replace("1.5", "1.6"))
    with pytest.raises(InputError) as error:
        Log.read(file)
    message = str(error.value)
    assert message.startswith(f"{file} is damaged (its contents hash to ")
    assert message.endswith("; measure again") and "\n" not in message


def test_a_record_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Reading(value=1).value = 2


def test_the_schema_is_that_of_what_is_written():
    found = schema(Log)
    assert found["additionalProperties"] is False
    assert list(found["properties"]) == ["version", "readings", "content_hash"]
    assert "content_hash" not in found["required"], "older files have none"
