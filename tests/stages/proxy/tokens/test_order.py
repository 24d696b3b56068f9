"""Counts and order of a token stream against brute force over labelled tokens."""

import numpy as np
import pytest

from stages.proxy.tokens.order import Stream
from stages.proxy.tokens.packed import write_packed
from stages.proxy.tokens.view import View


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A pack in which every token is its own position, so that a stream shows where it has been."""
    lengths = np.random.default_rng(0).integers(1, 40, 50)
    edges = np.concatenate([[0], np.cumsum(lengths)])
    documents = [(str(i), np.arange(edges[i], edges[i + 1]), 1) for i in range(50)]
    return write_packed(
        tmp_path_factory.mktemp("pack") / "pack",
        documents,
        vocab_size=int(edges[-1]) + 1,
        eos_id=int(edges[-1]),
    )


def views(pack):
    groups = np.arange(pack.n_documents) % 3
    rows = np.arange(0, 50, 2)
    weights = np.random.default_rng(1).random(len(rows)) * 3
    names = ("a", "b", "c")
    return {
        "plain": View(pack, rows, groups=groups, group_names=names),
        "weighted": View(pack, rows, weights, groups=groups, group_names=names),
        "ungrouped": View(pack, rows, weights / 3),
    }


def position_ids(pack, stream, n_tokens):
    """Pack positions of the first tokens of a stream; the EOS that packing added is told apart by its document."""
    found = []
    for index in range(200):
        plan = stream._plan(index)
        for row in stream.view.rows[plan.order]:
            found.extend(
                range(pack.start[row], pack.start[row] + pack.n_tokens_each[row])
            )
        if len(found) >= n_tokens:
            return np.array(found[:n_tokens])


@pytest.mark.parametrize("name", ["plain", "weighted", "ungrouped"])
def test_counts_equal_brute_force_at_any_token(labelled, name):
    view = views(labelled)[name]
    stream = Stream(view, 7)
    positions = position_ids(labelled, stream, 6000)
    document = np.repeat(np.arange(labelled.n_documents), labelled.n_tokens_each)
    for n in [
        0,
        1,
        2,
        17,
        view.n_tokens - 1,
        view.n_tokens,
        view.n_tokens + 1,
        1234,
        999,
        4321,
        6000,
    ]:
        counts, seen = stream.counts(n), positions[:n]
        assert counts.n_tokens_seen == n
        assert counts.n_tokens_unique == len(set(seen)) <= view.n_tokens
        assert counts.epochs == n / view.n_tokens
        if view.groups is not None:
            assert counts.seen_by_group == tuple(
                np.bincount(document[seen] % 3, minlength=3)
            )
            assert counts.unique_by_group == tuple(
                np.bincount(document[np.unique(seen)] % 3, minlength=3)
            )
            assert sum(counts.shares) == pytest.approx(1.0 if n else 0.0)


@pytest.mark.parametrize("name", ["plain", "weighted", "ungrouped"])
def test_any_stretch_equals_the_whole(labelled, name):
    stream = Stream(views(labelled)[name], 7)
    whole = labelled.tokens[position_ids(labelled, stream, 5000)].astype(np.int64)
    fresh = Stream(views(labelled)[name], 7)
    for first, n in [(4000, 700), (0, 5000), (3, 1), (999, 0), (2500, 2500), (1, 40)]:
        assert fresh.tokens(first, n).tolist() == whole[first : first + n].tolist()


def test_every_pass_is_a_fresh_permutation_of_all_documents(labelled):
    stream = Stream(views(labelled)["plain"], 1)
    orders = [stream._plan(index).order.tolist() for index in range(5)]
    assert all(sorted(order) == list(range(25)) for order in orders)
    assert len({tuple(order) for order in orders}) == 5
    other = Stream(views(labelled)["plain"], 2)
    assert other._plan(0).order.tolist() != orders[0]


def test_weights_are_the_mean_number_of_uses_a_pass(labelled):
    view = views(labelled)["weighted"]
    stream = Stream(view, 3)
    uses = np.array(
        [
            np.bincount(stream._plan(index).order, minlength=len(view.rows))
            for index in range(2000)
        ]
    )
    assert (
        (uses == np.floor(view.weights)) | (uses == np.floor(view.weights) + 1)
    ).all()
    assert np.abs(uses.mean(0) - view.weights).max() < 4 * 0.5 / np.sqrt(2000)


def test_arms_meet_shared_documents_in_the_same_order(labelled):
    big, small = (
        Stream(View(labelled, np.arange(50)), 5),
        Stream(View(labelled, np.arange(0, 50, 3)), 5),
    )
    for index in range(3):
        rows = big.view.rows[big._plan(index).order]
        assert (
            rows[np.isin(rows, small.view.rows)].tolist()
            == small.view.rows[small._plan(index).order].tolist()
        )


def test_batches_are_the_shifted_stream(make_pack):
    view = View(make_pack(), np.arange(40))
    stream = Stream(view, 4)
    batches = [stream.batch(step, 64, 16) for step in range(50)]
    inputs, targets = (
        np.concatenate([batch[part].ravel() for batch in batches]) for part in (0, 1)
    )
    assert batches[0][0].shape == (4, 16)
    assert inputs[0] == view.packed.eos_id
    assert inputs[1:].tolist() == targets[:-1].tolist()
    assert targets.tolist() == Stream(view, 4).tokens(0, 50 * 64).tolist()
    later = Stream(view, 4).batch(20, 64, 16)
    assert later[1].tolist() == batches[20][1].tolist()


def walked(stream, first, n):
    """(document, place) of every token of a stretch, pass by pass."""
    view, places, number = stream.view, [], 0
    while len(places) < first + n:
        for use in stream._pass(number).order.tolist():
            places += [(use, at) for at in range(int(view.n_tokens_each[use]))]
        number += 1
    return places[first : first + n]


@pytest.mark.parametrize(
    ("first", "n"), [(0, 300), (137, 61), (200, 1), (150, 900), (3, 2000)]
)
def test_what_was_read_before_a_stretch_is_not_counted(make_pack, first, n):
    pack = make_pack(12, seed=5, longest=60)
    groups = np.arange(12) % 2
    view = View(pack, np.arange(12), groups=groups, group_names=("even", "odd"))
    places = walked(Stream(view, 3), first, n)
    counts = Stream(view, 3).counts_from(first, n)
    assert counts.n_tokens_unique == len(set(places))
    assert counts.unique_by_group == tuple(
        len({place for place in set(places) if place[0] % 2 == odd}) for odd in (0, 1)
    )
    assert counts.seen_by_group == tuple(
        sum(document % 2 == odd for document, _ in places) for odd in (0, 1)
    )
    assert counts.epochs == n / view.n_tokens
