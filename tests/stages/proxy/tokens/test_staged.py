"""A curriculum of stages, against brute force over labelled tokens."""

from dataclasses import replace

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.proxy.tokens.order import Stream
from stages.proxy.tokens.packed import write_packed
from stages.proxy.tokens.shrink import shrunk
from stages.proxy.tokens.staged import StagedStream, reading
from stages.proxy.tokens.view import View

N_DOCUMENTS, N_TOKENS = 40, 2_000


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """Every token is its own position (EOS included), so that a stream shows where it has been."""
    lengths = np.random.default_rng(0).integers(5, 40, N_DOCUMENTS)
    edges = np.concatenate([[0], np.cumsum(lengths)])
    documents = [
        (str(i), np.arange(edges[i], edges[i + 1]), 1) for i in range(N_DOCUMENTS)
    ]
    return write_packed(
        tmp_path_factory.mktemp("pack") / "pack",
        documents,
        vocab_size=int(edges[-1]) + 1,
        eos_id=int(edges[-1]),
    )


@pytest.fixture(scope="module")
def view(pack):
    """Three stages over all documents: those whose number leaves 2, 0 and 1 when divided by 3."""
    stages = (np.arange(N_DOCUMENTS) + 1) % 3
    return View(
        pack,
        np.arange(N_DOCUMENTS),
        np.linspace(0.5, 2, N_DOCUMENTS),
        groups=np.arange(N_DOCUMENTS) % 2,
        group_names=("even", "odd"),
        stages=stages,
    )


def documents_of(pack, places):
    return np.repeat(np.arange(N_DOCUMENTS), pack.n_tokens_each)[places]


def test_each_stretch_reads_one_stage_alone_as_a_run_of_its_own_would(pack, view):
    stream = StagedStream(view, 3, N_TOKENS)
    assert stream.stage_ends[-1] == N_TOKENS
    begin = 0
    for number, end in enumerate(stream.stage_ends.tolist()):
        places = stream.places(begin, end - begin)
        assert set(view.stages[documents_of(pack, places)]) == {number}
        own = Stream(view.stage(number), 3).places(0, end - begin)
        assert places.tolist() == own.tolist()
        begin = end


def test_a_stretch_is_as_long_as_its_part_of_a_pass(view):
    ends = StagedStream(view, 3, N_TOKENS).stage_ends
    used = view.weights * view.n_tokens_each
    shares = [used[view.stages == number].sum() / used.sum() for number in range(3)]
    assert np.diff([0, *ends]) == pytest.approx(np.array(shares) * N_TOKENS, abs=1)


@pytest.mark.parametrize("n_tokens", [0, 1, 313, 700, 1_400, 2_000, 2_600])
def test_counts_equal_brute_force(pack, view, n_tokens):
    stream = StagedStream(view, 3, N_TOKENS)
    seen = stream.places(0, n_tokens)
    documents = documents_of(pack, seen)
    found = stream.counts(n_tokens)
    assert (found.n_tokens_seen, found.epochs) == (n_tokens, n_tokens / view.n_tokens)
    assert found.n_tokens_unique == len(set(seen.tolist()))
    assert found.seen_by_group == tuple(np.bincount(documents % 2, minlength=2))
    unique = documents_of(pack, np.unique(seen))
    assert found.unique_by_group == tuple(np.bincount(unique % 2, minlength=2))
    each = np.bincount(unique, minlength=N_DOCUMENTS)
    assert stream.reach(n_tokens).tolist() == each.tolist()


def test_any_stretch_is_a_part_of_the_whole_across_stages_and_beyond_the_end(view):
    stream = StagedStream(view, 3, N_TOKENS)
    whole = stream.again().places(0, N_TOKENS + 300).tolist()
    for first, n_tokens in ((0, 10), (600, 900), (1_990, 100), (N_TOKENS, 300)):
        assert stream.places(first, n_tokens).tolist() == whole[first:][:n_tokens]
    [inputs], [targets] = stream.batch(1, 64, 64)
    assert inputs.tolist() == view.packed.tokens[whole[63:127]].tolist()
    assert targets.tolist() == view.packed.tokens[whole[64:128]].tolist()


def test_without_stages_a_view_is_read_as_ever_and_with_them_one_budget_a_run(view):
    assert type(reading(replace(view, stages=None), 3, (512, 1024))) is Stream
    assert type(reading(view, 3, (1024,))) is StagedStream
    with pytest.raises(InputError, match=r"begin elsewhere in each of the budgets"):
        reading(view, 3, (512, 1024))
    with pytest.raises(InputError, match="no run of it begins 64 tokens in"):
        StagedStream(view, 3, N_TOKENS).counts_from(64, 64)


def test_stages_are_part_of_what_a_run_trained_on_and_stay_in_a_cut(view):
    plain = replace(view, stages=None)
    other = replace(view, stages=view.stages[::-1].copy())
    assert len({each.fingerprint for each in (plain, view, other)}) == 3
    cut = shrunk(view, view.n_tokens // 2, seed=1)
    assert cut.stages.tolist() == view.stages[cut.rows].tolist()
    assert cut.n_stages == 3


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([0, 1], "has 2 stages for 3 documents"),
        ([0, 2, 2], "no document in stage 2 of 3; ask for fewer stages"),
        ([0, 0, 1], "no document in stage 2 of 2"),  # the third is not used
        ([0, -1, 0], "has a stage -1; stages count from 0"),
    ],
)
def test_stages_that_cannot_be_are_named(pack, stages, message):
    with pytest.raises(InputError, match=message):
        View(pack, [0, 1, 2], [1, 1, 0], arm="x", stages=stages)


def test_a_stage_below_one_batch_is_refused(view):
    with pytest.raises(InputError, match="in stage 1 of 3, has .* ask for fewer stage"):
        view.require(view.n_tokens // 2)
