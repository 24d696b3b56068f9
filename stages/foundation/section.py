"""What every model of settings is: frozen, with finite numbers, and an unknown key is an error."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

MOST_NAME_BYTES = 100  # file names of 255 bytes hold it with what is added (assumed)


class Section(BaseModel):
    """One section of params.yaml, or a part of one."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=False,
        allow_inf_nan=False,
        # validators are made when they are first needed: most models are parts of others, which make them again
        defer_build=True,
    )


def plain_name(name: str) -> str:
    """The name itself; ValueError where it could not be the name of a file.

    >>> plain_name("keep 10.5")
    'keep 10.5'
    """
    if (
        not name
        or len(name.encode("utf-8", "replace")) > MOST_NAME_BYTES
        or not name[0].isalnum()
        or name[-1] in " ."
        or not all(char.isalnum() or char in "_-.+ " for char in name)
    ):
        raise ValueError(
            f"{name[:40]!r} cannot be a name; a name begins with a letter or digit, goes"
            f" on with these and _ - . + or spaces, and has at most {MOST_NAME_BYTES} bytes"
        )
    return name


# of a pool, an arm, a question: it becomes part of the names of files
Name = Annotated[str, AfterValidator(plain_name)]
