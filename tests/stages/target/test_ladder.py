"""A ladder fits its time, stays below its target and keeps what is given."""

import pytest

from stages.target.ladder import SHARE, Wanted, ladder, nominal_rate
from stages.target.ladder_words import ladder_rows, minutes, reason_lines, shown_ladder
from stages.target.target import Target

ONCE = Target(params=1e9, tokens=2e10, pool_tokens=4e11)
OFTEN = Target(params=1e9, tokens=2e10, pool_tokens=4e9)


def chosen(target=ONCE, seconds=3600.0, rate=nominal_rate, **changes):
    wanted = {"keep": 0.1, "n_arms": 4, "passes": target.stated_passes} | changes
    return ladder(Wanted(target=target, seconds=seconds, **wanted), rate)


@pytest.mark.parametrize("seconds", [360.0, 3600.0, 36_000.0])
@pytest.mark.parametrize("target", [ONCE, OFTEN])
def test_what_is_chosen_takes_no_longer_than_its_share_of_the_time(target, seconds):
    found = chosen(target, seconds)
    assert found.fits
    assert found.seconds <= SHARE * seconds * 1.01
    assert len(found.sizes) >= 3 and len(found.budgets_tokens) >= 4
    assert found.budgets_tokens == sorted(found.budgets_tokens)
    assert all(tokens % 512 == 0 for tokens in found.budgets_tokens)


def test_more_time_or_a_faster_machine_reaches_further():
    tops = [chosen(seconds=s) for s in (360.0, 3600.0, 36_000.0, 360_000.0)]
    flops = [ladder_rows(found)[-1]["most_flops"] for found in tops]
    assert flops == sorted(set(flops)) and flops[-1] > 50 * flops[0]
    assert chosen(rate=lambda s: 10 * nominal_rate(s)).sizes == tops[2].sizes


def test_the_largest_size_sees_ten_tokens_a_parameter_or_more():
    for seconds in (3600.0, 36_000.0):
        row = ladder_rows(chosen(seconds=seconds))[-1]
        assert 10 <= row["most_tokens"] / row["n_params"] <= 20.1


def test_proxies_are_smaller_than_the_target():
    small = Target(params=100_000, tokens=2e6, pool_tokens=4e7)
    found = chosen(small, 1e6)
    assert found.sizes == ["6k", "25k", "55k"]


def test_settings_are_for_repeats_only():
    assert chosen(ONCE).regularisations == [{"weight_decay": 0.1}]
    *_, dropped, heavy = chosen(OFTEN).regularisations
    assert dropped["dropout"] == 0.1
    assert heavy == {"weight_decay": 3.2, "min_epochs": 4}
    # two passes over the pool, of which a half is kept: four passes, not six
    twice = Target(params=1e9, tokens=2e10, pool_tokens=1e10)
    assert chosen(twice, keep=0.5).regularisations == [
        {"weight_decay": 0.1},
        {"weight_decay": 1.0},
        heavy,
    ]
    # five passes over the pool, of which a tenth is kept
    assert "passes 50 times over its data" in chosen(OFTEN).reasons["regularisations"]
    unknown = chosen(Target(params=1e9, tokens=2e10))
    assert len(unknown.regularisations) == 4


def test_efforts_are_given_up_before_it_is_said_not_to_fit():
    modest = chosen(OFTEN, 100.0)
    assert modest.fits and modest.draws < 4 and len(modest.regularisations) < 3
    none = chosen(OFTEN, 5.0)
    assert not none.fits and none.sizes == ["6k", "25k", "55k"]
    assert none.seconds > 5.0
    assert reason_lines(none, OFTEN, "here")[-1] == "this does not fit the time"


def test_what_is_given_is_kept():
    given = {
        "sizes": ["25k", "147k"],
        "budgets_tokens": [20_480, 81_920],
        "draws": 7,
        "regularisations": [{"weight_decay": 0.3}],
        "control_sizes": ["147k"],
    }
    found = chosen(given=given)
    assert found.settings() == {key: given[key] for key in given if key != "draws"}
    assert found.draws == 7 and set(found.reasons.values()) == {"given"}
    assert found.size_runs == {"25k": 28, "147k": 28}


def test_the_table_is_narrow_and_says_the_cost():
    found = chosen(OFTEN)
    rows = shown_ladder(found)
    width = sum(max(len(k), *(len(str(r[k])) for r in rows)) + 2 for k in rows[0])
    assert width <= 100
    lines = reason_lines(found, OFTEN, "two cores")
    assert lines[-1] == f"cost: about {minutes(found.seconds)} of training (two cores)"
    assert sum(r["seconds"] for r in ladder_rows(found)) == pytest.approx(
        found.seconds, abs=1
    )
