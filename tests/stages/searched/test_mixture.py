"""Mixture questions whose best mixture is known: web .5, code .3, books .2."""

import numpy as np
import pytest

from stages.searched.mixture import read_by
from stages.searched.record import SearchedRecord, read_any_decision
from tests.stages.searched.conftest import BEST, BUDGETS, BYTES, POOLS, losses


@pytest.fixture(scope="module")
def answer(decided):
    return decided({"runs": 24}, budgets=BUDGETS)


@pytest.fixture(scope="module")
def record(answer):
    return answer[0]


def test_the_best_mixture_is_proposed_within_its_interval(record):
    assert record.status == "decided"
    for pool, best in zip(POOLS, BEST, strict=True):
        low, high = record.interval[pool]
        assert record.proposal[pool] == pytest.approx(best, abs=0.03)
        assert low - 0.01 <= best <= high + 0.01 and high - low < 0.2


def test_the_natural_prior_is_the_reference_and_the_gain_is_the_true_one(record):
    assert record.reference == pytest.approx({"web": 0.6, "code": 0.1, "books": 0.3})
    there = losses(BEST[None], BUDGETS[-1]).mean()
    prior = losses(np.array([[0.6, 0.1, 0.3]]), BUDGETS[-1]).mean()
    gain, low, high = record.objective.gain
    assert gain == pytest.approx(prior - there, abs=0.01)
    assert low < prior - there < high and record.objective.p_better == 1.0


def test_the_record_says_what_each_domain_wins_and_loses(record):
    at = np.array([[record.proposal[pool] for pool in POOLS]])
    prior = np.array([[record.reference[pool] for pool in POOLS]])
    true = losses(at, BUDGETS[-1])[0] - losses(prior, BUDGETS[-1])[0]
    for pool, change in zip(POOLS, true, strict=True):
        assert record.trade_off[f"loss_{pool}"][0] == pytest.approx(change, abs=0.02)
    assert record.trade_off["loss_code"][0] < 0 < record.trade_off["loss_books"][0]


def test_the_answer_rests_on_the_largest_budget_and_is_compared_with_the_other(record):
    assert (record.n_params.value, record.n_tokens) == (2_000, BUDGETS[-1])
    assert record.n_runs == 24 and record.n_draws == 4
    [rung] = record.by_rung
    assert rung.n_tokens == BUDGETS[0] and rung.moved < 0.05
    assert "at the other sizes and budgets it differs by at most" in record.reason


def test_the_sentence_names_the_mixture(record):
    assert record.sentence.startswith("Train on 4") or record.sentence.startswith(
        "Train on 5"
    )
    assert "% web" in record.sentence and "better than the prior" in record.sentence


def test_the_record_is_read_as_it_was_written(record, tmp_path):
    record.write(tmp_path / "mix.json")
    again = read_any_decision(tmp_path / "mix.json")
    assert isinstance(again, SearchedRecord) and again == record


def test_the_figures_hold_the_objective_along_every_pool(answer):
    _, curves = answer
    slices = curves.filter(kind="slice")
    assert set(slices["name"]) == set(POOLS)
    web = slices.filter(name="web")
    least = web["x"][int(web["value"].arg_min())]
    assert least == pytest.approx(0.5, abs=0.06)


def test_what_runs_of_a_resample_share_moves_nothing(decided, record):
    """An effect thirty times the noise, which is taken off before laws are fitted."""
    shaken = record
    still = decided({"runs": 24}, effect=0.0)[0]
    for pool in POOLS:
        assert shaken.proposal[pool] == pytest.approx(still.proposal[pool], abs=0.02)
    width = {
        name: max(high - low for low, high in each.interval.values())
        for name, each in (("shaken", shaken), ("still", still))
    }
    assert width["shaken"] < 2 * width["still"]


def test_a_prior_at_the_optimum_is_a_tie(decided):
    prior = dict(zip(POOLS, BEST.tolist(), strict=True))
    record = decided({"runs": 24, "prior": prior})[0]
    assert record.status == "tie"
    assert record.sentence.startswith("A tie with the prior. Nearest: train on")


def test_losses_that_are_only_noise_are_not_settled(decided):
    def flat(shares, n_tokens):
        return np.full((len(shares), 3), 3.0)

    record = decided({"runs": 24}, truth=flat, noise=0.3)[0]
    assert record.status == "insufficient_evidence"
    assert "predicted no better than by its mean" in record.reason


def test_a_cap_holds_and_a_domain_may_lose_no_more_than_it_may(decided):
    capped = decided({"runs": 24, "caps": {"web": 0.4}})[0]
    assert capped.proposal["web"] == pytest.approx(0.4, abs=1e-3)
    # books has .3 of the prior, and loses where it gets less
    kept = decided({"runs": 24, "veto": {"books": 0.02}})[0]
    assert kept.vetoes["loss_books"].change[0] <= 0.0205
    assert kept.proposal["books"] > capped.proposal["books"]


def test_a_veto_that_no_mixture_keeps_is_no_proposal(decided):
    question = {"runs": 24, "veto": {"books": 0.0}, "caps": {"books": 0.1}}
    record = decided(question)[0]
    assert record.status == "insufficient_evidence"
    assert record.reason.startswith("No mixture within floors, caps")


def test_a_domain_alone_may_decide(decided):
    record = decided({"runs": 24, "weights": {"code": 1.0}})[0]
    assert record.proposal["code"] > 0.9
    assert {m.name: m.weight for m in record.metrics} == {"loss_code": 1.0}


BITS = BYTES * np.log(2)  # a nat a token is one over so many bits a byte


def test_judges_are_what_a_mixture_is_searched_for(decided):
    record = decided({"runs": 24}, judges={"web": 1, "code": 1, "books": 1})[0]
    for pool, best in zip(POOLS, BEST, strict=True):
        assert record.proposal[pool] == pytest.approx(best, abs=0.03)
    assert {m.name: round(m.weight, 3) for m in record.metrics} == dict.fromkeys(
        ("bpb_web", "bpb_code", "bpb_books"), 0.333
    )
    assert [judge.name for judge in record.judges] == list(POOLS)
    there, prior = (
        losses(np.array([each]), BUDGETS[-1]).mean() / BITS
        for each in (BEST, [0.6, 0.1, 0.3])
    )
    assert record.objective.gain[0] == pytest.approx(prior - there, abs=0.005)
    assert "bits a byte" in record.sentence and "bits a byte" in record.reason
    assert set(record.trade_off) == {"bpb_web", "bpb_code", "bpb_books"}


def test_a_judge_that_tells_less_than_its_noise_is_left_out(decided):
    def flat_books(shares, n_tokens):
        reached = losses(shares, n_tokens)
        reached[:, 2] = 3.0
        return reached

    runs = {"judges": {"web": 1, "books": 1}, "truth": flat_books, "noise": 0.02}
    with_books = decided({"runs": 24}, **runs)[0]
    by_name = {judge.name: judge for judge in with_books.judges}
    assert by_name["web"].used and by_name["web"].weight in (0.5, 1.0)
    # told by the runs that repeat a mixture
    assert by_name["books"].noise > 0.001
    assert by_name["books"].signal < by_name["web"].signal


def test_a_judge_holds_the_proposal_to_what_it_may_lose_against_the_prior(decided):
    judges = {"web": 1, "code": 1, "books": 0.001}
    veto = {"books": 0.01}
    free = decided({"runs": 24}, judges=judges)[0]
    kept = decided({"runs": 24}, judges=judges, decide={"veto": veto})[0]
    prior = losses(np.array([[0.6, 0.1, 0.3]]), BUDGETS[-1])[0]

    def lost(record):
        share = np.array([[record.proposal[pool] for pool in POOLS]])
        return float(losses(share, BUDGETS[-1])[0, 2] - prior[2]) / BITS

    assert lost(free) > 0.03
    assert lost(kept) == pytest.approx(0.01, abs=0.004)
    assert kept.vetoes["bpb_books"].allowed == 0.01
    assert kept.proposal["books"] > free.proposal["books"]
    said = {row["held-out domain"]: row["may lose"] for row in kept.tables.predicted}
    assert said == {"web": "-", "code": "-", "books": 0.01}


def test_the_question_s_own_weights_come_before_judges_whose_vetoes_hold(decided):
    record = decided(
        {"runs": 24, "weights": {"code": 1.0}},
        judges={"books": 1.0},
        decide={"veto": {"books": 0.01}},
    )[0]
    assert {m.name: m.weight for m in record.metrics} == {
        "loss_code": 1.0,
        "bpb_books": 0.0,
    }
    assert record.judges == [] and record.vetoes["bpb_books"].change[0] <= 0.0105
    assert record.proposal["code"] < 0.9


TARGET = {"params": 2_000, "tokens": 50_000, "pool_tokens": {"web": 1e6, "code": 1e6}}


def test_a_target_near_the_proxies_is_decided(decided):
    target = TARGET | {"pool_tokens": dict.fromkeys(POOLS, 1e6)}
    record = decided({"runs": 24}, decide={"target": target, "n_params": 2_000})[0]
    assert record.status == "decided"
    assert record.sentence.startswith("For 2,000 parameters and 50,000 tokens from")
    assert record.repetition_law is None


def test_a_target_far_beyond_the_proxies_is_extrapolating(decided):
    target = {"params": 1e9, "tokens": 2e10, "pool_tokens": 4e12}
    record = decided({"runs": 24}, decide={"target": target, "n_params": 10**9})[0]
    assert record.status == "extrapolating"
    assert "decades of compute beyond the proxies" in record.reason


def test_a_pool_that_the_target_repeats_costs_and_is_said(decided):
    """Code has 2,000 tokens there: the proposal reads them seven times, proxies read theirs once."""
    pools = {"web": 1e6, "code": 2e3, "books": 1e6}
    target = TARGET | {"pool_tokens": pools}
    record = decided({"runs": 24}, decide={"target": target, "n_params": 2_000})[0]
    assert record.status == "extrapolating"
    assert record.reason.startswith("The target would read code")
    assert not record.repetition["code"].agree and record.repetition["web"].agree
    assert record.repetition_law is not None


def test_the_record_names_what_it_was_made_of(record):
    assert list(record.provenance.inputs) == read_by("mix")
    assert len(record.provenance.run_ids) == 2 * 24  # of both budgets
