"""A run from URL to URL: in memory, and on S3 through a local server."""

import importlib.util
import itertools

import fsspec
import polars as pl
import pytest
from fsspec.implementations.memory import MemoryFile

from stages.curate.run.run import Request, curate
from stages.curation.reading.stores import StoreOutage
from stages.foundation.errors import InputError

MISSING = [
    name for name in ("s3fs", "moto", "boto3") if importlib.util.find_spec(name) is None
]


def upload(files, folder, bucket):
    for file in sorted(folder.iterdir()):
        files.put_file(str(file), f"{bucket}/raw/{file.name}")


def test_memory_gives_the_bytes_of_a_local_run(write, run, settings, tmp_path):
    folder = write(3)
    local = run(folder)
    files = fsspec.filesystem("memory")
    upload(files, folder, "/curate")
    manifest = curate(
        Request(
            inputs=["memory://curate/raw"],
            out="memory://curate/out",
            settings=settings(),
            work=tmp_path / "work",
        )
    )
    assert (
        manifest.kept.hash == local["kept"]["hash"]
        and manifest.dropped.hash == local["dropped"]["hash"]
    )
    assert files.exists("/curate/out/manifest.json") and files.exists(
        "/curate/out/report.md"
    )
    files.rm("/curate", recursive=True)


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    yield files
    files.rm("/lost", recursive=True)


@pytest.mark.parametrize("kind, most", [("jsonl", 2), ("parquet", 7)])
def test_a_store_that_is_lost_ends_the_run_which_goes_on_later(
    write, run, settings, tmp_path, monkeypatch, memory, kind, most
):
    """Its files are not set aside: the result would lack them."""
    folder = write(3)
    if kind == "parquet":
        for file in folder.iterdir():
            pl.read_ndjson(file).write_parquet(file.with_suffix(".parquet"))
            file.unlink()
    local = run(folder)
    upload(memory, folder, "/lost")
    request = Request(
        inputs=["memory://lost/raw"],
        out=str(tmp_path / "remote"),
        settings=settings(shard_mb=0.001),
    )
    read, n_reads = MemoryFile.read, itertools.count()

    def failing(self, size=-1):
        if next(n_reads) >= most:
            raise TimeoutError("no answer")
        return read(self, size)

    with monkeypatch.context() as patched:
        patched.setattr(MemoryFile, "read", failing)
        with pytest.raises(StoreOutage, match="no answer; check .* run again"):
            curate(request)
    assert curate(request).kept.hash == local["kept"]["hash"]


@pytest.fixture
def s3(monkeypatch):
    """An S3 server on this machine."""
    if MISSING:
        pytest.skip(
            f"{', '.join(MISSING)} not installed; pip install 'assay[s3,test-s3]'"
        )
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in (
        ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3").clear_instance_cache()
    files = fsspec.filesystem("s3")
    files.makedirs("pool", exist_ok=True)  # the server keeps it for the next test
    yield files
    files.clear_instance_cache()
    server.stop()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_s3_gives_the_bytes_of_a_local_run(write, run, settings, tmp_path, s3):
    folder = write(3)
    local = run(folder)
    upload(s3, folder, "pool")
    request = Request(
        inputs=["s3://pool/raw/*.jsonl"],
        out="s3://pool/out",
        settings=settings(),
        work=tmp_path / "work",
    )
    manifest = curate(request)
    assert manifest.kept.hash == local["kept"]["hash"]
    with s3.open("pool/out/kept/part-00000.parquet") as handle:
        assert pl.read_parquet(handle).equals(
            pl.read_parquet(tmp_path / "out/kept/part-00000.parquet")
        )
    assert curate(request) == manifest  # found finished


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_bucket_that_is_not_there_is_not_made(write, settings, tmp_path, s3):
    with pytest.raises(InputError, match="s3://none/out/.*: no such bucket; make it"):
        curate(
            Request(
                inputs=[str(write())],
                out="s3://none/out",
                settings=settings(),
                work=tmp_path / "work",
            )
        )
    assert list(s3.ls("")) == ["pool"]
