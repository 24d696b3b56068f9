"""A branch decays over all of its budget, from the step at which it leaves its trunk."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.proxy.specs.branch import Branch
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec

SHAPE = Shape(d_model=16, n_layers=2, n_heads=2, context=32, vocab_size=64)
USUAL = {"batch_tokens": 128, "warmup_steps": 5}


def spec(**changes):
    values = {"arm": "a", "shape": SHAPE, "budgets_tokens": (640, 1280)}
    return RunSpec(**values | USUAL | changes)


def test_every_budget_is_a_decay_of_its_own_from_the_trunks_end():
    segments = spec(branch=Branch(trunk="t", trunk_tokens=2560)).segments
    assert [(s.budget_tokens, s.first_step, s.n_steps) for s in segments] == [
        (640, 20, 5),
        (1280, 20, 10),
    ]
    np.testing.assert_allclose(segments[0].lr_factors, 1 - np.arange(1, 6) / 6)
    assert all(segment.returns for segment in segments)


def test_the_rates_are_those_of_the_end_of_an_undisturbed_run():
    leave, own = 256, 1280  # inside the warm-up
    whole = spec(budgets_tokens=(leave + own,), decay_fraction=own / (leave + own))
    branch = spec(budgets_tokens=(own,), branch=Branch(trunk="t", trunk_tokens=leave))
    trunk, decay = whole.segments
    assert trunk.n_steps == 2
    assert branch.segments[0].lr_factors.tolist() == decay.lr_factors.tolist()


def test_without_moments_the_rate_warms_up_again():
    cold = Branch(trunk="t", trunk_tokens=2560, warm=False)
    [segment] = spec(budgets_tokens=(1280,), branch=cold).segments
    np.testing.assert_allclose(segment.lr_factors[:3], [0.2, 0.4, 0.6])


def test_a_spec_without_a_branch_says_nothing_of_one():
    values = spec().to_dict()
    assert "branch" not in values and "loss" not in values
    branch = spec(
        branch=Branch(trunk="t", trunk_tokens=0, reads_on=True), loss="answer"
    )
    assert RunSpec.from_dict(branch.to_dict()) == branch != spec()
    assert branch.key != spec().key


def test_branches_of_trunks_of_other_lengths_are_not_stacked():
    ours = spec(branch=Branch(trunk="t", trunk_tokens=2560, reads_on=True))
    other = spec(branch=Branch(trunk="u", trunk_tokens=2560))
    longer = spec(branch=Branch(trunk="u", trunk_tokens=5120))
    assert ours.stack_key == other.stack_key != longer.stack_key
    assert other.stack_key != spec().stack_key


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule": "cosine"}, "schedule is 'cosine', of a run that goes on"),
        ({"decay_arm": "b"}, "decay_arm is 'b', of a run that goes on"),
        ({"unique_tokens": 9}, "unique_tokens is 9, of a run that goes on"),
        ({"loss": "prompt"}, "loss is 'prompt'; use all, answer"),
        ({"loss": "answer", "z_loss": 0.1}, "z_loss is 0.1, of a run that scores"),
    ],
)
def test_what_a_branch_cannot_have_is_named(changes, message):
    with pytest.raises(InputError, match=message):
        spec(branch=Branch(trunk="t", trunk_tokens=2560), **changes)


def test_a_trunk_of_fewer_than_no_tokens_is_refused():
    with pytest.raises(InputError, match="trunk_tokens is -1"):
        Branch(trunk="t", trunk_tokens=-1)
