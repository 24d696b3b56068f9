import pytest
import yaml
from pydantic import ValidationError

from stages.foundation.stage import ROOT
from stages.settings.sweep import SweepParams

LEAST = {
    "sizes": ["6k"],
    "control_sizes": ["6k"],
    "budgets_tokens": [1024],
    "regularisations": [{}],
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": ["7k"]}, "no proxy size '7k'; choose among"),
        ({"control_sizes": ["cnn-8"]}, "no proxy size 'cnn-8'"),
        ({"budgets_tokens": [2048, 1024]}, r"budgets_tokens \[2048, 1024\] must rise"),
        ({"regularisations": []}, "at least 1 item"),
    ],
)
def test_a_sweep_that_cannot_be_planned_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        SweepParams(**LEAST | changes)


def test_proxies_of_text_and_of_images_are_sizes():
    params = SweepParams(**LEAST | {"sizes": ["6k", "mlp-32"]})
    assert params.sizes == ["6k", "mlp-32"] and params.regularisations[0].dropout == 0


ADDED = {"arm": "keep_10", "size": "6k", "tokens": 512}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"added": [ADDED | {"arm": "old"}]}, "sweep.added: no arm 'old'; take its"),
        ({"added": [ADDED | {"size": "mlp-32"}]}, "sweep.added: mlp-32 is no text"),
        (
            {"added": [ADDED | {"tokens": 700}]},
            "sweep.added: budget of 700 tokens is not a whole number of batches of 512;"
            " use 512",
        ),
        (
            {"batch_tokens": 200},
            "sweep.batch_tokens: 200 is no multiple of the context",
        ),
        ({"decay_mix": {"keep_10": "old"}}, "sweep.decay_mix: no arm 'old'; arms are"),
        ({"decay_mix": {"old": "keep_10"}}, "sweep.decay_mix: no arm 'old'; arms are"),
    ],
)
def test_what_cannot_be_trained_is_known_before_any_work(refused, changes, message):
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    params["sweep"] |= changes
    refused(params, message)


def test_budgets_of_a_rule_that_sets_the_batch_need_no_whole_batches():
    arms = {"keep_10"}
    uneven = {"budgets_tokens": [1000], "batch_tokens": 512}
    assert SweepParams(**LEAST | uneven).fault(arms)[0] == "budgets_tokens"
    ruled = uneven | {"tuning": {"rule": "step_law"}}
    assert SweepParams(**LEAST | ruled).fault(arms) is None
