"""A small project to run the pipeline in: a copy of the code, pools of synthetic text, tiny proxies."""

import gzip
import importlib.util
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
WORDS = (
    "the of and to in a is that for it as was with be by on not he his but at are this"
    " have from or had an they which one you were all her she there would their we him"
    " been has when who will more no if out so".split()
)

# whoever starts the tests with & in a script has them ignore Ctrl-C, and all that they start
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def environment_of_its_own() -> Iterator[None]:
    """What a test, or the code that it calls, sets in this process's environment reaches no other test."""
    with mock.patch.dict(os.environ):
        yield


def sentence(rng: random.Random, words: list[str]) -> str:
    """A chain of words: each is likelier to be followed by its neighbour in the list, so there is
    something to learn.
    """
    at, out = rng.randrange(len(words)), []
    for _ in range(rng.randint(6, 14)):
        out.append(words[at])
        at = (at + 1) % len(words) if rng.random() < 0.7 else rng.randrange(len(words))
    return " ".join(out).capitalize() + "."


def document(rng: random.Random, noisy: bool) -> str:
    words = (
        WORDS
        if not noisy
        else [
            "".join(rng.choices("bcdfgklmnprstvz_{}0123", k=rng.randint(2, 9)))
            for _ in range(40)
        ]
    )
    return " ".join(sentence(rng, words) for _ in range(rng.randint(4, 10)))


def write_pools(folder: Path) -> None:
    """`good` as gzipped JSON lines under other column names, `noise` as plain ones, with some exact copies."""
    rng = random.Random(0)
    folder.mkdir()
    with gzip.open(folder / "good.jsonl.gz", "wt") as file:
        for i in range(900):
            file.write(
                json.dumps({"name": f"g{i}", "body": document(rng, False)}) + "\n"
            )
    noise = [document(rng, True) for _ in range(500)]
    with open(folder / "noise.jsonl", "w") as file:
        for text in noise + noise[:40]:
            file.write(json.dumps({"body": text}) + "\n")


def small_params() -> dict:
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    del params["target"]  # of the demo, whose size these proxies have not
    params["ingest"]["pools"] = {
        "good": {
            "path": "raw/good.jsonl.gz",
            "text": "body",
            "id": "name",
            "heldout": 0.1,
            "reference": 0.3,
        },
        "noise": {"path": "raw/noise.jsonl", "text": "body"},
    }
    params["score"] |= {"folds": 3, "prototypes": 8}
    params["pack"] |= {"vocab_size": 300, "heldout_tokens": 2_000}
    params["arms"] |= {
        "draws": 2,
        "draw_tokens": 16_000,
        "questions": {
            "filter": {
                "title": "How strict?",
                "arms": ["keep_20", "keep_100", "easy_50"],
            }
        },
        "arms": {
            "keep_20": {"keep": 0.2},
            "keep_100": {"keep": 1.0},
            "easy_50": {"keep": 0.5, "by": "difficulty", "take": "low"},
        },
        "controls": {"same": {"like": "keep_100", "kind": "same"}},
    }
    params["sweep"] |= {
        "sizes": ["6k", "25k"],
        "control_sizes": ["6k"],
        "budgets_tokens": [2048, 4096, 8192, 12288],
        "context": 64,
        "batch_tokens": 256,
        "warmup_steps": 3,
        "regularisations": [{"weight_decay": 0.1}],
    }
    params["fit"] |= {
        "domain": "good",
        "laws": ["power_floor", "chinchilla"],
        "draws": 60,
        "starts": 16,
    }
    # 2.4e9 FLOPs is beyond the largest run, 25k parameters for 12,288 tokens
    params["decide"] |= {"target_flops": [3.0e8, 1.0e9, 2.4e9]}
    params["verify"] = {"times": 2}
    return params


class Project:
    """A folder in which `dvc repro` and `assay` run on the code under test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("stages", "flows"):
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        shutil.copytree(ROOT / ".dvc/plots", folder / ".dvc/plots")
        (folder / ".dvc/config").write_text(
            "[core]\n    no_scm = true\n    analytics = false\n"
        )
        shutil.copy(ROOT / ".dvcignore", folder)
        write_pools(folder / "raw")
        self.write_params(small_params())
        self.run("-m", "flows.cli", "dvc-yaml", check=True)

    def write_params(self, params: dict) -> None:
        (self.folder / "params.yaml").write_text(
            yaml.safe_dump(params, sort_keys=False)
        )

    def params(self) -> dict:
        return yaml.safe_load((self.folder / "params.yaml").read_text())

    @property
    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {
            **os.environ,
            "PATH": path,
            "PYTHONPATH": str(self.folder),
            "POLARS_MAX_THREADS": "2",
        }

    def run(
        self, *arguments: str, check: bool = False, **more: str
    ) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment | more,
            capture_output=True,
            text=True,
        )
        assert not check or done.returncode == 0, (
            done.stdout[-3000:] + done.stderr[-3000:]
        )
        return done

    def start(self, *arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def repro(self, **more: str) -> subprocess.CompletedProcess:
        return self.run("-m", "dvc", "repro", check=True, **more)

    def runs(self) -> dict[str, float]:
        """Run file -> time of its last change."""
        return self._run_files("data/sweep/runs")

    def verified_runs(self) -> dict[str, float]:
        """The same for what was trained after the decision."""
        return self._run_files("data/verify_runs/runs")

    def _run_files(self, folder: str) -> dict[str, float]:
        return {
            file.name: file.stat().st_mtime_ns
            for file in (self.folder / folder).glob("*.json")
            if file.name != "stack_sizes.json"
        }

    def decision(self, name: str = "filter") -> dict:
        """The decision record without times and ids, and so without its hash."""
        record = json.loads((self.folder / f"data/decisions/{name}.json").read_text())
        record.pop("provenance")
        record.pop("content_hash")
        return record


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory) -> Project:
    """A project whose whole pipeline `dvc repro` has run once, with no Prefect and no MLflow to be reached."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.repro(
        MLFLOW_TRACKING_URI="http://127.0.0.1:9",
        PREFECT_API_URL="http://127.0.0.1:9/api",
    )
    return project


@pytest.fixture
def project(finished_project, tmp_path) -> Project:
    """A copy of the finished project that a test may change."""
    shutil.copytree(finished_project.folder, tmp_path / "copy", symlinks=True)
    copy = object.__new__(Project)
    copy.folder = tmp_path / "copy"
    return copy


def missing(*modules: str) -> str:
    """Those of these modules that are not installed, as a reason to skip; empty where all are."""
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    return f"{', '.join(absent)} not installed" if absent else ""


@pytest.fixture(scope="session")
def s3() -> Iterator[dict[str, str]]:
    """The variables that lead to an S3 server on this machine; it holds an empty bucket `store`."""
    if why := missing("moto", "boto3", "s3fs"):
        pytest.skip(f"{why}; pip install 'assay[s3,test-s3]'")
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    found = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "MLFLOW_S3_ENDPOINT_URL": f"http://{host}:{port}",
    }
    boto3.client(
        "s3",
        endpoint_url=found["AWS_ENDPOINT_URL"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    ).create_bucket(Bucket="store")
    yield found
    server.stop()


class Postgres:
    """A PostgreSQL server on the loopback address that asks for no password; ImportError where it is not installed."""

    def __init__(self) -> None:
        # Debian keeps the server's commands off PATH
        homes = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
        search = os.pathsep.join([os.environ["PATH"], *homes[-1:]])
        commands = [shutil.which(name, path=search) for name in ("initdb", "postgres")]
        if not all(commands):
            raise ImportError("no initdb and postgres here; apt-get install postgresql")
        initdb, self.command = commands
        # the server refuses to run as root
        user = "postgres" if os.getuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="assay-postgres-"))
        if user:
            shutil.chown(self.folder, user)
        self.options = {"user": user, "cwd": self.folder, "stdout": subprocess.DEVNULL}
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        subprocess.run(
            [initdb, "-D", "db", "-U", "assay", "-A", "trust", "--no-sync"],
            **self.options,
            check=True,
        )
        self.start()

    @property
    def address(self) -> str:
        return f"assay@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, for a second time too where it has died; AssertionError where it is not there within 30 s."""
        where = ("-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.folder))
        self.process = subprocess.Popen(
            [self.command, "-D", "db", *where, "-F"],
            **self.options,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 30
        while not self.listens():
            assert time.monotonic() < deadline and self.process.poll() is None
            time.sleep(0.1)

    def listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def end(self) -> None:
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """user@host:port of a PostgreSQL on the loopback address that asks for no password."""
    try:
        server = Postgres()
    except ImportError as missing_server:
        pytest.skip(str(missing_server))
    yield server.address
    server.end()
