"""Questions of params.yaml by kind: what is refused, with the key, in one line."""

import pytest
import yaml

from stages.foundation.stage import ROOT
from stages.pipeline import PIPELINE
from stages.settings.arms import ArmsParams
from stages.settings.params import load_params
from stages.settings.questions import MixtureQuestion, Question


def params_with(**question):
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    mixture = {"kind": "mixture", "over": ["news", "wiki"]}
    params["arms"]["questions"]["mix"] = mixture | question
    return params


def test_a_question_without_a_kind_is_one_over_named_arms():
    params = ArmsParams(
        questions={"q": {"title": "Which?", "arms": ["a", "b"]}},
        arms={"a": {}, "b": {"keep": 0.5}},
    )
    asked = params.questions["q"]
    assert isinstance(asked, Question) and asked.kind == "arms"
    # what is written of it is what older versions wrote
    assert asked.model_dump() == {"title": "Which?", "arms": ["a", "b"]}


def test_a_mixture_needs_no_arms_and_no_title(tmp_path):
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params_with()))
    asked = load_params(tmp_path / "params.yaml", PIPELINE)["arms"].questions["mix"]
    assert isinstance(asked, MixtureQuestion)
    assert (asked.runs, asked.prior, asked.over) == (24, "natural", ["news", "wiki"])
    alone = ArmsParams(questions={"m": {"kind": "mixture", "over": ["a", "b"]}})
    assert alone.arms == {}


def test_the_tiers_of_a_curve_are_the_tiers_of_the_pool():
    asked = {"up": {"kind": "upsampling", "tiers": [0.05, 0.5]}}
    params = ArmsParams(questions=asked, arms={"best": {"keep": 0.2}})
    assert params.tier_edges == [0.05, 0.2, 0.5]
    assert params.questions["up"].most == 7.0


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"tiers": [0.5, 0.2]}, r"arms.questions.up: tiers \[0.5, 0.2\] must rise"),
        ({"tiers": [0.5, 1.0]}, "arms.questions.up.tiers.1: must be below 1"),
        ({"tiers": [0.001, 0.002, 0.5]}, "0.001, 0.002, .* lie within one per cent"),
        ({"most": 1.0}, "arms.questions.up.most: must be above 1"),
        ({"weights": {"news": 1}}, "arms.questions.up.weights: unknown key"),
        ({"sizes": ["7k"]}, "arms.questions.up.sizes: no size '7k'"),
    ],
)
def test_a_curve_that_cannot_be_asked_for_is_refused(refused, question, message):
    params = params_with()
    params["arms"]["questions"] = {"up": {"kind": "upsampling"} | question}
    refused(params, message)


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (
            {"kind": "mix"},
            "arms.questions.mix: kind must be one of arms, mixture, upsampling",
        ),
        ({"arms": ["keep_10"]}, "arms.questions.mix.arms: unknown key"),
        ({"over": ["news"]}, "arms.questions.mix.over: needs at least 2 entries"),
        (
            {"over": ["news", "web"]},
            "arms.questions.mix.over: no pool 'web'; pools are",
        ),
        ({"over": ["news", "news"]}, "over names a pool twice"),
        ({"over": "pools"}, "arms.questions.mix.over: must be one of 'clusters'"),
        ({"pools": ["news"]}, "pools is for over: clusters; leave it out"),
        (
            {"over": "clusters", "pools": ["web"]},
            "arms.questions.mix.pools: no pool 'web'; pools are",
        ),
        ({"clusters": 5}, "clusters is for over: clusters; leave it out"),
        (
            {"over": "clusters", "pools": ["news", "news"]},
            "arms.questions.mix.pools: 'news' stands twice",
        ),
        ({"over": "clusters", "model": ""}, "mix.model: is empty; name a folder"),
        (
            {"over": "clusters", "floors": {"goal": 0.7, "stock": 0.6}},
            "floors add up to more than 1",
        ),
        (
            {"over": "clusters", "floors": {"goal": 0.7}, "caps": {"goal": 0.6}},
            "the floor of goal, 0.7, is above its cap",
        ),
        (
            {"over": "clusters", "clusters": 40},
            "arms.questions.mix.runs: 24 runs of 40 domains",
        ),
        (
            {"two_phases": True, "runs": 6},
            "arms.questions.mix.runs: 6 runs of 4 domains",
        ),
        ({"prior": {"news": 0.5}}, "prior adds up to 0.5"),
        ({"prior": {"news": 0.5, "code": 0.5}}, "prior names 'code'; over has news"),
        ({"floors": {"news": 0.7, "wiki": 0.6}}, "floors add up to more than 1"),
        ({"caps": {"news": 0.2, "wiki": 0.6}}, "caps add up to less than 1"),
        ({"floors": {"news": 0.7}, "caps": {"news": 0.6}}, "the floor of news, 0.7,"),
        ({"prior": "equal"}, "arms.questions.mix.prior: must be one of 'natural'"),
        ({"prior": {"news": 50, "wiki": 50}}, "mix.prior.news: must be at most 1"),
        (
            {"floors": {"news": 0.4}, "caps": {"news": 0.4}},
            "floors and caps leave news no share but 0.4",
        ),
        (
            {"floors": {"news": 0.3}, "caps": {"wiki": 0.7, "news": 0.3}},
            "floors and caps leave news no share but 0.3",
        ),
        (
            {"over": ["news", "wiki", "speech", "code", "tweets"], "runs": 8},
            "mix.runs: 8 runs of 5 domains cannot tell .* at least 9, better 25",
        ),
        ({"sizes": ["6k", "6k"]}, "mix.sizes: '6k' stands twice"),
        ({"weights": {"code": 1}}, r"mix.weights: no held-out domain 'code'; .* news"),
        ({"weights": {"news": 0}}, "weights are all 0"),
        ({"veto": {"code": 0.1}}, "mix.veto: no held-out domain 'code'"),
        ({"sizes": ["7k"]}, "mix.sizes: no size '7k'; sizes are 6k"),
        ({"runs": 3}, "arms.questions.mix.runs: must be at least 6"),
    ],
)
def test_what_cannot_be_asked_is_refused(refused, question, message):
    refused(params_with(**question), message)


@pytest.mark.parametrize("question", [None, "mixture", ["news", "wiki"]])
def test_a_question_that_is_no_mapping_is_refused(refused, question):
    params = params_with()
    params["arms"]["questions"]["mix"] = question
    refused(params, "arms.questions.mix: must be a mapping of keys to values")


def test_an_arm_that_a_question_names_twice_is_refused(refused):
    params = params_with()
    params["arms"]["questions"]["filter"]["arms"] = ["keep_10", "keep_20", "keep_10"]
    refused(params, "arms.questions.filter.arms: 'keep_10' stands twice; keep it once")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"always": {"keep_10": {"keep": 0.9}}},
            "always and arms have 'keep_10' with other settings",
        ),
        (
            {
                "controls": {
                    "low": {"kind": "lr"},
                    "low_keep_10": {"kind": "same", "like": "keep_10"},
                }
            },
            "the control 'low' makes 'low_keep_10', which is a control too",
        ),
        (
            {"arms": {}, "questions": {"m": {"kind": "mixture", "over": ["a", "b"]}}}
            | {"controls": {"low": {"kind": "lr"}}},
            "control 'low' is made of the arms, and there are none",
        ),
    ],
)
def test_one_name_is_of_one_data_set(refused, changes, message):
    params = params_with()
    params["arms"] |= changes
    refused(params, message)


def test_clusters_are_mixed_without_names_and_an_arm_may_mix_them_too(tmp_path):
    params = params_with(over="clusters", clusters=4, floors={"goal-match-team": 0.1})
    params["arms"]["arms"]["sport"] = {
        "mixture": {"goal-match-team": 1.0},
        "clusters_of": "mix",
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    arms = load_params(tmp_path / "params.yaml", PIPELINE)["arms"]
    assert list(arms.clustered) == ["mix"] and arms.questions["mix"].n_domains == 4


def test_clusters_of_a_question_without_any_are_refused(refused):
    params = params_with()
    params["arms"]["arms"]["sport"] = {"mixture": {"a": 1.0}, "clusters_of": "mix"}
    refused(
        params, "arm 'sport': clusters_of names 'mix', which is no mixture question"
    )
    params["arms"]["arms"]["sport"] = {"clusters_of": "mix"}
    refused(params, "clusters_of says what a mixture names; give a mixture")


@pytest.mark.parametrize("fraction", [0.98, 1.0])
def test_two_phases_want_a_stable_one_at_every_budget(refused, fraction):
    params = params_with(two_phases=True)
    params["sweep"]["decay_fraction"] = fraction
    refused(params, f"decay_fraction: {fraction:g} leaves 16384 tokens no stable phase")


def test_two_phases_want_a_schedule_of_two(refused):
    params = params_with(two_phases=True)
    params["sweep"]["schedule"] = "cosine"
    refused(params, "sweep.schedule: cosine has no stable phase and decay, which")


def test_a_question_that_is_not_there_is_not_verified(refused):
    params = params_with()
    params["verify"] = {"questions": ["mixed"]}
    refused(params, "verify.questions: no question 'mixed'; there are filter, mix")
