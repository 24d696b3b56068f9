"""Six lines of params.yaml are enough, and every key that the file has stands."""

import pytest
import yaml

from stages.foundation.dvc_file import pipeline_text
from stages.foundation.errors import InputError
from stages.pipeline import PIPELINE
from stages.settings.params import load_params
from stages.target.derived import wanted_ladder
from stages.target.target import Target

SIX = """\
target: {params: 1e9, tokens: 2e10, pool_tokens: 4e11}
ingest:
  pools:
    web: {path: "web/*.jsonl", heldout: 0.1}
    books: {path: "books/*.jsonl", heldout: 0.1, reference: 0.5}
arms: {arms: {keep_20: {keep: 0.2}, keep_100: {}}}
"""


@pytest.fixture
def load(tmp_path):
    """load(**changes of sections): the six lines with sections added."""

    def loaded(text=SIX, **changes):
        values = yaml.safe_load(text)
        for section, own in changes.items():
            values[section] = values.get(section, {}) | own
        file = tmp_path / "params.yaml"
        file.write_text(yaml.safe_dump(values, sort_keys=False))
        return load_params(file, PIPELINE)

    return loaded


def test_six_lines_are_enough(load):
    assert len(SIX.splitlines()) <= 6
    found = load()
    arms, sweep, decide = (found[name] for name in ("arms", "sweep", "decide"))
    assert arms.questions["data"].arms == ["keep_20", "keep_100", "junk"]
    assert len(sweep.sizes) >= 3 and len(sweep.budgets_tokens) >= 4
    assert sweep.pool_passes == "target" and sweep.target.tokens == 2e10
    assert (arms.draw_tokens, arms.largest_budget) == (None, sweep.budgets_tokens[-1])
    assert decide.n_params == 1_000_000_000
    assert decide.target_flops == pytest.approx([1.2e19, 1.2e20])


def test_without_a_target_nothing_follows(load):
    values = yaml.safe_load(SIX)
    del values["target"]
    with pytest.raises(InputError, match="sweep: is required"):
        load(yaml.safe_dump(values))


def test_an_unfiltered_arm_and_as_much_of_the_worst_take_part_unless_said(load):
    arms = load(arms={"arms": {"keep_20": {"keep": 0.2}, "keep_5": {"keep": 0.05}}})[
        "arms"
    ]
    assert arms.questions["data"].arms == ["keep_20", "keep_5", "unfiltered", "junk"]
    assert arms.arms["unfiltered"].keep == 1.0
    assert (arms.arms["junk"].keep, arms.arms["junk"].take) == (0.05, "low")
    # what does more than keep everything is not the unfiltered arm
    mixed = {"ruled": {"rules": True}, "worst": {"keep": 0.3, "take": "low"}}
    found = load(arms={"arms": mixed})["arms"].questions["data"].arms
    assert found == ["ruled", "worst", "unfiltered"]
    off = load(arms={"always": {}})["arms"]
    assert list(off.arms) == ["keep_20", "keep_100"]


def test_arms_that_are_always_asked_for_are_in_every_question(load):
    asked = {"a": {"title": "A?", "arms": ["keep_20", "keep_100"]}}
    known = load(arms={"questions": asked})["arms"]
    assert list(known.arms) == ["keep_20", "keep_100"]
    worst = {"worst": {"keep": 0.5, "take": "low"}, "keep_20": {"keep": 0.2}}
    found = load(arms={"questions": asked, "always": worst})["arms"]
    assert found.questions["a"].arms == ["keep_20", "keep_100", "worst"]
    assert found.arms["worst"].keep == 0.5


@pytest.mark.parametrize(
    ("always", "message"),
    [
        ([1], "arms.always: "),
        ({"worst": {"keep": 2}}, "arms.always.worst.keep: must be at most 1"),
    ],
)
def test_what_is_always_asked_for_must_be_arms(load, always, message):
    with pytest.raises(InputError, match=message):
        load(arms={"always": always})


def test_every_key_of_the_file_stands(load):
    found = load(
        sweep={"sizes": ["25k", "55k"], "pool_passes": None},
        arms={"draw_tokens": 50_000, "draws": 3},
        decide={"target_flops": [1e18]},
    )
    assert found["sweep"].sizes == ["25k", "55k"] and found["sweep"].pool_passes is None
    assert (found["arms"].draw_tokens, found["arms"].draws) == (50_000, 3)
    # the target's own budget is always answered for
    assert found["decide"].target_flops == pytest.approx([1e18, 1.2e20])


def test_what_is_watched_is_carried_to_the_target_whatever_else_the_file_has(load):
    every = {
        "sizes": ["25k"],
        "budgets_tokens": [51_200],
        "regularisations": [{}],
        "control_sizes": ["25k"],
        "pool_passes": None,
    }
    assert load(sweep=every)["sweep"].target is None
    watched = load(sweep=every | {"watch": True})["sweep"]
    assert watched.target == Target(params=1e9, tokens=2e10, pool_tokens=4e11)
    assert watched.pool_passes is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": {"flops": 1e20}}, "target: needs exactly one of tokens"),
        ({"target": {"size": 3}}, "target.size: unknown key"),
        ({"target": {"params": -1}}, "target.params: must be at least 1"),
        (
            {"target": {"pool_tokens": {"wib": 1e9}}},
            "target.pool_tokens: no pool 'wib'",
        ),
        (
            {"target": {"generation_flops_per_token": {"wib": 1e9}}},
            "target.generation_flops_per_token: no pool 'wib'",
        ),
        (
            {"target": {"generation_flops_per_token": {"web": 0}}},
            "target.generation_flops_per_token.web: must be above 0",
        ),
        (
            {
                "target": {"generation_flops_per_token": {"web": 1e9}},
                "arms": {"questions": {"up": {"kind": "upsampling"}}},
            },
            "target.generation_flops_per_token: is not counted by the question 'up'",
        ),
        (
            {
                "target": {"generation_flops_per_token": {"web": 1e9}},
                "arms": {
                    "questions": {"mix": {"kind": "mixture", "over": ["web", "books"]}}
                },
            },
            "is not counted by the question 'mix', which searches",
        ),
        ({"decide": {"n_params": 5}}, "decide.n_params: 5 is not the size of target"),
        ({"sweep": {"sizes": ["9k"]}}, "sweep.sizes: no proxy size '9k'"),
        ({"sweep": {"budgets_tokens": ["x"]}}, "sweep.budgets_tokens.0"),
        ({"arms": {"arms": {"a": {"keep": "much"}, "b": {}}}}, "arms.arms.a.keep"),
        ({"decide": {"target_flops": "all"}}, "decide.target_flops"),
    ],
)
def test_what_is_wrong_is_one_line(load, changes, message):
    with pytest.raises(InputError, match=message) as error:
        load(**changes)
    assert "\n" not in str(error.value)


def test_a_mixture_of_pools_that_people_wrote_may_stand_beside_generated_ones(load):
    pools = {"web": {"path": "web", "heldout": 0.1}, "more": {"path": "more"}} | {
        "books": {"path": "books", "reference": 0.5},
        "qa": {"path": "qa"},
    }
    questions = {
        "mix": {"kind": "mixture", "over": ["web", "books", "more"]},
        "data": {"title": "Which?", "arms": ["keep_20", "keep_100"]},
    }
    prices = {"generation_flops_per_token": {"qa": 2e9}}
    found = load(target=prices, ingest={"pools": pools}, arms={"questions": questions})
    target = found["decide"].target
    assert target.generation_flops_per_token == {"qa": 2e9}


def test_stages_that_follow_depend_on_what_they_follow(load):
    stages = yaml.safe_load(pipeline_text(PIPELINE, load(), "params.yaml"))["stages"]
    assert stages["arms"]["params"] == ["arms", "target"]
    # a section that the file lacks: all of it
    assert stages["sweep"]["params"] == [{"params.yaml": None}]
    own = load(sweep={"lr": 0.01}, decide={"level": 0.8})
    stages = yaml.safe_load(pipeline_text(PIPELINE, own, "params.yaml"))["stages"]
    assert stages["arms"]["params"] == ["arms", "target", "sweep"]
    assert stages["sweep"]["params"] == ["sweep", "target", "arms"]
    assert stages["decide"]["params"] == ["decide", "target"]


def test_a_ladder_counts_the_arms_that_questions_design():
    questions = {
        "mix": {"kind": "mixture", "over": ["a", "b"], "runs": 22},
        "up": {"kind": "upsampling", "tiers": [0.1, 0.5]},
        "named": {"title": "Which?", "arms": ["x", "y"]},
    }
    arms = {"arms": {"x": {}, "y": {"keep": 0.5}}, "draws": 4, "questions": questions}
    target = Target(params=1e6, tokens=2e7)
    # two that are named, 22 runs over four resamples, and five curves
    assert wanted_ladder({"arms": arms}, target).n_arms == 2 + 6 + 5
