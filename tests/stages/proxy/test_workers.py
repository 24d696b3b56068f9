"""Worker processes: results equal training in this process, deaths and errors stay with their own group."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from stages.proxy.stack import stacks
from stages.proxy.train import train_group
from stages.proxy.workers import ROOT, run_groups


def by_seed(results):
    return {result.spec.seed: [budget.held_out["held"].loss_nats for budget in result.budgets] for result in results}


def test_results_arrive_one_by_one_and_failures_keep_the_others(make_spec, data, tmp_path):
    """One pool of two workers: good groups, a group with a bad arm, and one whose worker is killed in the middle."""
    specs = [make_spec(seed=seed) for seed in range(4)]
    long = make_spec(seed=50, budgets_tokens=(128 * 100_000,), lr=0.01)
    bad = make_spec(arm="gone", seed=99, lr=0.01)
    results = []

    def on_result(result):
        results.append(result)
        if len(results) == 4:  # all good runs are done: the remaining worker is in the long run
            [victim] = [child for child in worker_pids(os.getpid())[0:] if is_busy(child)][:1]
            os.kill(victim, signal.SIGKILL)

    failures = run_groups([*stacks(specs, 2), [bad], [long]], data, n_workers=2, on_result=on_result,
                          checkpoint=lambda group: tmp_path / f"{group[0].seed}.pt", checkpoint_every_s=0.2)
    assert by_seed(results) == by_seed([result for group in stacks(specs, 2) for result in train_group(group, data)])
    messages = {failure.specs[0].seed: failure.message for failure in failures}
    assert messages[99] == "run of arm 'gone' seed 99 (d_model 16) failed: InputError: no arm 'gone' in the data; it has 'all', 'half'"
    assert messages[50] == "run of arm 'all' seed 50 (d_model 16) gave no result: its worker was killed by signal 9 (out of memory?); run again to retrain it"
    assert "Traceback" in next(failure.detail for failure in failures if failure.specs[0].seed == 99)
    assert worker_pids(os.getpid()) == []


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


def is_busy(pid):
    def ticks():
        return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))

    before = ticks()
    time.sleep(0.3)
    return ticks() > before + 5


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
        run_groups([[spec]], data, n_workers=1, on_result=print)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path, how):
    script = tmp_path / "parent.py"
    script.write_text(textwrap.dedent(SLEEPER))
    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path / "pack")], env=os.environ | {"PYTHONPATH": str(ROOT)},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert parent.stdout.readline() == "started\n"
    workers = wait_for(lambda: worker_pids(parent.pid))
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
