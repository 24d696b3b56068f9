"""prefect.yaml names flows that there are, with parameters that they take; a worker runs and cancels."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from urllib.error import HTTPError

import psutil
import pytest
import yaml

from flows.prefect_server.asking import ask
from flows.prefect_server.tied import free_port, stop, wait_for
from stages.foundation.stage import ROOT

DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
SCHEMAS = """
import json, sys
from flows import environment
environment.prepare()
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
for entrypoint in sys.argv[1:]:
    print(json.dumps(parameter_schema(load_flow_from_entrypoint(entrypoint)).model_dump_for_openapi()))
"""


@pytest.fixture(scope="module")
def schemas(tmp_path_factory):
    """Deployment -> JSON schema of the parameters of its flow."""
    entrypoints = [f"{ROOT}/{one['entrypoint']}" for one in DEPLOYMENTS]
    done = subprocess.run(
        [sys.executable, "-c", SCHEMAS, *entrypoints],
        cwd=tmp_path_factory.mktemp("schemas"),
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = map(json.loads, done.stdout.splitlines())
    return dict(zip((one["name"] for one in DEPLOYMENTS), found, strict=True))


def faults(schema, parameters):
    from prefect.utilities.schema_tools import validate

    return [str(error.message) for error in validate(parameters, schema)]


def test_what_is_deployed_is_what_the_flows_take(schemas):
    assert set(schemas) == {"nightly-refresh", "weekly-refit", "on-demand"}
    for one in DEPLOYMENTS:
        assert faults(schemas[one["name"]], one["parameters"]) == []
        assert one["work_pool"] == {"name": "assay"}
        assert one["concurrency_limit"]["limit"] == 1
    crons = [one["schedules"][0]["cron"] for one in DEPLOYMENTS if "schedules" in one]
    assert crons == ["0 3 * * *", "0 5 * * 0"]


@pytest.mark.parametrize(
    ("deployment", "parameters", "said"),
    [
        ("nightly-refresh", {"executor": "spark"}, "'spark' is not one of"),
        ("nightly-refresh", {"gpus": 2}, "2 is greater than the maximum of 1"),
        ("weekly-refit", {"again": ["ingest"]}, "'ingest' is not one of"),
        ("on-demand", {"asked": {"level": 1.5}}, "is not valid under any"),
        ("on-demand", {"asked": {"target_flops": []}}, "is not valid under any"),
        ("on-demand", {"asked": {"flops": 1e9}}, "'flops' was unexpected"),
    ],
)
def test_the_form_refuses_what_is_mistyped(schemas, deployment, parameters, said):
    [fault] = faults(schemas[deployment], parameters)
    assert said in fault


class Prefect:
    """A server, and the commands of an operator in a project's folder."""

    def __init__(self, project, url):
        self.project, self.url = project, url
        self.variables = {
            "PREFECT_API_URL": url,
            "PREFECT_HOME": str(project.folder / ".assay/prefect"),
            "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_RUNNER_POLL_FREQUENCY": "1",
            "PREFECT_LOGGING_LEVEL": "WARNING",
        }

    def __call__(self, *arguments):
        code = "from prefect.cli import app; app()"
        self.project.run("-c", code, *arguments, check=True, **self.variables)

    def worker(self):
        command = "from prefect.cli import app; app()"
        arguments = ["worker", "start", "--pool", "assay", "--name", "here"]
        return subprocess.Popen(
            [sys.executable, "-c", command, *arguments],
            cwd=self.project.folder,
            env=self.project.environment | self.variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def ask(self, path, body=None):
        """The answer; a database that is busy is asked again."""
        deadline = time.monotonic() + 30
        while True:
            try:
                return ask(f"{self.url}/{path}", body, seconds=20)
            except HTTPError as error:
                if error.code != 503 or time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def start(self, deployment, parameters):
        found = self.ask(f"deployments/name/{deployment}")
        body = {"state": {"type": "SCHEDULED"}, "parameters": parameters}
        return self.ask(f"deployments/{found['id']}/create_flow_run", body)["id"]

    def state(self, run):
        return self.ask(f"flow_runs/{run}")["state"]

    def wait(self, run, *kinds, seconds=180):
        deadline = time.monotonic() + seconds
        while (state := self.state(run))["type"] not in kinds:
            assert time.monotonic() < deadline, state
            time.sleep(0.5)
        return state


@pytest.fixture
def prefect(project):
    """A local server on a database of its own, with the deployments of prefect.yaml in a process work pool."""
    shutil.copy(ROOT / "prefect.yaml", project.folder)
    port = free_port()
    prefect = Prefect(project, f"http://127.0.0.1:{port}/api")
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "prefect", "server", "start", "--no-ui"),
            *("--host", "127.0.0.1", "--port", str(port)),
        ],
        cwd=project.folder,
        env=project.environment | prefect.variables | {"PREFECT_API_URL": ""},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(f"{prefect.url}/health", server)
        prefect.ask("work_pools/", {"name": "assay", "type": "process"})
        prefect("--no-prompt", "deploy", "--all")
        yield prefect
    finally:
        stop([server])


def flow_processes(worker):
    return [
        child
        for child in psutil.Process(worker.pid).children(recursive=True)
        if "stages" in child.cmdline() or "prefect.engine" in child.cmdline()
    ]


@pytest.mark.pipeline
def test_a_worker_takes_runs_and_a_cancelled_sweep_leaves_what_is_finished(prefect):
    project = prefect.project
    before = project.runs()
    worker = prefect.worker()
    try:
        at = project.params()["decide"]["target_flops"]
        run = prefect.start("decision/on-demand", {"asked": {"target_flops": at}})
        ended = prefect.wait(run, "COMPLETED", "FAILED", "CRASHED")
        assert ended["type"] == "COMPLETED", ended
        artifact = prefect.ask("artifacts/decision-filter/latest")
        assert project.decision()["sentence"] in artifact["data"]
        assert "](data:image/png;base64," in artifact["data"]

        for name in before:
            (project.folder / "data/sweep/runs" / name).unlink()
        (project.folder / "data/sweep/runs.parquet").unlink()
        run = prefect.start("assay/nightly-refresh", {})
        deadline = time.monotonic() + 180
        while not project.runs():
            assert time.monotonic() < deadline, prefect.state(run)
            time.sleep(0.1)
        children = flow_processes(worker)
        assert children
        cancelling = {"type": "CANCELLING", "name": "Cancelling"}
        prefect.ask(f"flow_runs/{run}/set_state", {"state": cancelling})
        assert not psutil.wait_procs(children, timeout=20)[1], "work went on"
        prefect.wait(run, "CANCELLED", seconds=30)
        assert 0 < len(project.runs()) < len(before)
    finally:
        os.killpg(worker.pid, signal.SIGTERM)
        worker.wait(timeout=30)
