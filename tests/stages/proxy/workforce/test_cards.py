import pytest
import torch

from stages.proxy.workforce.cards import limits_of, measured_limits


def test_a_known_card_has_the_limits_of_its_data_sheet():
    assert limits_of("NVIDIA H100 80GB HBM3") == (989e12, 3.35e12)
    assert limits_of("NVIDIA GeForce RTX 4090") == (165e12, 1.008e12)
    assert limits_of("some card") is None


@pytest.mark.parametrize("n", [64, 256])
def test_limits_are_measured_on_a_device_that_is_not_known(n):
    limits = measured_limits(torch.device("cpu"), n=n, copied=1 << 16)
    assert 1e6 < limits.flops < 1e14 and 1e6 < limits.n_bytes < 1e14
