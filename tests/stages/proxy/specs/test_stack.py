from stages.proxy.specs.schedule import segments
from stages.proxy.specs.stack import n_tokens_trained, stacks, training_cost


def test_stacks_hold_one_shape_and_schedule_and_start_with_the_longest(make_spec):
    wide = make_spec().shape.__class__(64, 2, 4, 32, 64)
    specs = [make_spec(seed=seed) for seed in range(5)] + [
        make_spec(shape=wide, seed=seed) for seed in range(3)
    ]
    found = stacks(specs, 2)
    assert sorted(len(group) for group in found) == [1, 1, 2, 2, 2]
    assert all(len({spec.stack_key for spec in group}) == 1 for group in found)
    assert sorted(spec.seed for group in found for spec in group) == sorted(
        spec.seed for spec in specs
    )
    costs = [training_cost(group) for group in found]
    assert costs == sorted(costs, reverse=True)
    assert [
        len(group)
        for group in stacks(specs, lambda spec: 5 if spec.shape.d_model == 16 else 1)
    ] == [1, 1, 1, 5]


def test_tokens_trained_include_every_decay(make_spec):
    spec = make_spec()
    plan = segments(
        spec.budgets_tokens, batch_tokens=128, decay_fraction=0.2, warmup_steps=5
    )
    assert (
        n_tokens_trained(spec)
        == 128 * sum(part.n_steps for part in plan)
        == 128 * (40 + 2 + 4 + 10)
    )
