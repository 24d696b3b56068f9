"""A run from URL to URL: in memory, and on S3 through a local server."""

import importlib.util

import fsspec
import polars as pl
import pytest

from stages.curate.run.run import Request, curate

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
    files.mkdir("pool")
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
