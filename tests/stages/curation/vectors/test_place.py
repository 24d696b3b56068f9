"""Where products are made and why; and that a torch device finds the groups that numpy does."""

import sys

import numpy as np
import pytest

from stages.curation.duplicates.cover import greedy_cover
from stages.curation.duplicates.semantic import semdedup
from stages.curation.vectors import place
from stages.curation.vectors.place import (
    Cost,
    chosen_place,
    clusters_cost,
    nearest_cost,
    pairs_cost,
    reading_cost,
)
from stages.curation.vectors.products import (
    ROUNDING,
    close_pairs,
    has_card,
    nearest,
    unit_rows,
)
from stages.curation.vectors.spherical import spherical_kmeans
from stages.proxy.workforce import expected

TORCH = "cpu:0"  # a torch device that every machine has: the path of a card, on the processor


def refuse_to_look() -> bool:
    raise AssertionError("looked for a card")


@pytest.mark.parametrize(
    ("core_s", "sent_bytes", "card", "device", "why"),
    [
        (6.1, 0, True, "cuda", "on the GPU: 1.0e+12 operations, about 6.1 s on one"),
        (6.1, 0, False, "cpu", "6.1 s on one core, no card here"),
        (6.1, 5e9, True, "cpu", "7 s until a card has begun and has the rows"),
        (7.1, 5e9, True, "cuda", "on the GPU"),
    ],
)
def test_a_card_is_taken_where_one_core_would_be_done_later(
    core_s, sent_bytes, card, device, why
):
    found, reason = chosen_place("auto", Cost(1e12, core_s, sent_bytes), lambda: card)
    assert found == device and why in reason


def test_no_card_is_looked_for_where_a_core_is_done_before_one_begins():
    found, reason = chosen_place("auto", Cost(1e9, 5.9, 0), refuse_to_look)
    assert found == "cpu"
    assert reason == (
        "on the processor: 1.0e+09 operations, about 5.9 s on one core, 6 s until a"
        " card has begun and has the rows"
    )


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:1"])
def test_what_is_asked_for_is_taken_as_it_is(device):
    cost = clusters_cost(10**7, 64, 3000)
    assert chosen_place(device, cost, refuse_to_look) == (
        device,
        f"on {device}: asked for",
    )


def test_a_million_rows_go_to_a_card_and_the_demo_does_not():
    few = clusters_cost(2000, 64, 45) + pairs_cost(2000, 64, 45)
    many = clusters_cost(10**6, 64, 1000) + pairs_cost(10**6, 64, 1000)
    assert chosen_place("auto", few, lambda: True)[0] == "cpu"
    assert chosen_place("auto", many, lambda: True)[0] == "cuda"


def test_few_centres_never_pay_since_the_rows_must_be_sent():
    cost = nearest_cost(10**9, 64, 3)
    assert (
        cost.core_s > place.START_SECONDS
        and chosen_place("auto", cost, refuse_to_look)[0] == "cpu"
    )


def test_operations_are_those_of_the_products():
    assert nearest_cost(1000, 64, 10).flops == 2 * 1000 * 64 * 10
    assert pairs_cost(1000, 64, 10, rounds=5).flops == 5 * 2 * 64 * 1000**2 / 10
    trained = 30 * 2560 + 5000  # at most 30 iterations on 256 rows a cluster, then all
    assert clusters_cost(5000, 64, 10).flops == 2 * 64 * 10 * trained
    assert clusters_cost(5000, 64, 10, n_sample=100).flops == 2 * 64 * 10 * 8000


def test_a_model_costs_its_saved_weights_a_token_it_reads(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "model.safetensors").write_bytes(bytes(4000))
    assert reading_cost(tmp_path, 10, 8000).flops == 2 * 1000 * 2000
    assert reading_cost(tmp_path, 1, 8000).flops == 2 * 1000 * place.MOST_TOKENS
    assert reading_cost(tmp_path / "absent", 1, 8000).core_s == 0


def test_a_card_begins_as_fast_here_as_for_a_sweep():
    assert place.START_SECONDS == expected.START_SECONDS


def test_without_torch_there_is_no_card(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert not has_card()


def rows_with_copies(n=600, seed=0, columns=64):
    """Rows of 12 topics; the last third repeat the first with a little noise, so cosines lie around .98."""
    random = np.random.default_rng(seed)
    topics = random.normal(size=(12, columns))[random.integers(0, 12, n)]
    rows = topics + 0.8 * random.normal(size=(n, columns))
    third = n // 3
    noise = random.uniform(0, 0.3, (third, 1)) * random.normal(size=(third, columns))
    rows[-third:] = rows[:third] + noise
    return unit_rows(rows), [f"{i:05d}" for i in random.permutation(n)]


@pytest.mark.parametrize("columns", [64, 384])
@pytest.mark.parametrize("keep_first", ["hard", "easy", "random"])
@pytest.mark.parametrize("wanted", [{"eps": 0.02}, {"drop_fraction": 0.2}])
def test_a_torch_device_finds_the_groups_that_numpy_finds(columns, keep_first, wanted):
    rows, ids = rows_with_copies(columns=columns)
    here = semdedup(rows, ids, keep_first=keep_first, seed=1, **wanted)
    there = semdedup(rows, ids, keep_first=keep_first, seed=1, device=TORCH, **wanted)
    assert 20 < (~here.keep).sum() < 200
    assert there.eps == here.eps
    np.testing.assert_array_equal(there.keep, here.keep)
    np.testing.assert_array_equal(there.twin, here.twin)
    np.testing.assert_array_equal(there.clustering.cluster, here.clustering.cluster)


def test_cosines_of_a_torch_device_are_those_of_numpy_up_to_rounding():
    rows, ids = rows_with_copies()
    here, there = (spherical_kmeans(rows, ids, 12, device=d) for d in ("cpu", TORCH))
    np.testing.assert_allclose(there.centres, here.centres, atol=ROUNDING)
    np.testing.assert_allclose(there.cosine, here.cosine, atol=ROUNDING)
    at = nearest(rows, here.centres, TORCH)
    np.testing.assert_array_equal(at[0], nearest(rows, here.centres)[0])


def test_of_equal_centres_the_first_is_the_nearest_on_either():
    rows, _ = rows_with_copies()
    centres = np.repeat(rows[:5], 2, axis=0)
    for device in ("cpu", TORCH):
        assert not (nearest(rows, centres, device)[0] % 2).any()


def test_equal_rows_are_copies_at_eps_zero_on_either():
    rows = np.repeat(rows_with_copies(60)[0], 3, axis=0)
    for device in ("cpu", TORCH):
        earlier, later, _ = close_pairs(rows, 1.0, device)
        assert {*zip(earlier.tolist(), later.tolist(), strict=True)} >= {
            pair for i in range(0, 180, 3) for pair in ((i, i + 1), (i, i + 2))
        }
        keep, twin = greedy_cover(rows, 1.0, device=device)
        assert keep.reshape(60, 3).tolist() == [[True, False, False]] * 60
        np.testing.assert_array_equal(twin, np.arange(180) // 3 * 3)
