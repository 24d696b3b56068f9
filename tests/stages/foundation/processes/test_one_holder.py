"""Who holds a file is named, and a killed holder holds nothing."""

import subprocess
import sys

import pytest

from stages.foundation.processes.one_holder import Held, one_holder

HOLD = """
import sys
from pathlib import Path
from stages.foundation.processes.one_holder import one_holder
with one_holder(Path(sys.argv[1]), "", ""):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_the_second_is_refused_until_the_first_has_ended_however_that_ends(tmp_path):
    file = tmp_path / "new" / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(Held) as caught, one_holder(file, "busy", "wait"):
            pass
        assert str(caught.value).startswith(f"busy (process {other.pid} since 2")
        assert str(caught.value).endswith("); wait")
        other.kill()
    with one_holder(file, "busy", "wait"):
        pass


def test_a_folder_that_cannot_be_made_is_told_to_the_caller(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError), one_holder(tmp_path / "file" / "lock", "", ""):
        pass
