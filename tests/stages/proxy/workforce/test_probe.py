import pytest
import torch

from stages.proxy.specs.shape import Shape
from stages.proxy.workforce import probe
from stages.proxy.workforce.probe import Candidate, candidates, measured_rates

SHAPE = Shape(16, 2, 2, 32, 64)


def test_a_real_probe_measures_every_candidate_and_is_short():
    ways = [Candidate(1), Candidate(4)]
    rates = measured_rates(SHAPE, 128, ways, seconds=0.1)
    assert list(rates) == ways
    assert min(rates.values()) > 1000


def test_candidates_follow_device_size_and_precision():
    assert [way.stack_size for way in candidates(SHAPE, "cpu", "auto", largest=5)] == [
        1,
        2,
        4,
    ]
    assert {way.dtype for way in candidates(SHAPE, "cpu", "auto", largest=8)} == {
        "float32"
    }
    assert {
        way.dtype for way in candidates(Shape.named("3.1M"), "cpu", "auto", largest=1)
    } == {"float32", "bfloat16"}
    assert {
        way.dtype
        for way in candidates(Shape.named("3.1M"), "cpu", "float32", largest=1)
    } == {"float32"}
    assert {way.dtype for way in candidates(SHAPE, "cpu", "bfloat16", largest=1)} == {
        "bfloat16"
    }
    assert {
        way.threads
        for way in candidates(SHAPE, "cpu", "auto", largest=1, threads=(1, 4))
    } == {1, 4}
    assert {way.dtype for way in candidates(SHAPE, "cuda", "auto", largest=64)} == {
        "bfloat16"
    }
    assert str(Candidate(4, 2, "bfloat16")) == "4 x 2 threads bf16"


def test_what_does_not_fit_ends_the_probe_and_other_errors_do_not_pass(monkeypatch):
    class Greedy(probe.Trial):
        def turn(self):
            if self.way.stack_size > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().turn()

    monkeypatch.setattr(probe, "Trial", Greedy)
    ways = [Candidate(size) for size in (1, 2, 4, 8)]
    assert list(measured_rates(SHAPE, 128, ways, seconds=0.05)) == ways[:2]
    monkeypatch.setattr(Greedy, "turn", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        measured_rates(SHAPE, 128, ways, seconds=0.05)
