"""Groups of a sweep as tasks over cards that are made up, without a server."""

import contextlib
from collections import Counter

import pytest

from flows import ray_workers
from flows import sweep as flow
from flows.prefect_server.own_server import WITHOUT
from stages.runs.run_files import SWEPT
from stages.sweeping import known_kinds, train_trunks
from tests.stages.sweeping.test_train_trunks import results, sweep, two_cards

__all__ = ["sweep", "two_cards"]  # fixtures


@pytest.fixture
def started(monkeypatch, two_cards):
    """What each worker of a task was shown, and what was asked of it before it trained."""
    monkeypatch.setenv(WITHOUT, "1")
    monkeypatch.setattr(flow, "choose_device", train_trunks.choose_device)
    shown, checked = [], []
    start = flow.Workers

    def workers(data, n_workers, environments, **options):
        shown.extend(each.get("CUDA_VISIBLE_DEVICES") for each in environments)
        return start(data, n_workers, environments, **options)

    monkeypatch.setattr(flow, "Workers", workers)
    monkeypatch.setattr(flow, "check_seen", lambda _, own: checked.extend(own))
    return shown, checked


@pytest.mark.parametrize(
    ("per_card", "n_asked", "cards"),
    [("1", 0, "ab"), ("2", 0, "aab"), ("2", 2, "ab"), ("1", 1, "")],
)
def test_tasks_train_on_a_card_each(
    sweep, started, monkeypatch, per_card, n_asked, cards
):
    """Three runs, each a group of its own."""
    monkeypatch.setenv("ASSAY_GROUPS_PER_CARD", per_card)
    monkeypatch.setattr(train_trunks, "parts_in_share", lambda *_a, **_b: {})
    monkeypatch.setattr(
        known_kinds, "expected_rates", lambda shape, n, ways, **_b: {ways[0]: 1e5}
    )
    flow._here(*sweep, flow.Fan("prefect", "cpu", n_asked, 0.0, SWEPT))
    shown, checked = started
    assert Counter(shown) == Counter(f"GPU-{card}" for card in cards)
    assert [own["CUDA_VISIBLE_DEVICES"] for own in checked] == shown
    assert len(results()) == 3


@pytest.mark.parametrize(("gpus", "per_card"), [(0.0, 1), (1.0, 1), (0.5, 2), (0.3, 3)])
def test_parts_of_a_gpu_on_ray_are_planned_as_parts_of_its_memory(
    sweep, two_cards, monkeypatch, gpus, per_card
):
    planned = []

    @contextlib.contextmanager
    def on_ray(work, _n_workers, _gpus):
        planned.append(work.plan.per_card)
        yield lambda number: None, 1

    monkeypatch.setattr(ray_workers, "ray_workers", on_ray)
    monkeypatch.setattr(flow, "choose_device", train_trunks.choose_device)
    monkeypatch.setenv(WITHOUT, "1")
    flow._on_ray(*sweep, flow.Fan("ray", "cpu", 0, gpus, SWEPT))
    assert planned == [per_card]
