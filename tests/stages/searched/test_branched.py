"""Questions about branches make arms of their own, and what only they ask about is not trained from the start."""

import pytest

from stages.foundation.errors import ParamsError
from stages.searched.asked import asked
from stages.searched.branched import with_branches
from stages.settings.arms import ArmsParams

ARMS = {
    "web": {"mixture": {"web": 1.0}},
    "math": {"mixture": {"math": 1.0}},
    "chat": {"mixture": {"chat": 1.0}},
    "keep_20": {"keep": 0.2},
}
BRANCH = {"base": "web", "at_tokens": 4096, "tokens": [512], "replay": 0.25}
MID = {"title": "Which?", "arms": ["math", "chat"], "branch": BRANCH}


def params(questions, **changes):
    return ArmsParams(questions=questions, arms=ARMS, **changes)


def test_each_arm_has_its_replay_and_the_control_is_the_trunks_data():
    made = asked(params({"mid": MID}), {})
    question = made.questions["mid"]
    assert question["arms"] == ["mid-math", "mid-chat", "mid-web"]
    assert question["branch"]["control"] == "mid-web"
    assert question["branch"]["trunk_arm"] == "web-trunk"
    arms = made.params.arms
    assert arms["mid-math"].replay.share == 0.25
    assert arms["mid-math"].replay.of == arms["mid-web"] == arms["web-trunk"]
    assert arms["mid-web"].mixture == {"web": 1.0} and arms["mid-web"].replay is None


def test_arms_that_only_branches_ask_about_are_not_trained_from_the_start():
    alone = asked(params({"mid": MID}), {}).params.arms
    assert list(alone) == ["keep_20", "mid-math", "mid-chat", "mid-web", "web-trunk"]
    other = {"title": "Which?", "arms": ["web", "keep_20"]}
    both = asked(params({"mid": MID, "filter": other}), {}).params.arms
    assert "web" in both and "math" not in both


def test_a_control_of_all_arms_leaves_those_of_branches_out_and_one_that_is_named_stays():
    controls = {
        "low": {"kind": "lr"},
        "half": {"kind": "drop_half", "like": "math"},
    }
    made = asked(params({"mid": MID}, controls=controls), {}).params
    # math is trained whole, for its control is compared with it
    assert set(made.controls) == {"low_keep_20", "half"}
    assert "math" in made.arms and "chat" not in made.arms


def test_a_twin_of_an_arm_of_branches_is_a_branch_too():
    twin = {"twin": {"kind": "same", "like": "math"}}
    made = asked(params({"mid": MID}, controls=twin), {}).params
    assert set(made.controls) == {"mid-twin"}
    assert made.controls["mid-twin"].like == "mid-math"
    assert "math" not in made.arms
    # of an arm that is asked about in both ways there is a twin of each
    both = {"mid": MID, "q": {"title": "Which?", "arms": ["math", "keep_20"]}}
    assert set(asked(params(both, controls=twin), {}).params.controls) == {
        "twin",
        "mid-twin",
    }


def test_questions_on_one_base_share_its_trunk():
    more = MID | {"branch": BRANCH | {"replay": 0.5}}
    made = asked(params({"mid": MID, "more": more}), {})
    trunks = {q["branch"]["trunk_arm"] for q in made.questions.values()}
    assert trunks == {"web-trunk"}
    assert made.params.arms["more-math"].replay.share == 0.5


def test_a_name_that_is_taken_is_refused():
    taken = ArmsParams(questions={"mid": MID}, arms=ARMS | {"mid-math": {}})
    with pytest.raises(ParamsError, match="arms.arms.mid-math: the question 'mid'"):
        asked(taken, {})


def test_an_export_knows_the_arms_that_a_question_made():
    known = with_branches(params({"mid": MID}))
    assert known["mid-math"] == asked(params({"mid": MID}), {}).params.arms["mid-math"]
    assert set(ARMS) < set(known)
