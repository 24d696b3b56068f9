"""Prefect's server on PostgreSQL: a run that is told of it alone is there, with its tasks and its decision."""

import os
import subprocess
import sys

import pytest

from flows.prefect_server.asking import ask
from flows.prefect_server.tied import free_port, stop, wait_for


@pytest.fixture
def server(postgres, tmp_path):
    """The address of its API. The database is PostgreSQL's own, which is empty."""
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if "PREFECT" not in k}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "prefect", "server", "start", "--no-ui"),
            *("--host", "127.0.0.1", "--port", str(port)),
        ],
        cwd=tmp_path,
        env=environment
        | {
            "PREFECT_HOME": str(tmp_path / "prefect"),
            "PREFECT_API_DATABASE_CONNECTION_URL": (
                f"postgresql+asyncpg://{postgres}/postgres"
            ),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/api/health", process)
        yield f"http://127.0.0.1:{port}/api"
    finally:
        stop([process])


@pytest.mark.pipeline
def test_a_run_and_its_decision_are_on_the_server_that_is_named(server, project):
    done = project.run(
        "-m",
        "flows.cli",
        "run",
        check=True,
        PREFECT_API_URL=server,
        MLFLOW_TRACKING_URI="http://127.0.0.1:9",
    )
    runs = ask(f"{server}/flow_runs/filter", {}, seconds=20)
    assert [run["state_type"] for run in runs] == ["COMPLETED"], done.stderr[-3000:]
    tasks = ask(f"{server}/task_runs/filter", {}, seconds=20)
    assert {"publish", "artifacts"} <= {task["name"] for task in tasks}
    artifact = ask(f"{server}/artifacts/decision-filter/latest", seconds=20)
    assert project.decision()["sentence"] in artifact["data"]
    assert not (project.folder / ".assay/prefect/prefect.db").exists()
