"""A checkpoint that is damaged is set aside before its group goes on, which then starts anew.

torch writes a zip archive with a checksum of every member and does not hold the bytes to it when it reads: one
flipped byte changed losses by 4e-4 without a word (measured). Cost: reading the file once more.
"""

import zipfile
from pathlib import Path

from stages.foundation.sealed import set_aside

ANEW = "its checkpoint was damaged and set aside; trained from the start"


def damage(path: Path) -> str:
    """What is wrong with the archive, empty where each of its members has the checksum that was written."""
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.testzip()
    # what zipfile raises where a byte of its tables was changed
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError):
        return "it is no whole archive"
    except RuntimeError as error:  # a flag says that it is encrypted
        return str(error)[:80]
    return f"{member} is not what was written" if member else ""


def set_aside_damaged(path: Path | None) -> str:
    """A note for the record of the runs where there is a checkpoint and it was set aside; else empty."""
    if path is None or not path.is_file() or not (why := damage(path)):
        return ""
    set_aside(path, f"checkpoint {path} is damaged ({why}); its runs start anew")
    return ANEW


def set_aside_refused(path: Path | None, message: str) -> bool:
    """Whether the trainer could not go on from this checkpoint (`message` names it), which is then set aside."""
    if path is None or f"checkpoint {path}" not in message or not path.is_file():
        return False
    set_aside(path, f"{message.partition('; delete it')[0]}; its runs start anew")
    return True
