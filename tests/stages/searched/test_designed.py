"""Questions become arms: a swarm spread over the resamples, the arms that are named as they were."""

import pytest

from stages.foundation.errors import ParamsError
from stages.searched.asked import asked
from stages.settings.arms import ArmsParams, Control

TOKENS = {"web": 600.0, "code": 100.0, "books": 300.0}
NAMED = {"keep_10": {"keep": 0.1}, "keep_100": {}}


def params(**question):
    mixture = {"kind": "mixture", "over": ["web", "code"], "runs": 12}
    return ArmsParams(
        draws=4,
        questions={
            "filter": {"title": "How?", "arms": list(NAMED)},
            "mix": mixture | question,
        },
        arms=NAMED,
    )


def test_a_swarm_stands_beside_the_named_arms():
    made = asked(params(), TOKENS)
    assert made.questions["filter"] == {"title": "How?", "arms": list(NAMED)}
    mix = made.questions["mix"]
    assert mix["title"] == "Which mixture of web and code?"
    assert mix["prior"] == pytest.approx({"web": 6 / 7, "code": 1 / 7})
    assert mix["arms"] == [f"mix-{at:02d}" for at in range(12)]
    assert list(made.params.arms) == [*NAMED, *mix["arms"]]
    corner = made.params.arms["mix-01"]
    assert corner.mixture == {"web": 1.0}


def test_each_run_is_trained_on_one_resample_and_each_resample_has_as_many():
    made = asked(params(), TOKENS)
    draws = [draw for [draw] in made.draws.values()]
    assert sorted(draws) == sorted([0, 1, 2, 3] * 3)
    assert "keep_10" not in made.draws  # trained on all


def test_a_prior_outside_its_floors_is_said_and_one_inside_is_not(caplog):
    asked(params(prior={"web": 0.6, "code": 0.4}, floors={"code": 0.4}), TOKENS)
    assert not caplog.records
    asked(params(prior={"web": 0.8, "code": 0.2}, floors={"code": 0.4}), TOKENS)
    assert "(code 0.2, at least 0.4)" in caplog.text
    caplog.clear()
    asked(params(prior={"web": 0.8, "code": 0.2}, caps={"web": 0.5}), TOKENS)
    assert "(web 0.8, at most 0.5)" in caplog.text


def test_a_prior_may_leave_pools_out():
    made = asked(params(prior={"code": 1.0}), TOKENS)
    assert made.questions["mix"]["prior"] == {"web": 0.0, "code": 1.0}


PARTS = {"goal-match": {"web": 500.0, "code": 100.0}, "stock-bank": {"web": 200.0}}


def test_clusters_are_mixed_in_place_of_pools():
    made = asked(params(over="clusters", clusters=2), TOKENS, {"mix": PARTS})
    mix = made.questions["mix"]
    assert mix["over"] == ["goal-match", "stock-bank"] and mix["parts"] == PARTS
    assert mix["prior"] == pytest.approx({"goal-match": 0.75, "stock-bank": 0.25})
    corner = made.params.arms["mix-01"]
    assert corner.mixture == {"goal-match": 1.0} and corner.clusters_of == "mix"


def test_a_floor_of_a_cluster_that_there_is_not_is_refused_with_those_there_are():
    wrong = params(over="clusters", clusters=2, floors={"sport": 0.2})
    with pytest.raises(
        ParamsError, match=r"floors names 'sport'; over has goal-match, s"
    ):
        asked(wrong, TOKENS, {"mix": PARTS})


def test_an_arm_of_the_same_name_and_too_few_runs_are_refused():
    with pytest.raises(ParamsError, match=r"arms.questions.mix.runs: 6 runs of 4"):
        four = {**TOKENS, "news": 50.0}
        asked(params(over=list(four), runs=6), four)
    taken = params().model_copy(update={"arms": {"mix-00": params().arms["keep_10"]}})
    with pytest.raises(ParamsError, match=r"arms.arms.mix-00: the question 'mix'"):
        asked(taken, TOKENS)


def test_a_control_of_all_arms_is_of_those_that_are_named():
    low = params().model_copy(update={"controls": {"low": Control(kind="lr")}})
    made = asked(low, TOKENS).params
    assert len(made.arms) == 14
    assert list(made.every_control) == ["low_keep_10", "low_keep_100"]


def test_a_control_may_not_have_the_name_of_a_run():
    params = ArmsParams(
        draws=2,
        arms={"all": {}},
        controls={"mix-00": {"like": "all", "kind": "drop_half"}},
        questions={"mix": {"kind": "mixture", "over": ["a", "b"], "runs": 12}},
    )
    with pytest.raises(ParamsError, match=r"arms.controls.mix-00: the question 'mix'"):
        asked(params, {"a": 1000, "b": 1000})
