"""Labels that keep apart, and figures that are files."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.presentation.figure_marks import save_all, spread
from stages.presentation.plot_style import plt


@pytest.mark.parametrize(
    "places",
    [
        [0.5, 0.5],
        [0.0, 0.01, 0.02, 0.9],
        [0.99, 1.0, 1.0],
        list(np.linspace(0.4, 0.45, 9)),
        [0.3],
    ],
)
def test_labels_stand_apart_inside_and_near_where_they_belong(places):
    found = spread(places, 0.1, 0.0, 1.0)
    assert (
        np.all(np.diff(found) >= 0.1 - 1e-9)
        and found.min() >= -1e-9
        and found.max() <= 1 + 1e-9
    )
    assert np.abs(found - places).max() <= 0.1 * len(places)


def test_places_that_are_apart_do_not_move():
    np.testing.assert_allclose(spread([0.1, 0.4, 0.8], 0.1, 0, 1), [0.1, 0.4, 0.8])


def test_figures_are_written_whole_and_a_bad_folder_is_one_line(tmp_path):
    figure, _ = plt.subplots()
    [path] = save_all({"one": figure}, tmp_path / "new")
    assert path.endswith("one.png") and (
        tmp_path / "new/one.png"
    ).read_bytes().startswith(b"\x89PNG")
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["one.png"]
    (tmp_path / "file").write_text("")
    figure, _ = plt.subplots()
    with pytest.raises(InputError, match="cannot write figures"):
        save_all({"one": figure}, tmp_path / "file")
    assert not plt.get_fignums()
