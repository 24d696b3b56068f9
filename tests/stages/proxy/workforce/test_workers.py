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

from stages.proxy.heldout.evaluate import HeldOut
from stages.proxy.specs.stack import stacks
from stages.proxy.tokens.view import View
from stages.proxy.training.data import ProxyData
from stages.proxy.training.train import train_group
from stages.proxy.workforce.workers import ROOT, run_groups


def by_seed(results):
    return {
        result.spec.seed: [
            budget.held_out["held"].loss_nats for budget in result.budgets
        ]
        for result in results
    }


def test_a_killed_worker_is_replaced_and_failures_keep_the_others(
    make_spec, data, tmp_path
):
    """The longest group goes first and its worker is killed after a checkpoint: it ends in the same
    bits. A bad arm and good groups follow.
    """
    good = stacks([make_spec(seed=seed) for seed in range(4)], 2)
    long = make_spec(seed=50, budgets_tokens=(128 * 600,), dropout=0.1)
    bad = make_spec(arm="gone", seed=99)
    results, news = [], []
    killer = threading.Thread(
        target=kill_worker_once, args=(tmp_path / "50.pt",), daemon=True
    )
    killer.start()
    [failed] = run_groups(
        [*good, [bad], [long]],
        data,
        n_workers=1,
        on_result=results.append,
        checkpoint_every_steps=40,
        checkpoint=lambda group: tmp_path / f"{group[0].seed}.pt",
        on_progress=lambda group, *how: news.append((group[0].seed, *how)),
    )
    killer.join()
    assert by_seed(results) == by_seed(
        [result for group in [*good, [long]] for result in train_group(group, data)]
    )
    [resumed] = [result for result in results if result.spec == long]
    assert resumed.notes[1:] == (
        (
            "its worker was killed by signal 9 (out of memory?); went on from its last"
            " checkpoint"
        ),
    )
    assert (
        failed.message
        == "run of arm 'gone' seed 99 (d_model 16) failed: no arm 'gone' in the data;"
        " it has 'all', 'half'"
    )
    assert "Traceback" in failed.detail
    assert all(0 < fraction <= 1 and 1 < loss < 5 for _, fraction, loss in news)
    assert worker_pids(os.getpid()) == []


def test_a_pack_cut_short_fails_in_one_line(make_spec, make_pack):
    pack = make_pack(60, seed=7)
    tokens = pack.folder / "tokens.bin"
    broken = ProxyData({"all": View(pack, range(60))}, {"held": HeldOut(pack)})
    tokens.write_bytes(tokens.read_bytes()[:-10])
    failures = run_groups(
        [[make_spec()], [make_spec(seed=2)]], broken, n_workers=1, on_result=pytest.fail
    )
    assert [failure.message.split(" failed: ")[0] for failure in failures] == [
        "run of arm 'all' seed 1 (d_model 16)",
        "run of arm 'all' seed 2 (d_model 16)",
    ]
    expected = (
        rf"{tokens} has {tokens.stat().st_size} bytes, meta.json promises"
        rf" {tokens.stat().st_size + 10} bytes; pack the documents again"
    )
    assert failures[0].message.endswith(expected)


def kill_worker_once(checkpoint, of=lambda: worker_pids(os.getpid())):
    """Kill the one worker that `of` finds, once the checkpoint is there."""
    wait_for(checkpoint.exists, seconds=60)
    [worker] = of()
    os.kill(worker, signal.SIGKILL)


def worker_pids(parent):
    """Worker processes started by `parent`, by /proc."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields, line = (
                status.read_text().rsplit(")", 1)[1].split(),
                status.with_name("cmdline").read_bytes(),
            )
        except OSError:
            continue
        if (
            int(fields[1]) == parent
            and b"stages.proxy.workforce.worker_main" in line
            and fields[0] != "Z"
        ):
            found.append(int(status.parent.name))
    return found


SLEEPER = """
    import sys, time
    import numpy as np
    from stages.proxy.training.data import ProxyData
    from stages.proxy.heldout.evaluate import HeldOut
    from stages.proxy.tokens.packed import write_packed
    from stages.proxy.specs.shape import Shape
    from stages.proxy.specs.spec import RunSpec
    from stages.proxy.tokens.view import View
    from stages.proxy.workforce.workers import run_groups

    if __name__ == "__main__":
        pack = write_packed(sys.argv[1], [("a", np.ones(5000, int), 1)], vocab_size=64, eos_id=0)
        data = ProxyData({"all": View(pack, [0])}, {"held": HeldOut(pack)})
        spec = RunSpec(arm="all", shape=Shape(16, 2, 2, 32, 64), budgets_tokens=(128 * 1_000_000,), batch_tokens=128)
        print("started", flush=True)
        run_groups([[spec], [spec]], data, n_workers=2, on_result=print)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("how", "on_cards"),
    [(signal.SIGKILL, False), (signal.SIGINT, False), (signal.SIGINT, True)],
)
def test_workers_end_with_their_parent(tmp_path, how, on_cards):
    script = tmp_path / "parent.py"
    here = textwrap.dedent(SLEEPER)
    if on_cards:
        here = here.replace("n_workers=2", "device='cpu', cards=['a', 'b']")
        here = here.replace("run_groups(", "gpus.train_on_gpus(").replace(
            ".workers import run_groups", " import gpus"
        )
    script.write_text(here)
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "pack")],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert parent.stdout.readline() == "started\n"
        workers = wait_for(lambda: len(found := worker_pids(parent.pid)) == 2 and found)
        parent.send_signal(how)
        _, errors = parent.communicate(timeout=30)
    finally:
        parent.kill()
    assert wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    assert how == signal.SIGKILL or "KeyboardInterrupt" in errors


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_signal_to_a_worker_ends_the_whole_within_five_seconds(tmp_path):
    script = tmp_path / "parent.py"
    obedient = textwrap.dedent(SLEEPER).replace(
        "run_groups([[spec]",
        "from stages.foundation.processes.stopping import obey_signals; obey_signals('stopped')\n"
        "    run_groups([[spec]",
    )
    script.write_text(obedient)
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "pack")],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout.readline() == "started\n"
    workers = wait_for(lambda: len(found := worker_pids(parent.pid)) == 2 and found)
    time.sleep(1)
    start = time.monotonic()
    os.kill(workers[0], signal.SIGTERM)
    _, errors = parent.communicate(timeout=30)
    assert time.monotonic() - start < 5
    assert "Stopped: SIGTERM" in errors, "nobody caught it in this script"
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")
