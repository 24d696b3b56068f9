"""A branch of a trunk is, on the trunk's data, the end of an undisturbed run, bit for bit."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.proxy.specs.branch import Branch
from stages.proxy.training.train import train_group, train_run

TRUNK, BUDGETS = 2560, (640, 1280)


@pytest.fixture(scope="module")
def trunk_spec(make_spec):
    return make_spec(
        budgets_tokens=(TRUNK,), schedule="constant", dropout=0.1, weight_decay=1.0
    )


@pytest.fixture(scope="module")
def with_trunk(data, trunk_spec, tmp_path_factory):
    """The data with the weights of the trunk, and its result."""
    file = tmp_path_factory.mktemp("trunks") / "t.safetensors"
    named = {"trunks": {"t": file}, "kept": {trunk_spec.key: file}}
    every = type(data)(data.views, data.held_out, None, **named)
    return every, train_run(trunk_spec, every, device="cpu")


def branch_of(make_spec, arm="all", reads_on=True, **changes):
    branch = Branch(trunk="t", trunk_tokens=TRUNK, reads_on=reads_on)
    values = {"budgets_tokens": BUDGETS, "dropout": 0.1, "weight_decay": 1.0}
    return make_spec(arm=arm, branch=branch, **values | changes)


def test_a_branch_on_the_trunks_data_is_the_undisturbed_run(with_trunk, make_spec):
    every, _ = with_trunk
    result = train_run(branch_of(make_spec), every, device="cpu")
    for budget, own in zip(BUDGETS, result.budgets, strict=True):
        whole = TRUNK + budget
        undisturbed = make_spec(
            budgets_tokens=(whole,),
            decay_fraction=budget / whole,
            dropout=0.1,
            weight_decay=1.0,
        )
        [other] = train_run(undisturbed, every, device="cpu").budgets
        ours, theirs = own.held_out["held"], other.held_out["held"]
        assert ours.document_loss_nats.tolist() == theirs.document_loss_nats.tolist()


def test_arms_of_one_trunk_are_stacked_and_each_is_as_it_is_alone(
    with_trunk, make_spec
):
    every, _ = with_trunk
    specs = [
        branch_of(make_spec),
        branch_of(make_spec, "half", reads_on=False, data_seed=7),
    ]
    together = train_group(specs, every, device="cpu")
    for spec, result in zip(specs, together, strict=True):
        [alone] = train_group([spec], every, device="cpu")
        assert result.stack_size == 2
        for one, other in zip(result.budgets, alone.budgets, strict=True):
            assert one.held_out["held"].loss_nats == pytest.approx(
                other.held_out["held"].loss_nats, abs=1e-4
            )


def test_a_branch_costs_and_counts_its_own_tokens_alone(with_trunk, make_spec):
    every, trunk = with_trunk
    spec = branch_of(make_spec, "half", reads_on=False)
    first, second = train_run(spec, every, device="cpu").budgets
    n = spec.shape.n_params
    assert (first.n_tokens_seen, second.n_tokens_seen) == BUDGETS
    assert (first.flops, second.flops) == (6.0 * n * 640, 6.0 * n * 1280)
    [paid_once] = trunk.budgets
    assert paid_once.flops == 6.0 * n * TRUNK
    assert first.n_tokens_unique == 640 and sum(first.shares.values()) == 1


def test_what_was_read_before_is_not_counted(data):
    from stages.proxy.tokens.order import Stream

    stream = Stream(data.views["half"], 3)
    size = data.views["half"].n_tokens
    for first, n in ((0, 500), (137, 61), (size - 50, 200), (10, 3 * size)):
        tokens, counts = reading(data.views["half"], 3, first, n), None
        counts = stream.counts_from(first, n)
        assert counts.n_tokens_unique == len(set(tokens)) == sum(counts.unique_by_group)
        assert counts.n_tokens_seen == n == sum(counts.seen_by_group)


def reading(view, seed, first, n):
    """(document, place) of every token of a stretch, by walking the passes one by one."""
    from stages.proxy.tokens.order import Stream

    stream, walked, number = Stream(view, seed), [], 0
    while len(walked) < first + n:
        for use in stream._pass(number).order.tolist():
            walked += [(use, at) for at in range(int(view.n_tokens_each[use]))]
        number += 1
    return walked[first : first + n]


def test_a_killed_branch_goes_on_bit_for_bit(with_trunk, make_spec, tmp_path):
    every, _ = with_trunk
    spec, options = branch_of(make_spec), {"checkpoint": tmp_path / "c.pt"}

    class Killed(Exception):
        pass

    def kill(step):
        if step == 8:
            raise Killed

    with pytest.raises(Killed):
        train_run(
            spec, every, device="cpu", checkpoint_every_steps=4, on_step=kill, **options
        )
    resumed = train_run(spec, every, device="cpu", **options)
    whole = train_run(spec, every, device="cpu")
    assert [b.held_out["held"].loss_nats for b in resumed.budgets] == [
        b.held_out["held"].loss_nats for b in whole.budgets
    ]


def test_a_spec_without_a_branch_says_nothing_of_one(make_spec):
    values = make_spec().to_dict()
    assert "branch" not in values and "loss" not in values
    spec = branch_of(make_spec)
    assert type(spec).from_dict(spec.to_dict()) == spec


def test_the_rate_of_a_branch_falls_over_all_of_it_and_warms_up_without_moments(
    make_spec,
):
    warm = branch_of(make_spec).segments
    assert [s.n_steps for s in warm] == [5, 10] and warm[0].first_step == 20
    np.testing.assert_allclose(warm[0].lr_factors, 1 - np.arange(1, 6) / 6)
    cold = make_spec(
        budgets_tokens=(1280,), branch=Branch(trunk="t", trunk_tokens=0, warm=False)
    )
    [segment] = cold.segments
    np.testing.assert_allclose(segment.lr_factors[:3], [0.2, 0.4, 0.6])


def test_a_branch_takes_no_setting_of_another_schedule(make_spec):
    with pytest.raises(InputError, match="schedule is 'cosine', of a run that goes on"):
        branch_of(make_spec, schedule="cosine")


def test_a_trunk_that_is_not_there_is_named(data, make_spec):
    with pytest.raises(InputError, match="no weights of the trunk t"):
        train_run(branch_of(make_spec), data, device="cpu")
