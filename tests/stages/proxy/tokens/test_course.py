"""Counts over a trunk and the other mix of its decay, against brute force over labelled tokens."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.proxy.tokens.course import Course
from stages.proxy.tokens.order import Stream
from stages.proxy.tokens.packed import write_packed
from stages.proxy.tokens.view import View


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """Every token is its own position (EOS included), so that a stream shows where it has been."""
    lengths = np.random.default_rng(0).integers(1, 40, 40)
    edges = np.concatenate([[0], np.cumsum(lengths)])
    documents = [(str(i), np.arange(edges[i], edges[i + 1]), 1) for i in range(40)]
    return write_packed(
        tmp_path_factory.mktemp("pack") / "pack",
        documents,
        vocab_size=int(edges[-1]) + 1,
        eos_id=int(edges[-1]),
    )


def view(pack, rows, weights=None):
    return View(
        pack, rows, weights, groups=np.arange(40) % 3, group_names=("a", "b", "c")
    )


def positions(pack, stream, n_tokens):
    """Pack positions of the first tokens of a stream."""
    found = []
    for index in range(100):
        for row in stream.view.rows[stream._plan(index).order]:
            found.extend(
                range(pack.start[row], pack.start[row] + pack.n_tokens_each[row])
            )
    return found[:n_tokens]


@pytest.mark.parametrize(
    ("n_trunk", "n_decay"),
    [(0, 0), (1, 0), (0, 7), (313, 100), (500, 20), (900, 2000), (17, 300)],
)
def test_counts_over_both_streams_equal_brute_force(pack, n_trunk, n_decay):
    trunk = Stream(view(pack, np.arange(0, 30)), 3)
    decay = Stream(view(pack, np.arange(20, 40), np.linspace(0.5, 2, 20)), 3)
    found = Course(trunk, decay).counts(n_trunk, n_decay)
    document = np.repeat(np.arange(40), pack.n_tokens_each)
    seen = positions(pack, trunk, n_trunk) + positions(pack, decay, n_decay)
    assert found.n_tokens_seen == n_trunk + n_decay
    assert found.n_tokens_unique == len(set(seen))
    assert found.epochs == (n_trunk + n_decay) / pack.n_tokens
    assert found.seen_by_group == tuple(
        np.bincount(document[np.array(seen, int)] % 3, minlength=3)
    )
    assert found.unique_by_group == tuple(
        np.bincount(document[np.array(sorted(set(seen)), int)] % 3, minlength=3)
    )


def test_without_a_curriculum_the_decay_reads_on(pack):
    stream = Stream(view(pack, np.arange(30)), 3)
    assert Course(stream).counts(300, 77) == stream.counts(377)


def test_views_that_cannot_be_counted_together_are_refused(pack):
    with pytest.raises(
        InputError,
        match="decays into 'all', which is a view of another pack or other groups",
    ):
        Course(Stream(view(pack, [1]), 0), Stream(View(pack, [2]), 0))
