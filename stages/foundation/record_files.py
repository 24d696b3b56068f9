"""Files that other programs read, as pydantic models: the base class, reading and writing, the JSON schema.

A format has a number that stands in its file as `version`; a change of a field changes the number.
"""

import json
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from stages.foundation.errors import InputError
from stages.foundation.sealed import SEAL, read_sealed, write_sealed

Model = TypeVar("Model", bound=BaseModel)


class Record(BaseModel):
    """A part of a file: frozen, and an unknown key is an error. Numbers may be nan, as in the JSON of Python."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class FileRecord(Record):
    """The whole of a file that carries its version."""

    # what a reader types to make the file again
    remedy: ClassVar[str] = ""

    def as_json(self) -> dict[str, Any]:
        """The JSON value of the file, keys in the order of the fields."""
        # not in pydantic's JSON mode, which makes null of nan
        return json.loads(json.dumps(self.model_dump()))

    def write(self, path: Path | str) -> None:
        """Write the file whole, with the hash of its contents."""
        write_sealed(path, self.as_json())

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """The file as a record. Raises InputError in one line where it is damaged or of another format."""
        return validated(cls, path, read_sealed(path, cls.remedy), cls.remedy)


def validated(model: type[Model], path: Path | str, value: Any, remedy: str) -> Model:
    """The value of a file as a record. Raises InputError in one line where it is of another format."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(key) for key in first["loc"]) or "the file"
        raise InputError(f"{path}: {where}: {first['msg']}; {remedy}") from None


def schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of the files that are written from a model."""
    found = model.model_json_schema(mode="serialization")
    if issubclass(model, FileRecord):
        found["properties"][SEAL] = {
            "type": "string",
            "description": "hash of all other keys, for reading; absent in older files",
        }
    return found
