"""The server of one run: what is done while it starts, and what is said where it does not."""

from types import SimpleNamespace

import pytest

from flows.prefect_server import own_server
from flows.prefect_server.own_server import ADDRESS, WITHOUT, find_server
from stages.foundation.errors import InputError


@pytest.fixture
def order(monkeypatch, tmp_path):
    """What is called, in order, with a server that starts at once."""
    called = []
    process = SimpleNamespace(poll=lambda: None, pid=1)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.delenv(ADDRESS, raising=False)
    monkeypatch.delenv(WITHOUT, raising=False)
    monkeypatch.setattr(own_server, "named_address", lambda: None)
    monkeypatch.setattr(own_server.atexit, "register", lambda *_: None)
    monkeypatch.setattr(own_server, "_tell_prefect", lambda: None)
    monkeypatch.setattr(
        own_server, "start_tied", lambda *_, **__: called.append("started") or process
    )
    monkeypatch.setattr(own_server, "wait_for", lambda *_: called.append("waited for"))
    return called


def test_what_is_done_meanwhile_comes_between_start_and_wait(order):
    server = find_server(lambda: order.append("meanwhile"))
    assert order == ["started", "meanwhile", "waited for"]
    assert server.url.startswith("http://127.0.0.1:")


def test_without_a_server_the_run_goes_on_and_one_line_says_why(
    order, monkeypatch, capsys
):
    def refuse(*_):
        raise InputError("it ended with exit code 1; is its port taken?")

    monkeypatch.setattr(own_server, "wait_for", refuse)
    assert find_server() is None
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "assay: Prefect's server did not start: it ended with exit code 1; is its port"
        " taken?; the run goes on without Prefect"
    ]
