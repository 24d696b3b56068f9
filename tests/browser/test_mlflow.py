"""MLflow's page: the printed link shows the sweep's runs, they compare over log compute, the decision is there."""

import json

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.pipeline]


@pytest.fixture(scope="module")
def runs(pages):
    """(the parent, its children) as the server has them."""
    found = pages.ask(
        "mlflow", "runs/search", {"experiment_ids": ["1"], "max_results": 100}
    )["runs"]
    parents = {
        tag["value"]
        for run in found
        for tag in run["data"]["tags"]
        if tag["key"] == "mlflow.parentRunId"
    }
    [parent] = [run for run in found if run["info"]["run_id"] in parents]
    return parent, [run for run in found if run is not parent]


def test_the_link_lands_on_the_runs_of_the_question_and_not_on_pages_of_agents(
    open_page, pages, runs
):
    page = open_page(pages.compare_link).page
    page.get_by_text("sweep-filter").first.wait_for()
    page.get_by_text("Model metrics").wait_for()
    assert f"{len(runs[1]) + 1} matching runs" in page.inner_text("body")
    assert "/runs?" in page.url
    assert page.get_by_text("Agent versions").count() == 0


def test_the_experiment_alone_opens_on_its_runs_among_the_pages_of_model_training(
    open_page, pages
):
    link = f"{pages.urls['mlflow']}/#/experiments/1?workflowType=machine_learning"
    page = open_page(link).page
    page.get_by_text("sweep-filter").first.wait_for()
    assert "/experiments/1/runs" in page.url


def test_children_compare_over_log_compute(open_page, pages, runs):
    children = runs[1][:6]
    ids = json.dumps([run["info"]["run_id"] for run in children]).replace(" ", "")
    page = open_page(
        f'{pages.urls["mlflow"]}/#/compare-runs?runs={ids}&experiments=["1"]'
    ).page
    page.get_by_text(f"Comparing {len(children)} Runs from 1 Experiment").wait_for()
    page.get_by_text("Scatter Plot").click()
    page.locator(".js-plotly-plot").first.wait_for()
    text = page.inner_text("body")
    for name in ("log10_flops", "log10_n_params", "heldout_good_loss_nats"):
        assert name in text
    names = [run["info"]["run_name"] for run in children]
    assert all(name in text for name in names)


def test_the_decision_and_its_figure_are_artifacts_of_the_sweep(open_page, pages, runs):
    folder = f"{pages.urls['mlflow']}/#/experiments/1/runs/{runs[0]['info']['run_id']}"
    page = open_page(f"{folder}/artifacts").page
    page.get_by_text("filter.json", exact=True).click()
    record = json.loads(
        (pages.project.folder / "data/decisions/filter.json").read_text("utf-8")
    )
    page.get_by_text(record["content_hash"]).first.wait_for()
    page.get_by_text("filter-loss.png", exact=True).click()
    page.locator("img[src^='blob:'], img[src*='filter-loss']").first.wait_for()
