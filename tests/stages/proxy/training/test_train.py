"""The trainer against a loop written with torch's own optimiser, stacks against single runs,
branches against separate runs.
"""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
import torch

from stages.foundation.errors import InputError
from stages.proxy.heldout.evaluate import Scorer
from stages.proxy.network.adamw import BETA1, BETA2, CLIP_NORM
from stages.proxy.network.model import Weights, token_losses
from stages.proxy.tokens.order import Stream
from stages.proxy.training.train import Trainer, train_group, train_run


def plain_loop(spec, data, budget):
    """One budget trained from scratch: autograd, torch.optim.AdamW, clip_grad_norm_, schedule
    written out. Returns the held-out loss.
    """
    weights = Weights(spec.shape, [spec.seed])
    named = {
        name: torch.nn.Parameter(weight.detach().clone())
        for name, weight in weights.named.items()
    }
    matrices = [
        weight for name, weight in named.items() if name not in ("embedding", "head")
    ]
    groups = [
        {"params": [named["embedding"], named["head"]], "weight_decay": 0.0},
        {"params": matrices, "weight_decay": spec.weight_decay},
    ]
    optimiser = torch.optim.AdamW(groups, lr=spec.lr, betas=(BETA1, BETA2))
    n_steps = budget // spec.batch_tokens
    n_decay = round(spec.decay_fraction * n_steps)
    view = data.views[spec.arm]
    stream = Stream(view, spec.data_seed)
    for step in range(n_steps):
        batch = stream.batch(step, spec.batch_tokens, spec.context)
        factor = min(
            1,
            (step + 1) / spec.warmup_steps,
            1 - (step + 1 - (n_steps - n_decay)) / (n_decay + 1),
        )
        for group in optimiser.param_groups:
            group["lr"] = spec.lr * factor
        optimiser.zero_grad()
        inputs, targets = (torch.from_numpy(part)[None] for part in batch)
        token_losses(named, spec.shape, inputs, targets).mean().backward()
        torch.nn.utils.clip_grad_norm_(named.values(), CLIP_NORM)
        optimiser.step()
    scorer = Scorer(dict(data.held_out), spec.context, 1024)
    with torch.no_grad():
        return scorer.score(
            lambda x, y: token_losses(named, spec.shape, x[None], y[None]), 1
        )[0]["held"].loss_nats


def losses(result):
    return [budget.held_out["held"].loss_nats for budget in result.budgets]


def test_every_branch_equals_a_separate_plain_run(make_spec, data):
    spec = make_spec(weight_decay=1.0)
    expected = [plain_loop(spec, data, budget) for budget in spec.budgets_tokens]
    assert losses(train_run(spec, data)) == pytest.approx(expected, rel=1e-4)


def test_a_stack_of_different_runs_equals_each_alone(make_spec, data):
    specs = [
        make_spec(),
        make_spec(arm="half", seed=2, lr=0.004),
        make_spec(seed=3, data_seed=9, weight_decay=1.0),
        make_spec(seed=4, dropout=0.2),
    ]
    stacked, alone = train_group(specs, data), [train_run(spec, data) for spec in specs]
    for together, single in zip(stacked, alone, strict=True):
        assert together.spec == single.spec
        assert together.stack_size == 4
        assert losses(together) == pytest.approx(losses(single), rel=1e-4)
        assert together.curve["loss_nats"] == pytest.approx(
            single.curve["loss_nats"], rel=1e-4
        )
        for budget, other in zip(together.budgets, single.budgets, strict=True):
            assert (budget.n_tokens_unique, budget.epochs, budget.unique) == (
                other.n_tokens_unique,
                other.epochs,
                other.unique,
            )
    assert len({tuple(losses(result)) for result in stacked}) == 4


def test_a_run_learns_and_its_numbers_fit_together(make_spec, data):
    spec = make_spec()
    result = train_run(spec, data)
    assert losses(result)[-1] < losses(result)[0] < np.log(64)
    assert not result.diverged
    for budget, wanted in zip(result.budgets, spec.budgets_tokens, strict=True):
        assert budget.budget_tokens == budget.n_tokens_seen == wanted
        assert (
            budget.n_tokens_unique
            == min(wanted, data.views["all"].n_tokens)
            == sum(budget.unique.values())
            or budget.epochs > 1
        )
        assert budget.flops == 6 * spec.shape.n_params * wanted
        assert budget.flops_exact == spec.shape.flops_per_token * wanted
        assert sum(budget.shares.values()) == pytest.approx(1)
        held = budget.held_out["held"]
        assert held.document_loss_nats.sum() / held.n_tokens == pytest.approx(
            held.loss_nats
        )
        assert 0 < held.standard_error_nats < 0.2


def test_the_curve_covers_trunk_and_branches(make_spec, data):
    result = train_run(make_spec(), data, curve_every=4)
    curve = {name: np.array(column) for name, column in result.curve.items()}
    assert {len(column) for column in curve.values()} == {len(curve["step"])}
    trunk = curve["budget_tokens"] == 0
    assert (np.diff(curve["step"][trunk]) > 0).all()
    assert set(curve["budget_tokens"]) == {0, 1280, 2560, 6400}
    assert (curve["n_tokens_seen"] == 128 * curve["step"]).all()
    assert curve["lr"].max() == 0.012
    assert [
        curve["n_tokens_seen"][curve["budget_tokens"] == budget].max()
        for budget in (1280, 2560, 6400)
    ] == [1280, 2560, 6400]


def test_a_diverged_run_is_marked_and_its_stack_mates_are_not(make_spec, data):
    specs = [make_spec(), make_spec(lr=1e9), make_spec(seed=2)]
    good, bad, other = train_group(specs, data)
    assert bad.diverged
    assert all(budget.diverged for budget in bad.budgets)
    assert not good.diverged
    assert not other.diverged
    assert losses(good) == pytest.approx(losses(train_run(specs[0], data)), rel=1e-4)


def test_what_cannot_train_is_refused_in_one_line(make_spec, data):
    with pytest.raises(
        InputError, match="no arm 'gone' in the data; it has 'all', 'half'"
    ):
        train_run(make_spec(arm="gone"), data)
    with pytest.raises(InputError, match="arms 'all' and 'half' differ in shape"):
        train_group([make_spec(), make_spec(arm="half", warmup_steps=9)], data)
    with pytest.raises(InputError, match="fewer than one batch of 12800"):
        train_run(make_spec(batch_tokens=12_800, budgets_tokens=(12_800,)), data)
    with pytest.raises(InputError, match="no specs"):
        train_group([], data)


@pytest.mark.parametrize("schedule", ["wsd_s", "cosine", "constant", "power"])
def test_a_ladder_of_budgets_ends_where_separate_runs_do(make_spec, data, schedule):
    """Every budget read off one run equals a run of that budget alone, except where wsd_s goes on
    from decayed weights.
    """
    spec = make_spec(schedule=schedule, power_tokens=1500, decay_shape="sqrt")
    ladder = losses(train_run(spec, data))
    alone = [
        losses(
            train_run(
                make_spec(
                    schedule=schedule,
                    power_tokens=1500,
                    decay_shape="sqrt",
                    budgets_tokens=(budget,),
                ),
                data,
            )
        )[0]
        for budget in spec.budgets_tokens
    ]
    if schedule == "wsd_s":
        assert ladder[0] == alone[0]
        assert all(
            abs(one - other) > 1e-6
            for one, other in zip(ladder[1:], alone[1:], strict=True)
        )
    else:
        assert ladder == alone


def test_the_decay_of_a_curriculum_reads_the_other_mix(make_spec, data):
    spec = make_spec(decay_arm="half")
    trainer, read = Trainer([spec], data, "cpu"), []
    at = {feed: feed.at for feed in (trainer.feed, trainer.decay_feed)}
    trainer.feed.at = lambda step: read.append(("all", step)) or at[trainer.feed](step)
    trainer.decay_feed.at = lambda step: (
        read.append(("half", step)) or at[trainer.decay_feed](step)
    )
    trainer.run()
    assert read[:10] == [
        *(("all", step) for step in range(8)),
        ("half", 0),
        ("half", 1),
    ]
    assert read[10] == ("all", 8)
    first = trainer.record.budgets[0][0]
    seen = [
        *Stream(data.views["all"], 0).tokens(0, 8 * 128),
        *Stream(data.views["half"], 0).tokens(0, 2 * 128),
    ]
    assert first.n_tokens_seen == len(seen)
    assert first.epochs == 1280 / data.views["all"].n_tokens
    plain = losses(train_run(make_spec(), data))
    assert all(
        one != other
        for one, other in zip(losses(trainer.record.results(10)[0]), plain, strict=True)
    )


def test_a_curriculum_of_stages_is_trained_in_its_order_beside_other_arms(
    make_spec, data
):
    """Counts are exact, the decay lies in the last stage, and a stack trains what each run trains alone."""
    whole = data.views["all"]
    stages = np.arange(120) // 40
    own = replace(data, views={**data.views, "staged": replace(whole, stages=stages)})
    spec = make_spec(arm="staged", budgets_tokens=(6400,))
    staged, plain = train_group([spec, make_spec(budgets_tokens=(6400,))], own)
    [budget] = staged.budgets
    assert budget.epochs == pytest.approx(6400 / whole.n_tokens)
    reader = own.course(spec).trunk
    assert budget.n_tokens_unique == len({*reader.places(0, 6400).tolist()})
    assert reader.stage_ends[1] < 6400 * 0.8  # the decay is the last fifth
    assert losses(staged) != losses(plain)
    assert losses(staged) == pytest.approx(losses(train_run(spec, own)), rel=1e-4)
    with pytest.raises(InputError, match="arm .* is read in 3 stages"):
        train_run(make_spec(arm="staged"), own)
    with pytest.raises(InputError, match="decays into"):
        train_run(replace(spec, decay_arm="half"), own)


def test_options_differ_in_a_stack_only_where_they_may(make_spec, data):
    changed = [
        make_spec(base_width=8),
        make_spec(decay_arm="half"),
        make_spec(z_loss=1e-4),
        make_spec(schedule="cosine"),
        make_spec(unique_tokens=900),
    ]
    for spec in changed[:-1]:
        with pytest.raises(InputError, match="train them in separate groups"):
            train_group([make_spec(), spec], data)
    stacked = train_group([make_spec(), changed[-1]], data)
    assert losses(stacked[1]) == pytest.approx(
        losses(train_run(changed[-1], data)), rel=1e-4
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-4), ("bfloat16", 2e-2)]
)
def test_cuda_ends_where_cpu_does_after_200_steps(make_spec, data, dtype, tolerance):
    specs = [
        make_spec(budgets_tokens=(200 * 128,), dtype=dtype, seed=seed)
        for seed in range(2)
    ]
    expected = [
        losses(
            train_run(
                make_spec(budgets_tokens=(200 * 128,), dtype="float32", seed=seed),
                data,
                device="cpu",
            )
        )
        for seed in range(2)
    ]
    for result, values in zip(
        train_group(specs, data, device="cuda"), expected, strict=True
    ):
        assert losses(result) == pytest.approx(values, rel=tolerance)


def test_a_run_that_is_watched_is_the_same_run_and_says_more(data, make_spec, tmp_path):
    spec = make_spec(budgets_tokens=(1280, 2560))
    usual = train_run(spec, data, device="cpu", curve_every=4)
    every = dataclasses.replace(data, watched=True)
    watched = train_run(spec, every, device="cpu", curve_every=4)
    for one, other in zip(usual.budgets, watched.budgets, strict=True):
        assert one.held_out["held"].loss_nats == other.held_out["held"].loss_nats
    assert {name: watched.curve[name] for name in usual.curve} == usual.curve
    for name in ("attention_logit", "gradient_rms"):
        assert len(watched.curve[name]) == len(watched.curve["step"])
        assert min(watched.curve[name]) > 0
    # heads of 8, queries and keys of unit mean square
    assert max(watched.curve["attention_logit"]) <= 8**0.5 + 1e-4

    def kill(step):
        if step == 9:
            raise KeyboardInterrupt

    options = {"device": "cpu", "curve_every": 4, "checkpoint": tmp_path / "c.pt"}
    with pytest.raises(KeyboardInterrupt):
        train_run(spec, every, checkpoint_every_steps=3, on_step=kill, **options)
    assert train_run(spec, every, **options).curve == watched.curve
