"""Prefect's page: a deployment started by a click runs, with its graph of tasks and its artifacts."""

import json
import time

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.pipeline]


@pytest.fixture(scope="module")
def deployment(pages):
    found = pages.ask("prefect", "deployments/name/assay/nightly-refresh")
    return f"{pages.urls['prefect']}/deployments/deployment/{found['id']}"


def runs_of(pages):
    """Flow runs that were not made by the schedule."""
    found = pages.ask("prefect", "flow_runs/filter", {})
    return [run for run in found if not run["auto_scheduled"]]


@pytest.fixture(scope="module")
def started():
    """The flow run that the first test starts, for those after it."""
    return []


def test_a_deployment_is_started_from_the_page_and_completes(
    open_page, pages, deployment, started
):
    assert not runs_of(pages)
    page = open_page(deployment).page
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Quick run", exact=True).click()
    deadline = time.monotonic() + 250
    while not (runs := runs_of(pages)) or runs[0]["state_type"] != "COMPLETED":
        assert time.monotonic() < deadline, runs
        assert not runs or runs[0]["state_type"] not in ("FAILED", "CRASHED"), runs
        page.wait_for_timeout(500)
    [run] = runs
    started.append(run)
    page.get_by_text(run["name"]).first.wait_for()


def test_its_page_has_the_graph_of_tasks(open_page, pages, started):
    [run] = started
    page = open_page(f"{pages.urls['prefect']}/runs/flow-run/{run['id']}").page
    page.get_by_text("Completed").first.wait_for()
    page.locator("canvas").first.wait_for()
    assert page.get_by_text("did not generate any task").count() == 0
    tasks = pages.ask(
        "prefect",
        "task_runs/filter",
        {"flow_runs": {"id": {"any_": [run["id"]]}}},
    )
    assert {"publish", "artifacts"} <= {task["name"] for task in tasks}
    page.get_by_text(f"{len(tasks)} Task runs").first.wait_for()


def test_the_decision_is_an_artifact_with_its_sentence(open_page, pages, started):
    [run] = started
    page = open_page(f"{pages.urls['prefect']}/runs/flow-run/{run['id']}").page
    page.get_by_text("Artifacts", exact=True).first.click()
    page.get_by_text("decision-filter").first.click()
    record = json.loads(
        (pages.project.folder / "data/decisions/filter.json").read_text("utf-8")
    )
    page.get_by_text(record["sentence"]).first.wait_for()
    page.locator("img[src^='data:image/png']").first.wait_for()
