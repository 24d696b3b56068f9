import json

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.proxy.specs.spec import BudgetResult, DomainLoss, RunResult, RunSpec


def test_a_spec_survives_json_and_is_hashable(make_spec):
    spec = make_spec(dropout=0.1, pool_draw=3)
    again = RunSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec
    assert len({spec, again}) == 1
    optional = make_spec(
        schedule="power",
        power_tokens=2e3,
        base_width=8,
        decay_arm="half",
        unique_tokens=999,
    )
    assert RunSpec.from_dict(json.loads(json.dumps(optional.to_dict()))) == optional
    old = {
        name: value
        for name, value in spec.to_dict().items()
        if name not in ("schedule", "power_tokens", "decay_arm", "base_width")
    }
    assert RunSpec.from_dict(old) == spec
    assert spec.context == spec.shape.context


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"budgets_tokens": (1000,)},
            "budget of 1000 tokens is not a whole number of batches of 128; use 1024",
        ),
        ({"budgets_tokens": (2560, 1280)}, "must be positive and rising"),
        ({"budgets_tokens": ()}, "must be positive and rising"),
        (
            {"batch_tokens": 100},
            "batch_tokens 100 is no multiple of the context 32; use 96",
        ),
        ({"lr": -1.0}, "lr is -1.0"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"decay_fraction": 1.5}, "decay_fraction is 1.5"),
        ({"z_loss": -1.0}, "z_loss is -1.0"),
        (
            {"schedule": "sine"},
            "schedule is 'sine'; use wsd, wsd_s, power, cosine, constant",
        ),
        ({"decay_shape": "cubic"}, "decay_shape is 'cubic'; use linear, sqrt"),
        ({"base_width": 0}, "base_width is 0, it must be at least 1"),
        (
            {"decay_arm": "half", "schedule": "cosine"},
            (
                "decay_arm 'half' needs branches that decay and return, schedule cosine"
                " has none"
            ),
        ),
        ({"dtype": "float16"}, "dtype is 'float16'"),
    ],
)
def test_bad_specs_name_the_value_and_the_cure(make_spec, changes, message):
    with pytest.raises(InputError, match=message):
        make_spec(**changes)


def test_a_stack_key_ignores_what_may_differ_in_a_stack(make_spec):
    alike = make_spec(
        arm="half",
        seed=7,
        data_seed=8,
        lr=0.1,
        weight_decay=1.0,
        dropout=0.5,
        pool_draw=2,
    )
    assert alike.stack_key == make_spec().stack_key
    assert make_spec(decay_arm="half").stack_key != make_spec().stack_key
    assert make_spec(warmup_steps=6).stack_key != make_spec().stack_key


def test_a_result_survives_json_to_the_last_bit(make_spec):
    loss = DomainLoss(1 / 3, float("nan"), 2.0, 10, 2, np.array([1 / 3, 2 / 7]))
    budget = BudgetResult(
        128,
        128,
        100,
        1.28,
        1e9,
        2e9,
        0.5,
        False,
        {"a": 1.0},
        {"a": 100},
        {"held": loss},
    )
    result = RunResult(
        make_spec(), (budget,), {"step": [1]}, False, "cpu", 0.5, 1, ("why",)
    )
    text = json.dumps(result.to_dict())
    again = RunResult.from_dict(json.loads(text))
    assert json.dumps(again.to_dict()) == text
    assert again.spec == result.spec
    assert again.budgets[0].held_out["held"].document_loss_nats.tolist() == [
        1 / 3,
        2 / 7,
    ]
