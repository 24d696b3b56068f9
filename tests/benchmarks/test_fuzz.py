"""No awkward input of 500 ends in a traceback, another exit code, a long line, half a result or 2 GB of memory."""

import subprocess
import sys

from stages.foundation.stage import ROOT


def test_500_awkward_inputs():
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks/fuzz.py", "--count", "500", "--seed", "1"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert done.stdout.startswith("500 cases")
    codes = done.stdout.partition("exit codes ")[2].partition(", 0 failed")[0]
    assert "2: " in codes and "0: " in codes  # both kinds of case are made
