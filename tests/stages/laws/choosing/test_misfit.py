"""What the laws leave over: nothing where it is noise, followed for about one length where it is not."""

import numpy as np
import pytest

from stages.laws.choosing.misfit import LENGTH, MOST_CELLS, Misfit, axes_of

GRID = np.meshgrid(np.geomspace(1e7, 1e9, 6), np.geomspace(1e8, 1e10, 8))
ROWS = {"n_params": GRID[0].ravel(), "n_tokens_seen": GRID[1].ravel()}
ONE = np.full(48, "a")


def one_cell(own_share=0.5):
    """A run that lies .1 above its law, known without noise, at 1e17 FLOPs."""
    return Misfit(
        axes=("flops",),
        at=np.log([[1e17]]),
        arm=np.array(["a"]),
        residual=np.array([0.1]),
        n_runs=np.ones(1),
        signal=0.2,
        own_share=own_share,
        noise=1e-6,
    )


def at(*logs):
    return {"flops": 1e17 * np.exp(np.array(logs, float))}


def test_a_known_residual_holds_where_it_was_seen_and_fades_within_a_length():
    said = one_cell().mean(at(0, LENGTH, 10), np.full(3, "a"))
    assert said == pytest.approx([0.1, 0.1 * np.exp(-0.5), 0.0], abs=1e-6)


def test_of_another_arms_residual_only_the_common_part_is_believed():
    arms = np.array(["a", "b"])
    assert one_cell(0.25).mean(at(0, 0), arms) == pytest.approx([0.1, 0.075])
    assert one_cell(1.0).mean(at(0, 0), arms) == pytest.approx([0.1, 0.0])


def test_what_is_left_is_nothing_at_the_run_and_all_of_it_far_away():
    left = one_cell().variance(at(0, LENGTH, 10), np.full(3, "a"))
    by_hand = [0, 0.04 * (1 - np.exp(-1)), 0.04]
    assert left == pytest.approx(by_hand, abs=1e-6)


def test_draws_have_that_variance_and_repeat_from_call_to_call():
    misfit, rows = one_cell(), at(0, LENGTH, 3)
    arms = np.full(3, "a")
    drawn = misfit.draws(rows, arms, n_draws=4000, seed=0)
    expected = np.sqrt(misfit.variance(rows, arms))
    assert drawn.std(axis=0) == pytest.approx(expected, abs=0.02)
    again = misfit.draws(at(LENGTH), arms[:1], n_draws=4000, seed=0)
    np.testing.assert_allclose(again[:, 0], drawn[:, 1])


def test_draws_of_two_arms_share_the_common_part():
    far, arms = at(20, 20), np.array(["a", "b"])
    drawn = one_cell(0.5).draws(far, arms, n_draws=4000, seed=1)
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(0.5, abs=0.05)


def test_noise_is_no_misfit():
    noise = 0.005 * np.random.default_rng(0).standard_normal(48)
    misfit = Misfit.of(ROWS, ONE, noise)
    assert misfit.noise == pytest.approx(0.005, rel=0.2)
    beyond = {"n_params": np.array([1e9]), "n_tokens_seen": np.array([2e10])}
    assert abs(misfit.mean(beyond, ONE[:1])[0]) < 0.001


def test_a_bend_that_the_laws_miss_is_followed_beyond_the_runs():
    bend = 0.02 * np.log(ROWS["n_tokens_seen"] / 1e9) ** 2
    noise = 0.001 * np.random.default_rng(0).standard_normal(48)
    misfit = Misfit.of(ROWS, ONE, bend - bend.mean() + noise)
    edge = {"n_params": np.array([1e8] * 2), "n_tokens_seen": np.array([1e10, 1.3e10])}
    said = misfit.mean(edge, ONE[:2])
    truth = 0.02 * np.log(np.array([10, 13])) ** 2 - bend.mean()
    assert said == pytest.approx(truth, abs=0.03)
    assert misfit.signal > 5 * misfit.noise


def test_an_arm_that_bends_alone_has_most_of_the_misfit_for_itself():
    rows = {name: np.tile(column, 2) for name, column in ROWS.items()}
    arms = np.repeat(["a", "b"], 48)
    bend = np.where(arms == "a", 0.02 * np.log(rows["n_tokens_seen"] / 1e9) ** 2, 0.0)
    misfit = Misfit.of(rows, arms, bend)
    assert misfit.own_share > 0.5
    beyond = {"n_params": np.full(2, 1e8), "n_tokens_seen": np.full(2, 1e10)}
    a, b = misfit.mean(beyond, np.array(["a", "b"]))
    assert a == pytest.approx(0.02 * np.log(10) ** 2, abs=0.02)
    assert b == pytest.approx(0.0, abs=0.02)


def test_runs_of_one_place_count_by_their_number():
    rows = {name: np.repeat(column, 4) for name, column in ROWS.items()}
    noise = 0.01 * np.random.default_rng(1).standard_normal(192)
    misfit = Misfit.of(rows, np.full(192, "a"), noise)
    assert misfit.n_runs.tolist() == [4.0] * 48
    assert misfit.noise == pytest.approx(0.01, rel=0.15)
    # a misfit below the noise of the mean of four cannot be seen
    assert misfit.unseen == pytest.approx(misfit.noise / 2)


def test_many_runs_are_joined_with_their_neighbours():
    rng = np.random.default_rng(2)
    rows = {"flops": np.exp(rng.uniform(30, 45, 5000))}
    misfit = Misfit.of(rows, np.full(5000, "a"), 0.1 * np.sin(np.log(rows["flops"])))
    assert misfit.residual.size <= MOST_CELLS
    said = misfit.mean({"flops": np.exp(np.array([36.0]))}, ONE[:1])
    assert said == pytest.approx(0.1 * np.sin(36.0), abs=0.02)


@pytest.mark.parametrize(
    ("columns", "axes"),
    [
        (("flops",), ("flops",)),
        (("n_params", "n_tokens_seen", "flops"), ("n_params", "n_tokens_seen")),
        (
            ("n_params", "n_tokens_seen", "n_tokens_unique"),
            ("n_params", "n_tokens_seen", "epochs"),
        ),
        (("n_tokens_seen", "flops"), ("flops",)),
        (("n_tokens_seen",), ("n_tokens_seen",)),
        (("share_a",), ()),
    ],
)
def test_the_axes_are_those_that_the_table_has(columns, axes):
    assert axes_of(dict.fromkeys(columns, np.ones(2))) == axes


def test_a_table_without_axes_has_no_misfit():
    misfit = Misfit.of({"share_a": np.ones(2)}, ONE[:2], np.array([0.1, -0.1]))
    assert misfit.mean({"share_a": np.ones(1)}, ONE[:1]) == pytest.approx([0.0])
    drawn = misfit.draws({"share_a": np.ones(1)}, ONE[:1], n_draws=3, seed=0)
    assert not drawn.any()
