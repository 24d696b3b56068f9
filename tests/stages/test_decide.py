"""The decide stage on runs whose answer is known by hand: keep_20 up to 10,000 tokens, keep_100 beyond."""

import math
import shutil

import numpy as np
import polars as pl
import pytest
import yaml

from stages import decide as module
from stages.answers.answers import compared
from stages.answers.case import Case
from stages.answers.parts import (
    base_of,
    largest_pool,
    metric_record,
    points,
    spoken_size,
)
from stages.curation.selecting.recipes import recipes
from stages.decide import DecideParams, decide, run
from stages.decision.next_run import next_best
from stages.decision.question_laws import Evidence, load
from stages.decision.record import read_decision
from stages.decision.scope import Offers, scope_of
from stages.foundation.files import read_json
from stages.foundation.sealed import read_sealed, write_sealed
from stages.foundation.stage import ROOT
from stages.runs.judge_record import Judge

FLIP = 6.0 * 2_000 * 10_000  # FLOPs of 10,000 tokens at the larger size
REACH = 6.0 * 2_000 * 32_000
TARGETS = [3e7, FLIP, 3e8, 1e10]


def made(folder, monkeypatch, **changes):
    monkeypatch.chdir(folder)
    params = DecideParams(**{"target_flops": TARGETS} | changes)
    return decide("filter", read_json("data/arms/arms.json"), params)


@pytest.fixture
def decided(question_folder):
    with pytest.MonkeyPatch.context() as patch:
        return made(question_folder, patch)


@pytest.fixture
def record(decided):
    return decided[0]


@pytest.fixture
def drawn(decided):
    return decided[1]


def test_the_answer_flips_where_the_truth_does(record):
    [flip] = record.crossovers
    assert (flip.first, flip.second) == ("keep_20", "keep_100")
    assert flip.flops == pytest.approx(FLIP, rel=0.03)
    assert flip.low < flip.flops < flip.high and flip.high / flip.low < 1.5
    assert (flip.share, flip.extrapolated, flip.level) == (1.0, False, 0.9)
    assert record.crossovers_drawn == record.crossovers
    assert record.pairwise[0].flops == flip.flops
    assert record.sentence == (
        f"Keep the best 20 % up to {flip_text(flip)}, above that keep everything."
        f" K{record.worth[2].text[1:]}"
    )


def test_the_worth_is_the_law_inverted(record):
    below, _, above, _ = record.worth
    # 2,500 tokens: 2 + 60 / 50 = 1.6 + 100 / 62.5
    assert (below.best, below.baseline) == ("keep_20", "keep_100")
    assert below.times == pytest.approx(62.5**2 / 2_500, rel=0.03)
    assert below.low < below.times < below.high and below.high / below.low < 1.3
    assert below.tokens_times == below.times
    assert below.until.flops == record.crossovers[0].flops
    assert below.text.startswith(
        "keep the best 20 % is worth 1.6 times the compute [1."
    )
    # 25,000 tokens: keep_100 is the unfiltered one itself, so the other arm is asked
    assert (above.best, above.baseline) == ("keep_100", "keep_20")
    value = 1.6 + 100 / 25_000**0.5
    assert above.times == pytest.approx((60 / (value - 2)) ** 2 / 25_000, rel=0.1)
    assert above.until is None


def test_a_named_baseline_is_asked(question_folder, monkeypatch):
    named, _ = made(question_folder, monkeypatch, baseline="keep_20")
    assert [worth.baseline for worth in named.worth] == [
        "keep_100",
        "keep_20" if named.worth[1].best == "keep_100" else "keep_100",
        "keep_20",
        "keep_20",
    ]


def test_a_baseline_that_is_no_arm_is_refused(refused):
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    params["decide"]["baseline"] = "keep_99"
    refused(params, "decide.baseline: no arm 'keep_99'; arms are keep_10, keep_100")


def test_a_veto_of_no_judge_is_refused(refused):
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    params["decide"]["veto"] = {"wiki": 0.1}
    refused(params, "decide.veto: no judge 'wiki'; fit.judges are none")
    params["fit"]["judges"] = {"news": 1.0}
    params["fit"].pop("domain", None)
    refused(params, "decide.veto: no judge 'wiki'; fit.judges are news")


def flip_text(flip):
    def short(value):
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}"

    return f"{short(flip.flops)} FLOPs [{short(flip.low)}, {short(flip.high)}]"


def test_each_budget_names_the_better_arm_with_its_loss(record):
    below, at, above, beyond = record.targets
    assert (below.best, below.second, below.status) == (
        "keep_20",
        "keep_100",
        "decided",
    )
    # 2,500 tokens: 2 + 60 / 50 and 1.6 + 100 / 50
    assert below.values["keep_20"][0] == pytest.approx(3.2, rel=0.005)
    assert below.values["keep_100"][0] == pytest.approx(3.6, rel=0.005)
    assert below.lead[0] == pytest.approx(-0.4, rel=0.03)
    assert below.n_tokens["keep_20"] == pytest.approx(2_500)
    assert below.values["keep_20"][1] < below.values["keep_20"][0]
    assert below.values["keep_20"][2] > below.values["keep_20"][0]
    # 25,000 tokens
    assert (above.best, above.second, above.status) == (
        "keep_100",
        "keep_20",
        "decided",
    )
    assert above.lead[0] == pytest.approx(-(0.4 - 40 / 25_000**0.5), rel=0.05)
    assert at.status in ("tie", "insufficient_evidence")  # equal there: noise decides
    assert beyond.status == "extrapolating"
    assert beyond.extrapolation_decades == pytest.approx(math.log10(1e10 / REACH))


def test_a_tie_is_a_share_of_the_mean_loss_at_the_size(record, question_folder):
    rows = pl.read_parquet(question_folder / "data/fit/filter.parquet")
    usual = rows.filter(n_params=2_000)["value"].mean()
    for target in record.targets:
        assert target.tolerance == pytest.approx(0.005 * usual)


def test_the_question_is_decided_and_says_why(record):
    assert record.status == "decided"
    assert record.reason.startswith(
        "Of 2 target budgets within the measured compute (1 more lie inside the"
        " interval of a flip): 2 decided. At 3e+07 FLOPs: keep_20 is best in 100% of"
        " the draws and leads keep_100 by 0."
    )


def test_the_record_says_what_it_speaks_for(record):
    assert record.question.model_dump() == {"name": "filter", "title": "How strict?"}
    assert record.metric.model_dump() == {
        "name": "loss_news",
        "domain": "news",
        "unit": "nats/token",
    }
    assert record.n_params.model_dump() == {
        "value": 2_000,
        "why": "the largest size trained",
        "trained": [1_000, 2_000],
    }
    assert record.measured_to_flops == REACH
    assert record.searched_to_flops == pytest.approx(10 * REACH)
    assert (record.pool_unique_tokens, record.n_draws, record.level) == (900, 4, 0.9)
    assert record.base == "keep_100"
    assert record.labels == {
        "keep_20": "keep the best 20 %",
        "keep_100": "keep everything",
    }


def test_the_flip_lies_at_the_same_tokens_for_every_size(record):
    assert list(record.crossovers_by_size) == ["1000", "2000"]
    small, large = record.crossovers_by_size.values()
    assert [stretch.arm for stretch in small] == ["keep_20", "keep_100"]
    assert small[0].up_to.flops == pytest.approx(FLIP / 2, rel=0.03)
    assert large[0].up_to.flops == pytest.approx(FLIP, rel=0.03)
    assert large[1].up_to is None


def test_the_law_and_the_runner_up_are_those_of_the_fit(record, question_folder):
    fitted = read_json(question_folder / "data/fit/filter.json")
    assert record.law.name == record.law.law == fitted["law"]["law"]
    assert record.law.title == fitted["law"]["title"]
    assert record.law.chosen_because == fitted["reason"]
    assert record.runner_up.name == fitted["runner_up"]
    [stretch, last] = record.runner_up.sequence
    assert (stretch.arm, last.arm) == ("keep_20", "keep_100")
    assert stretch.up_to.flops == pytest.approx(FLIP, rel=0.05)
    assert [row.law for row in record.ranking] == [
        row["law"] for row in fitted["ranking"]
    ]
    notes = fitted["law"]["warnings"] + fitted["warnings"]
    assert [note.model_dump() for note in record.warnings] == notes


def test_the_check_holds_the_arms_of_the_question_alone(record):
    assert {row.arm for row in record.heldout_check.rows} == {"keep_20", "keep_100"}
    assert record.heldout_check.from_flops == REACH
    assert "90 % interval" in record.heldout_check.text


def test_the_chance_lead_is_that_of_the_twin(record):
    assert len(record.chance_lead_nats) == 4
    assert [t.smallest_detectable_effect for t in record.targets] == (
        record.chance_lead_nats
    )
    inside = record.chance_lead_nats[:3]
    assert record.smallest_detectable_effect_nats == pytest.approx(
        np.median(inside) / 1.645 * (1.960 + 1.282)
    )
    [control] = record.controls
    assert (control.control, control.kind, control.like) == ("twin", "same", "keep_100")
    assert abs(control.difference_nats) < 0.02 and control.n_draws == 4


def test_points_are_means_over_draws_at_the_size_of_the_answer(record):
    assert {point.arm for point in record.points} == {"keep_20", "keep_100"}
    assert len(record.points) == 2 * 6
    first = record.points[0]
    assert first.flops == 6.0 * 2_000 * first.n_tokens_seen
    floor, amplitude = {"keep_20": (2, 60), "keep_100": (1.6, 100)}[first.arm]
    truth = floor + amplitude / first.n_tokens_seen**0.5
    assert first.value == pytest.approx(truth, rel=0.002) and 0 < first.spread < 0.05


def test_the_next_run_settles_the_flip(record):
    [flip] = record.crossovers
    assert record.next_run.settles == ("keep_20", "keep_100", flip.flops)


def test_the_record_stands_on_every_fitted_run(record):
    assert len(record.provenance.run_ids) == 3 * 2 * 6 * 4
    assert record.provenance.code_hash == ["code"] and record.provenance.dvc == {}


def test_curves_run_through_the_searched_compute_with_the_sign_of_the_arm(drawn):
    one = drawn.filter(kind="difference", arm="keep_20").sort("flops")
    low = 6.0 * 2_000 * 1_000
    assert one["flops"][0] == pytest.approx(low)
    assert one["flops"][-1] == pytest.approx(10 * REACH)
    # keep_20 less keep_100: .4 - 40 / sqrt(tokens)
    assert one["value"][0] == pytest.approx(0.4 - 40 / 1_000**0.5, rel=0.05)
    assert one["value"][-1] == pytest.approx(0.4 - 40 / 320_000**0.5, rel=0.1)
    assert (one["low"] < one["value"]).all() and (one["value"] < one["high"]).all()
    base = drawn.filter(kind="difference", arm="keep_100")
    assert (base["value"] == 0).all()


def widths(curves, kind="loss"):
    one = curves.filter(kind=kind, arm="keep_20")
    return (one["high"] - one["low"]).to_numpy()


def test_level_is_that_of_every_interval(question_folder, monkeypatch, record, drawn):
    narrow, curves = made(question_folder, monkeypatch, level=0.6)
    assert narrow.level == 0.6 and narrow.crossovers[0].level == 0.6
    assert (widths(curves) < widths(drawn)).all()
    assert (widths(curves, "difference") < widths(drawn, "difference")).all()
    wide, tight = record.targets[0], narrow.targets[0]
    for i, j in (
        (tight.values["keep_20"], wide.values["keep_20"]),
        (tight.lead, wide.lead),
    ):
        assert i[0] == j[0] and i[2] - i[1] < j[2] - j[1]
    assert narrow.chance_lead_nats[0] < record.chance_lead_nats[0]
    # half an interval of 60 % is .842 standard deviations
    assert narrow.smallest_detectable_effect_nats == pytest.approx(
        np.median(narrow.chance_lead_nats[:3]) / 0.842 * (1.960 + 1.282)
    )
    assert narrow.law.level == 0.9  # the fit's own


def test_a_stricter_rule_decides_less(question_folder, monkeypatch):
    far, _ = made(question_folder, monkeypatch, max_decades=2.0)
    # within two decades now, but a hundred times beyond the epochs of any run
    assert far.targets[3].code == "repeats_beyond"
    loose, _ = made(question_folder, monkeypatch, tie_fraction=0.3)
    assert {t.status for t in loose.targets[:3]} == {"tie"} and loose.status == "tie"
    short, _ = made(question_folder, monkeypatch, search_decades=0.0)
    assert short.searched_to_flops == REACH


def test_a_size_can_be_asked_for(question_folder, monkeypatch):
    small, _ = made(question_folder, monkeypatch, n_params=1_000)
    assert small.n_params.value == 1_000 and small.measured_to_flops == REACH / 2
    assert small.n_params.why == "set by decide.n_params"
    assert small.crossovers[0].flops == pytest.approx(FLIP / 2, rel=0.03)
    assert {point.flops for point in small.points} == {
        6.0 * 1_000 * tokens for tokens in (1_000, 2_000, 4_000, 8_000, 16_000, 32_000)
    }


def test_budgets_beyond_the_measured_compute_do_not_vote(question_folder, monkeypatch):
    # one budget is measured and decided, three lie up to a decade above, where nothing is
    targets = [1e9, 1.5e9, 2e9, 3e7]
    found, _ = made(question_folder, monkeypatch, target_flops=targets, max_decades=0)
    statuses = [target.status for target in found.targets]
    assert statuses == ["extrapolating"] * 3 + ["decided"]
    assert found.status == "decided"
    assert found.reason.startswith("Of 1 target budgets within the measured compute: 1")
    # the median budget within what was measured is that one
    assert found.smallest_detectable_effect_nats == pytest.approx(
        found.chance_lead_nats[3] / 1.645 * (1.960 + 1.282)
    )


def test_values_are_those_of_the_law_chosen_and_not_of_the_runner_up(record):
    params = record.law.params
    for target in record.targets:
        for arm, (value, _, _) in target.values.items():
            tokens = target.flops / 6 / 2_000
            floor, amplitude = params["E"][arm].value, params["B"][arm].value
            power = tokens ** params["beta"].value
            size = params["A"].value / 2_000 ** params["alpha"].value
            said = floor + size + amplitude / power
            assert value == pytest.approx(said, rel=5e-3)
    chosen, _ = record.crossovers_by_size["2000"]
    other, _ = record.runner_up.sequence
    assert other.up_to.flops != chosen.up_to.flops == record.crossovers[0].flops


@pytest.fixture
def copied(question_folder, tmp_path):
    """A copy of the fitted question that a test may edit."""
    return shutil.copytree(question_folder, tmp_path / "copy")


def edit(path, change):
    state = read_sealed(path, "")
    change(state)
    write_sealed(path, state)


def test_notes_of_the_law_and_of_the_choice_are_both_on_the_record(copied, monkeypatch):
    def warn(fitted):
        for notes, code in ((fitted["law"], "few_runs"), (fitted, "few_held_out")):
            note = {"code": code, "severity": "warning", "message": "so it is"}
            notes["warnings"] = [note]

    edit(copied / "data/fit/filter.json", warn)
    found, _ = made(copied, monkeypatch)
    assert [note.code for note in found.warnings] == ["few_runs", "few_held_out"]


def never_overtaken(state):
    """Of eleven draws in a hundred keep_20 stays below keep_100: the refits' E of keep_20 at .5."""
    for member in state["law"]["members"]:
        draws = member["draws"]["theta"]
        at = member["layout"]["arms"].index("keep_20")
        for theta in draws[: math.ceil(0.11 * len(draws))]:
            theta[at] = 0.5


def test_an_open_end_is_open_on_the_record_and_drawn_to_the_end_of_the_search(
    copied, monkeypatch
):
    edit(copied / "data/fit/filter-refits.json", never_overtaken)
    found, _ = made(copied, monkeypatch)
    [flip], [drawn] = found.crossovers, found.crossovers_drawn
    assert flip.high is None and flip.low == drawn.low
    assert drawn.high == found.searched_to_flops == pytest.approx(10 * REACH)
    assert 0.7 < flip.share < 0.95
    assert found.tables.flips[0]["at"].endswith(", beyond the range]")


def test_the_runner_up_is_asked_at_every_budget(copied, monkeypatch):
    def other_way_round(state):
        theta = state["runner_up"]
        arms = theta["layout"]["arms"]
        one, two = arms.index("keep_20"), arms.index("keep_100")
        for row in [theta["theta"], *theta["draws"]["theta"]]:
            row[one], row[two] = 1.0, 9.0

    edit(copied / "data/fit/filter-refits.json", other_way_round)
    found, _ = made(copied, monkeypatch)
    below, _, above, _ = found.targets
    assert (below.best, below.runner_up_best) == ("keep_20", "keep_20")
    assert (above.best, above.runner_up_best) == ("keep_100", "keep_20")
    assert below.status == "decided" and above.status == "extrapolating"
    assert "keep_100 leads under this law but keep_20 under" in above.reason
    assert [stretch.arm for stretch in found.runner_up.sequence] == ["keep_20"]
    assert [flip.second for flip in found.crossovers] == ["keep_100"]


def test_without_a_runner_up_there_is_no_second_opinion(copied, monkeypatch):
    edit(copied / "data/fit/filter-refits.json", lambda state: state.pop("runner_up"))
    edit(copied / "data/fit/filter.json", lambda state: state.update(runner_up=None))
    found, _ = made(copied, monkeypatch)
    assert found.runner_up.model_dump() == {"name": None, "sequence": None}
    assert {target.runner_up_best for target in found.targets} == {None}


def test_the_next_run_is_of_the_size_that_the_answer_speaks_for(
    question_folder, monkeypatch, record
):
    small, _ = made(question_folder, monkeypatch, n_params=1_000)
    # at one size the arms are equal where the flip is, at another they are not
    for found, n_params in ((record, 2_000), (small, 1_000)):
        arms = read_json("data/arms/arms.json")
        boot = load("filter", arms["tiers"]).boot
        rows = pl.read_parquet("data/fit/filter.parquet")
        names = ["keep_20", "keep_100"]
        columns = recipes(
            pl.read_parquet("data/arms/views.parquet"), names, arms["tiers"]
        )
        wanted = next_best(
            boot, columns, found.targets, found.crossovers, rows, n_params
        )
        assert found.next_run.variance_removed == pytest.approx(wanted.variance_removed)


SIZED = pl.DataFrame(
    {
        "arm": ["c"] * 4,
        "pool_draw": [0] * 4,
        "n_params": [10, 10, 20, 20],
        "n_tokens_seen": [100] * 4,
        "n_tokens_unique": [100] * 4,
        "value": [9.0, 7.0, 2.0, 4.0],
        "flops": [1e9] * 4,
    }
)


def case_of_two(boot, params, chance):
    """The case of two arms that differ in name alone, with the runs of SIZED."""
    columns = {"a": {}, "b": {}}
    return Case(
        name="filter",
        arms={},
        params=params,
        known=Evidence(rows=SIZED, fitted=None, boot=boot, rival=None),
        offered=Offers(there=columns, drawn=columns),
        scope=scope_of(SIZED, params),
        labels={"a": "a", "b": "b"},
        baseline=None,
        chance=chance,
    )


@pytest.mark.parametrize(("n_params", "usual"), [(20, 3.0), (10, 8.0), (15, 5.5)])
def test_a_tie_is_measured_by_the_loss_at_the_size_or_of_all(
    known_boot, n_params, usual
):
    curves = {"a": lambda flops: 3 + 0 * flops, "b": lambda flops: 4 + 0 * flops}
    boot = known_boot(curves, {"a": [0.0] * 20, "b": [0.0] * 20})
    params = DecideParams(target_flops=[1e8, 1e9], n_params=n_params, tie_fraction=0.1)
    found = compared(case_of_two(boot, params, [0.3, None]))
    assert [target.tolerance for target in found] == pytest.approx([0.1 * usual] * 2)
    assert [target.smallest_detectable_effect for target in found] == [0.3, None]
    assert [target.flops for target in found] == [1e8, 1e9]
    assert {target.best for target in found} == {"a"}


def test_the_share_of_draws_asked_for_decides(known_boot):
    curves = {"a": lambda flops: 3 + 0 * flops, "b": lambda flops: 4 + 0 * flops}
    # b is the better one in three draws of twenty
    boot = known_boot(curves, {"a": [0.0] * 20, "b": [0.0] * 17 + [-2.0] * 3})
    for decide_at, status in ((0.8, "decided"), (0.9, "insufficient_evidence")):
        params = DecideParams(target_flops=[1e9], decide_at=decide_at, level=0.6)
        [target] = compared(case_of_two(boot, params, [0.3]))
        assert target.status == status and target.p_best["a"] == 0.85
        assert target.lead == pytest.approx((-1, -1, -1))  # 20 % to 80 % of the draws


ROWS = pl.DataFrame(
    {
        "arm": ["a", "a", "a", "b"],
        "n_params": [10, 20, 20, 20],
        "n_tokens_seen": [5, 6, 6, 8],
        "flops": [300.0, 720.0, 720.0, 960.0],
        "value": [9.0, 1.0, 3.0, 4.0],
    }
)


def test_the_scope_is_that_of_the_size_or_of_all_runs():
    scope = scope_of(ROWS, DecideParams(target_flops=[1.0]))
    assert (scope.n_params, scope.low, scope.reach) == (20, 720.0, 960.0)
    assert scope.high == pytest.approx(9_600)
    other = DecideParams(target_flops=[1.0], n_params=15, search_decades=2.0)
    scope = scope_of(ROWS, other)
    assert (scope.n_params, scope.low, scope.reach) == (15, 300.0, 960.0)
    assert scope.high == pytest.approx(96_000)
    assert spoken_size(ROWS, scope, other).model_dump() == {
        "value": 15,
        "why": "set by decide.n_params",
        "trained": [10, 20],
    }


def test_points_average_the_draws():
    one, other = points(ROWS, 20)
    assert (one.arm, one.value, one.n_tokens_seen) == ("a", 2.0, 6)
    assert one.spread == pytest.approx(math.sqrt(2))
    assert (other.arm, other.value, other.spread) == ("b", 4.0, None)


@pytest.mark.parametrize(
    ("metric", "modality", "domain", "unit"),
    [
        ("loss_news", "text", "news", "nats/token"),
        ("loss_my_own", "text", "my_own", "nats/token"),
        ("loss_digits", "image", "digits", "nats/image"),
        ("error_digits", "image", "digits", "share wrong"),
        ("bpb_my_own", "text", "my_own", "bits/byte"),
        ("correct_bpb_copy", "text", "copy", "bits/byte"),
        ("correct_nats_copy", "text", "copy", "nats/item"),
        ("brier_copy", "text", "copy", "squared error"),
    ],
)
def test_a_metric_says_its_domain_and_unit(metric, modality, domain, unit):
    found = metric_record(metric, modality)
    assert (found.name, found.domain, found.unit) == (metric, domain, unit)


def test_a_mean_of_judges_names_those_that_count():
    judge = {"metric": "bpb_news", "signal": 1.0, "noise": 0.1, "reason": ""}
    judges = [
        Judge(name="news", weight=0.75, used=True, **judge),
        Judge(name="copy", weight=0.25, used=True, **judge),
        Judge(name="wiki", weight=0.0, used=False, **judge),
    ]
    found = metric_record("bpb_suite", "text", judges)
    assert (found.domain, found.unit) == ("news (0.75), copy (0.25)", "bits/byte")


def test_differences_are_taken_from_everything_else_from_the_last_arm():
    assert base_of(["keep_100", "a"]) == "keep_100" and base_of(["a", "b"]) == "b"


def test_the_largest_pool_is_that_of_the_widest_arm():
    columns = {"a": {"n_tokens_unique": 7.4, "share_x": 99.0}, "b": {}}
    assert largest_pool(columns) == 7


def test_the_stage_writes_record_curves_and_metrics(copied, monkeypatch, record):
    monkeypatch.chdir(copied)
    run(DecideParams(target_flops=TARGETS))
    written = read_decision("data/decisions/filter.json")
    same = {"provenance": record.provenance}
    assert written.model_copy(update=same) == record
    curves = pl.read_parquet("data/curves/filter.parquet")
    assert set(curves["kind"]) == {"loss", "difference"}
    assert read_json("data/metrics/decide.json") == {
        "filter": {
            "status": "decided",
            "flips": 1,
            "smallest_detectable_effect_nats": record.smallest_detectable_effect_nats,
        }
    }


def test_the_metrics_count_the_changes_of_the_best_arm_alone(
    copied, monkeypatch, record, drawn
):
    monkeypatch.chdir(copied)
    # two more crossings between arms of which neither is best
    more = record.model_copy(update={"pairwise": record.pairwise * 3})
    monkeypatch.setattr(module, "decide", lambda *_: (more, drawn))
    run(DecideParams(target_flops=TARGETS))
    assert read_json("data/metrics/decide.json")["filter"]["flips"] == 1
