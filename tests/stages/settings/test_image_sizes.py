import pytest

from stages.settings.image_sizes import SIZE


@pytest.mark.parametrize("name", ["mlp-32", "residual-8"])
def test_a_size_is_kind_and_width(name):
    assert SIZE.fullmatch(name).groups() == tuple(name.split("-"))


@pytest.mark.parametrize("name", ["25k", "mlp", "mlp-", "mlp-1234567", "conv-8"])
def test_other_names_are_no_image_size(name):
    assert SIZE.fullmatch(name) is None
