"""The same tasks in this process, in others, and on Ray."""

import importlib.util
import os
import signal

import pytest

from stages.curate.work.executor import executor
from stages.foundation.errors import InputError


def square(n: int) -> int:
    return n * n


def refuse(n: int) -> int:
    if n == 3:
        raise InputError("three is bad; leave it out")
    return n


def die(n: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def two():
    with executor("local", 2) as workers:
        yield workers


def test_every_item_is_done_once(two):
    assert sorted(two.map(square, range(50))) == [n * n for n in range(50)]
    with executor("local", 1) as here:
        assert list(here.map(square, range(5))) == [0, 1, 4, 9, 16]


def test_an_error_of_a_task_is_raised_here(two):
    with pytest.raises(InputError, match="three is bad; leave it out"):
        list(two.map(refuse, range(10)))
    assert list(two.map(square, [2])) == [4]


def test_a_killed_worker_is_one_line():
    with (
        pytest.raises(
            InputError,
            match=(
                "a worker was killed, most likely for memory; .*finished work is kept"
            ),
        ),
        executor("local", 2) as workers,
    ):
        list(workers.map(die, range(2)))


@pytest.mark.filterwarnings("ignore")
def test_ray_gives_the_bytes_of_a_local_run(write, run, everything):
    if importlib.util.find_spec("ray") is None:
        pytest.skip("ray is not installed; pip install 'assay[ray]'")
    folder = write(3)
    local = run(folder, "local", **everything)
    on_ray = run(
        folder,
        "ray",
        request={"executor": "ray", "workers": 2},
        shard_mb=0.02,
        **everything,
    )
    assert (
        on_ray["kept"]["hash"] == local["kept"]["hash"]
        and on_ray["dropped"]["hash"] == local["dropped"]["hash"]
    )


def test_ray_asks_for_its_package(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(
            InputError,
            match=r"--executor ray needs Ray; run: pip install 'assay\[ray\]'",
        ),
        executor("ray", 1),
    ):
        pass
