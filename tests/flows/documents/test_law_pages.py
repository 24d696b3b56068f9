"""Every law has its entry and a figure that shows something; the figures are right where the answer is known."""

import numpy as np
import pytest

from flows.documents.law_figures import curves, law_svg
from flows.documents.law_pages import laws_by_family, write_law_pages
from stages.foundation.errors import InputError
from stages.laws import LAWS, get_law
from stages.run_columns.named_law import example_law, mixture_names

ALL = [law for laws in laws_by_family().values() for law in laws]


def test_every_law_stands_in_the_family_of_its_file():
    families = laws_by_family()
    names = [law.name for law in ALL]
    assert sorted(names) == sorted({*LAWS, *mixture_names()})
    assert "chinchilla" in [law.name for law in families["size_and_compute"]]
    assert "overfit" in [law.name for law in families["repetition"]]


@pytest.mark.parametrize("law", ALL, ids=lambda law: law.name)
def test_a_figure_shows_a_law_that_moves(law):
    x, _, found = curves(law)
    values = np.concatenate([curve.value for curve in found])
    assert np.isfinite(values).all()
    assert np.ptp(values) > 0.01 * np.abs(values).max()
    assert x.name in law.variable_names


def test_more_tokens_and_larger_models_are_better_under_chinchilla():
    x, by, found = curves(get_law("chinchilla"))
    assert (x.name, by.name) == ("n_tokens_seen", "n_params")
    assert [curve.label for curve in found] == ["1M", "31.6M", "1B"]
    assert all((np.diff(curve.value) < 0).all() for curve in found)
    small, middle, large = (curve.value for curve in found)
    assert (small > middle).all() and (middle > large).all()


def test_shares_that_are_not_drawn_have_the_rest():
    seen = []
    law = example_law("exponential_mix")
    value = law.value

    def watched(p, v):
        seen.append({name: np.array(column) for name, column in v.items()})
        return value(p, v)

    object.__setattr__(law, "value", watched)
    try:
        x, _, _ = curves(law)
    finally:
        object.__setattr__(law, "value", value)
    shares = [part for name, part in seen[-1].items() if name.startswith("share_")]
    assert x.name.startswith("share_") and len(shares) > 1
    np.testing.assert_allclose(sum(shares), 1.0)


def test_a_figure_has_the_same_bytes_each_time():
    law = get_law("power_floor")
    assert law_svg(law) == law_svg(law)


def test_the_pages_hold_formula_units_source_and_figure(tmp_path, monkeypatch):
    monkeypatch.setattr("flows.documents.law_pages.law_svg", lambda law: "<svg/>")
    first, *_ = write_law_pages(tmp_path)
    assert first == tmp_path / "index.md"
    text = (tmp_path / "size_and_compute.md").read_text("utf-8")
    entry = text.partition("## chinchilla {")[2].partition("\n## ")[0]
    assert "value = E + A / n_params^alpha + B / n_tokens_seen^beta" in entry
    assert "| n_params | parameters | non-embedding parameters of the model |" in entry
    assert get_law("chinchilla").source in entry
    assert "](figures/chinchilla.svg)" in entry
    drawn = {file.stem for file in (tmp_path / "figures").glob("*.svg")}
    assert drawn == {law.name for law in ALL}
    index = (tmp_path / "index.md").read_text("utf-8")
    assert "[`overfit`](repetition.md#overfit)" in index


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write pages there"):
        write_law_pages(tmp_path / "file")
