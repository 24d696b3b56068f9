import pytest

from stages.proxy import probe
from stages.proxy.probe import best_stack
from stages.proxy.shape import Shape

SHAPE = Shape(16, 2, 2, 32, 64)


def test_a_real_probe_is_short_and_gives_its_reason():
    choice = best_stack(SHAPE, 128, sizes=(1, 2), seconds=0.1)
    assert choice.stack_size in (1, 2)
    assert min(choice.tokens_per_second.values()) > 1000
    assert choice.reason.startswith(f"stack {choice.stack_size} (")
    assert "for d_model 16 x 2, batch 128; tokens/s by stack 1: " in choice.reason


@pytest.mark.parametrize(("rates", "best", "why", "measured"), [
    ({1: 100e3, 2: 105e3, 4: 300e3}, 1, "stacking does not pay", [1, 2]),
    ({1: 100e3, 2: 150e3, 4: 160e3, 8: 900e3}, 2, "1.50 times one run", [1, 2, 4]),
    ({1: 100e3, 2: 150e3, 4: 250e3}, 4, "2.50 times one run", [1, 2, 4]),
])
def test_a_larger_stack_must_pay(monkeypatch, rates, best, why, measured):
    monkeypatch.setattr(probe, "tokens_per_second", lambda shape, batch_tokens, n_runs, *_: rates[n_runs])
    choice = best_stack(SHAPE, 128, sizes=tuple(rates), device="cpu")
    assert choice.stack_size == best
    assert why in choice.reason
    assert list(choice.tokens_per_second) == measured
