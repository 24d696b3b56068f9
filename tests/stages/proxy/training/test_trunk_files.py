"""A branch of a trunk is, on the trunk's data, the end of an undisturbed run, bit for bit."""

import dataclasses

import pytest
import torch
from safetensors.torch import load_file, save_file

from stages.foundation.errors import InputError
from stages.proxy.specs.branch import Branch
from stages.proxy.specs.checkpoint_file import read_header
from stages.proxy.training.train import train_group, train_run
from stages.proxy.training.trunk_files import load_trunk

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
    every = dataclasses.replace(data, tokenizer="0123", **named)
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


@pytest.mark.parametrize("form", ["experts", "growth"])
def test_so_it_is_of_experts_and_of_a_trunk_that_grew(data, make_spec, tmp_path, form):
    changes, of_trunk = {"budgets_tokens": (640,)}, {}
    if form == "experts":
        changes["shape"] = make_spec().shape.with_experts(4, 2)
    else:
        of_trunk = {"grown_from": 1, "growth_tokens": 1280}
    trunk = make_spec(
        **changes | of_trunk | {"budgets_tokens": (TRUNK,), "schedule": "constant"}
    )
    file = tmp_path / "t.safetensors"
    named = {"trunks": {"t": file}, "kept": {trunk.key: file}}
    every = dataclasses.replace(data, **named)
    train_run(trunk, every, device="cpu")
    start = Branch(trunk="t", trunk_tokens=TRUNK, reads_on=True)
    [own] = train_run(make_spec(branch=start, **changes), every, device="cpu").budgets
    whole = {"budgets_tokens": (TRUNK + 640,), "decay_fraction": 640 / (TRUNK + 640)}
    undisturbed = make_spec(**changes | of_trunk | whole)
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


def test_a_trunk_that_is_not_there_is_named(data, make_spec):
    with pytest.raises(InputError, match="no weights of the trunk t"):
        train_run(branch_of(make_spec), data, device="cpu")


def rewritten(every, folder, change, keep_metadata=False):
    """The trunk's file with its tensors changed, beside the data that name it."""
    source, file = every.trunks["t"], folder / "other.safetensors"
    tensors = load_file(source)
    change(tensors)
    metadata = dict(read_header(source).metadata) if keep_metadata else {}
    save_file(tensors, file, metadata)
    return file, dataclasses.replace(every, trunks={"t": file}, kept={})


def test_the_file_says_how_far_the_trunk_came_and_by_which_tokenizer(
    with_trunk, trunk_spec
):
    header = read_header(with_trunk[0].trunks["t"])
    assert (header.n_tokens, header.n_steps) == (TRUNK, TRUNK // 128)
    assert header.has_moments and header.metadata["tokenizer"] == "0123"
    header.require(trunk_spec.shape)


def test_weights_alone_will_do_and_their_moments_are_none(
    with_trunk, make_spec, tmp_path
):
    def weights_in_half(tensors):
        for name in [name for name in tensors if name.startswith(("first", "second"))]:
            del tensors[name]
        tensors.update({name: each.bfloat16() for name, each in tensors.items()})

    file, every = rewritten(with_trunk[0], tmp_path, weights_in_half)
    state = load_trunk(file, make_spec().shape)
    assert state["n_steps"] == 0 and not state["first"].any()
    whole = load_trunk(with_trunk[0].trunks["t"], make_spec().shape)
    torch.testing.assert_close(state["flat"], whole["flat"].bfloat16().float())
    cold = Branch(trunk="t", trunk_tokens=0, warm=False)
    result = train_run(
        make_spec(budgets_tokens=(1280,), branch=cold), every, device="cpu"
    )
    assert not result.diverged


def test_a_file_whose_tensors_were_changed_is_refused(with_trunk, make_spec, tmp_path):
    def flipped(tensors):
        tensors["head"][0, 0] += 1e-3

    _, every = rewritten(with_trunk[0], tmp_path, flipped, keep_metadata=True)
    with pytest.raises(InputError, match="is damaged: its tensors are not those"):
        train_run(branch_of(make_spec), every, device="cpu")


def test_numbers_that_are_not_finite_are_refused_of_a_users_file(
    with_trunk, make_spec, tmp_path
):
    def spoilt(tensors):
        tensors["head"][0, 0] = float("nan")

    _, every = rewritten(with_trunk[0], tmp_path, spoilt)
    with pytest.raises(InputError, match="not finite; its run diverged"):
        train_run(branch_of(make_spec), every, device="cpu")
