import pytest
from pydantic import ValidationError

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
