"""A store that is mute is given up in time, and its faults are not those of a file."""

import importlib.util
import socket
import time

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFile

from stages.curation.reading import storage
from stages.curation.reading.named_files import find_files
from stages.curation.reading.stores import StoreOutage, in_time, remote_errors
from stages.foundation.errors import InputError

SECONDS = 3.0


@pytest.fixture
def mute(monkeypatch):
    """The port of a server that takes connections and never answers."""
    monkeypatch.setenv("ASSAY_SERVICE_SECONDS", str(SECONDS))
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def s3(mute, monkeypatch):
    if importlib.util.find_spec("s3fs") is None:
        pytest.skip("s3fs not installed; pip install 'assay[s3]'")
    for name, value in (
        ("AWS_ENDPOINT_URL", f"http://127.0.0.1:{mute}"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3").clear_instance_cache()
    yield "s3://pool/raw/a.jsonl"
    fsspec.filesystem("s3").clear_instance_cache()


def put(url, tmp_path):
    local = tmp_path / "a"
    local.write_text("{}")
    storage.publish(local, url)


QUESTIONS = {
    "find": lambda url, _: find_files(url),
    "size": lambda url, _: storage.size_of(url),
    "fingerprint": lambda url, _: storage.fingerprint(url),
    "exists": lambda url, _: storage.exists(url),
    "read": lambda url, _: storage.read_text(url),
    "put": put,
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_mute_s3_is_given_up_in_time(s3, question, tmp_path):
    start = time.monotonic()
    with pytest.raises(StoreOutage, match=r"^s3://pool/raw/a.jsonl: .*AWS_ENDPOINT"):
        QUESTIONS[question](s3, tmp_path)
    assert time.monotonic() - start < 5 * SECONDS  # of itself seven minutes


def test_a_mute_web_server_is_given_up_in_time(mute):
    pytest.importorskip("aiohttp")
    start = time.monotonic()
    with pytest.raises(StoreOutage, match="no answer|[Tt]imeout"):
        storage.size_of(f"http://127.0.0.1:{mute}/a.jsonl")
    assert time.monotonic() - start < 3 * SECONDS


def test_what_a_person_has_set_stays(monkeypatch):
    pytest.importorskip("aiohttp")
    monkeypatch.setitem(
        fsspec.config.conf, "http", {"client_kwargs": {"timeout": "theirs"}}
    )
    assert in_time("https") == {"client_kwargs": {"timeout": "theirs"}}
    assert in_time("memory") == {}


@pytest.fixture
def lost(monkeypatch):
    """memory://bucket/a.txt of a store that is lost when the file is read."""
    files = fsspec.filesystem("memory")
    files.pipe("/bucket/a.txt", b"A note.")

    def read(self, size=-1):
        raise ConnectionResetError("Connection reset by peer")

    monkeypatch.setattr(MemoryFile, "read", read)
    yield "memory://bucket/a.txt"
    files.rm("/bucket", recursive=True)


def test_a_store_that_is_lost_is_no_fault_of_the_file(lost):
    with pytest.raises(StoreOutage) as caught:
        storage.read_text(lost)
    assert str(caught.value).startswith(f"{lost}: Connection reset by peer; check")
    assert not isinstance(caught.value, InputError)


def test_a_local_file_is_no_store():
    with pytest.raises(ConnectionResetError), remote_errors("a.txt"):
        raise ConnectionResetError
