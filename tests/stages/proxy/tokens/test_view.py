import pickle

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.proxy.tokens.view import View


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": []}, "arm 'x' has no documents"),
        ({"rows": [0, 40]}, "names document rows 0 to 40, the pack has 40"),
        ({"rows": [1, 1, 2]}, "names 1 document rows twice"),
        ({"rows": [0, 1], "weights": [1.0]}, "has 1 weights for 2 documents"),
        ({"rows": [0], "weights": [-1.0]}, "weights from -1.0"),
        ({"rows": [0], "weights": [0.0]}, "one above 0"),
        ({"rows": [0], "groups": [0, 1]}, "has 2 group labels, the pack has 40"),
        (
            {"rows": [0], "groups": np.full(40, 2), "group_names": ("a", "b")},
            "group labels 2 to 2 and 2 group names",
        ),
    ],
)
def test_bad_views_are_named(make_pack, changes, message):
    with pytest.raises(InputError, match=message):
        View(make_pack(), arm="x", **changes)


def test_sizes_count_distinct_tokens_and_weights_change_only_the_pass(make_pack):
    pack = make_pack()
    view = View(pack, [3, 5, 7], weights=[0.5, 2.0, 0.0])
    assert view.rows.tolist() == [3, 5]
    assert view.n_tokens == pack.n_tokens_each[[3, 5]].sum()
    assert view.n_tokens_per_pass == pytest.approx(
        pack.n_tokens_each[[3, 5]] @ [0.5, 2.0]
    )


def test_a_view_smaller_than_a_batch_is_refused_by_name(make_pack):
    view = View(make_pack(), [0], arm="tiny")
    with pytest.raises(
        InputError,
        match=r"arm 'tiny' has \d+ tokens a pass, fewer than one batch of 4096",
    ):
        view.require(4096)


def test_fingerprint_follows_rows_weights_and_tokens(make_pack):
    pack = make_pack()
    views = [
        View(pack, [1, 2]),
        View(pack, [1, 3]),
        View(pack, [1, 2], weights=[1, 2]),
        View(make_pack(seed=5), [1, 2]),
    ]
    assert len({view.fingerprint for view in views}) == 4
    assert View(pack, [1, 2], arm="other name").fingerprint == views[0].fingerprint
    assert pickle.loads(pickle.dumps(views[2])).fingerprint == views[2].fingerprint
