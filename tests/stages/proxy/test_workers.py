"""Worker processes: results equal training in this process, deaths and errors stay with their own group."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from stages.proxy.stack import stacks
from stages.proxy.train import train_group
from stages.proxy.workers import ROOT, run_groups


def by_seed(results):
    return {result.spec.seed: [budget.held_out["held"].loss_nats for budget in result.budgets] for result in results}


def test_a_killed_worker_is_replaced_and_failures_keep_the_others(make_spec, data, tmp_path):
    """The longest group goes first and its worker is killed at its first checkpoint; a bad arm and good groups follow."""
    good = stacks([make_spec(seed=seed) for seed in range(4)], 2)
    long = make_spec(seed=50, budgets_tokens=(128 * 1_000_000,))
    bad = make_spec(arm="gone", seed=99)
    results = []
    killer = threading.Thread(target=kill_worker_once, args=(tmp_path / "50.pt",), daemon=True)
    killer.start()
    failures = run_groups([*good, [bad], [long]], data, n_workers=1, on_result=results.append,
                          checkpoint=lambda group: tmp_path / f"{group[0].seed}.pt", checkpoint_every_s=0.2)
    assert by_seed(results) == by_seed([result for group in good for result in train_group(group, data)])
    killed, failed = failures
    assert killed.message == ("run of arm 'all' seed 50 (d_model 16) gave no result: "
                              "its worker was killed by signal 9 (out of memory?); run again to retrain it")
    assert failed.message == "run of arm 'gone' seed 99 (d_model 16) failed: InputError: no arm 'gone' in the data; it has 'all', 'half'"
    assert "Traceback" in failed.detail
    assert worker_pids(os.getpid()) == []


def kill_worker_once(checkpoint):
    wait_for(checkpoint.exists, seconds=60)
    [worker] = worker_pids(os.getpid())
    os.kill(worker, signal.SIGKILL)


def worker_pids(parent):
    """Worker processes started by `parent`, by /proc."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields, line = status.read_text().rsplit(")", 1)[1].split(), status.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == parent and b"stages.proxy.worker_main" in line and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


SLEEPER = """
    import sys, time
    import numpy as np
    from stages.proxy.data import ProxyData
    from stages.proxy.evaluate import HeldOut
    from stages.proxy.packed import write_packed
    from stages.proxy.shape import Shape
    from stages.proxy.spec import RunSpec
    from stages.proxy.view import View
    from stages.proxy.workers import run_groups

    if __name__ == "__main__":
        pack = write_packed(sys.argv[1], [("a", np.ones(5000, int), 1)], vocab_size=64, eos_id=0)
        data = ProxyData({"all": View(pack, [0])}, {"held": HeldOut(pack)})
        spec = RunSpec(arm="all", shape=Shape(16, 2, 2, 32, 64), budgets_tokens=(128 * 1_000_000,), batch_tokens=128)
        print("started", flush=True)
        run_groups([[spec], [spec]], data, n_workers=2, on_result=print)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path, how):
    script = tmp_path / "parent.py"
    script.write_text(textwrap.dedent(SLEEPER))
    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path / "pack")], env=os.environ | {"PYTHONPATH": str(ROOT)},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert parent.stdout.readline() == "started\n"
    workers = wait_for(lambda: len(found := worker_pids(parent.pid)) == 2 and found)
    parent.send_signal(how)
    _, errors = parent.communicate(timeout=30)
    assert wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    assert how == signal.SIGKILL or "KeyboardInterrupt" in errors


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")
