"""What a question about branches must say, and what it cannot have, in one line with its key."""

import pytest
import yaml

from stages.foundation.stage import ROOT
from stages.settings.branches import BranchSettings

BRANCH = {"base": "keep_100", "at_tokens": 131_072, "tokens": [16_384, 32_768]}


@pytest.fixture
def wrong(refused):
    """wrong(branch, message, **sections): params.yaml with this branch is refused."""

    def check(branch, message, arms=("keep_10",), **sections):
        params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
        question = {"title": "Which?", "arms": list(arms), "branch": BRANCH | branch}
        params["arms"]["questions"]["mid"] = question
        for name, changes in sections.items():
            params[name] |= changes
        refused(params, message)

    return check


@pytest.mark.parametrize(
    ("branch", "message"),
    [
        (
            {"base": "keep_1"},
            "question 'mid' has a trunk of the arm 'keep_1'; arms are",
        ),
        ({"tokens": [2048, 1024]}, r"mid.branch.tokens: \[2048, 1024\] must rise"),
        (
            {"at_tokens": None},
            "mid.branch: needs at_tokens, after which branches leave",
        ),
        ({"replay": 1.0}, "mid.branch.replay: must be below 1"),
        ({"loss": "answers"}, "mid.branch.loss: must be one of 'all' or 'answer'"),
        ({"checkpoint": "x", "sizes": ["6k"]}, "a checkpoint has a size of its own"),
        ({"form": "x"}, "mid.branch.form: unknown key"),
    ],
)
def test_a_branch_that_cannot_be_is_refused_with_its_key(wrong, branch, message):
    wrong(branch, message)


def test_a_question_needs_an_arm_beside_the_control(wrong):
    wrong({}, "mid.arms: name an arm beside branch.base, 'keep_100'", ["keep_100"])
    wrong({}, "mid.arms: name an arm beside", [])


def test_a_question_between_whole_runs_needs_two_arms_as_before(refused):
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    params["arms"]["questions"]["filter"]["arms"] = ["keep_10"]
    refused(params, "questions.filter.arms: needs at least 2 entries")


def test_tokens_of_a_checkpoint_may_be_any():
    ours = BranchSettings(**BRANCH | {"at_tokens": 1000})
    theirs = BranchSettings(**BRANCH | {"at_tokens": 1000, "checkpoint": "x"})
    assert ours.uneven(512) == ("at_tokens", 1000)
    assert theirs.uneven(512) is None
