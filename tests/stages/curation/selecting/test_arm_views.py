"""Arms as views: equal token counts, controls, weights, resamples."""

import itertools
from types import SimpleNamespace

import polars as pl
import pytest

from stages import arms as stage
from stages.arms import resample_tokens, tokens_by_pool
from stages.curation.reading.documents import document_id, uniform
from stages.curation.selecting.arm_views import (
    arm_view,
    resamples,
    tier_labels,
    view_hash,
)
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.foundation.sealed import read_sealed
from stages.settings.arms import Arm, ArmsParams, Replay

N = 4_000


@pytest.fixture(scope="module")
def documents() -> pl.DataFrame:
    """4,000 documents of 50 to 149 tokens in two pools; every tenth is a copy of the one before it."""
    ids = [document_id("p", str(i)) for i in range(N)]
    cluster = [ids[i - 1] if i % 10 == 9 else ids[i] for i in range(N)]
    return pl.DataFrame(
        {
            "id": ids,
            "row": range(N),
            "pool": ["web" if i % 4 else "books" for i in range(N)],
            "n_tokens": [50 + i % 100 for i in range(N)],
            "cluster": cluster,
            "is_first": [i % 10 != 9 for i in range(N)],
            "quality": uniform(1, ids, "quality"),
            "difficulty": uniform(1, ids, "difficulty"),
            "rules_pass": [i % 3 != 0 for i in range(N)],
        }
    ).sort("id")


@pytest.fixture(scope="module")
def resample(documents):
    return tier_labels(resamples(documents, 60_000, draws=3, seed=5)[0][0], [0.1, 0.5])


def tokens(view: pl.DataFrame) -> int:
    return int(view["n_tokens"].sum())


def test_resamples_are_disjoint_of_the_asked_size_and_bring_copies_along(documents):
    draws, disjoint = resamples(documents, 60_000, draws=3, seed=5)
    assert disjoint
    assert sum(len(draw) for draw in draws) == len(
        pl.concat(draws).unique("cluster").join(pl.concat(draws), on="cluster")
    )
    for draw in draws:
        assert tokens(draw.filter("is_first")) == pytest.approx(60_000, abs=400)
        copies = documents.filter(pl.col("cluster").is_in(draw["cluster"].implode()))
        assert set(copies["id"]) == set(draw["id"])


def test_draws_overlap_where_the_pool_is_small_and_a_pool_below_one_draw_is_refused(
    documents,
):
    _, disjoint = resamples(documents, 200_000, draws=3, seed=5)
    assert not disjoint
    with pytest.raises(InputError, match="arms.draw_tokens is 9000000, the pool holds"):
        resamples(documents, 9_000_000, draws=3, seed=5)


@pytest.mark.parametrize("first", ["low", "high"])
def test_a_curriculum_is_parts_of_as_many_tokens_in_the_order_of_a_score(
    resample, first
):
    plain = arm_view(resample, Arm(upweight=0.5, keep=0.2), seed=1)
    order = {"by": "difficulty", "stages": 4, "first": first}
    view = arm_view(resample, Arm(upweight=0.5, keep=0.2, curriculum=order), seed=1)
    assert view.drop("stage").equals(plain)
    parts = [view.filter(stage=number) for number in range(4)]
    used = [(part["weight"] * part["n_tokens"]).sum() for part in parts]
    # a part ends at a document: of 149 tokens at most, up to four times used
    assert used == pytest.approx([sum(used) / 4] * 4, abs=600)
    for easier, harder in itertools.pairwise(parts if first == "low" else parts[::-1]):
        assert easier["difficulty"].max() <= harder["difficulty"].min()
    assert view_hash(view) != view_hash(plain)


def test_documents_without_a_score_are_read_last(resample):
    lacking = resample.with_columns(
        rare=pl.when(pl.col("id").rank("ordinal") > 30).then("difficulty")
    )
    order = {"by": "rare", "stages": 3, "first": "high"}
    view = arm_view(lacking, Arm(curriculum=order), seed=1)
    assert set(view.filter(pl.col("rare").is_null())["stage"]) == {2}


@pytest.mark.parametrize("take", ["high", "low", "middle", "random"])
def test_selections_of_one_fraction_have_equal_tokens(resample, take):
    view = arm_view(resample, Arm(keep=0.3, by="difficulty", take=take), seed=1)
    assert tokens(view) == pytest.approx(
        0.3 * tokens(resample.filter("is_first")), abs=150
    )


def test_the_best_are_better_than_the_rest(resample):
    view = arm_view(resample, Arm(keep=0.2), seed=1)
    rest = resample.filter("is_first").join(view, on="id", how="anti")
    assert view["quality"].min() > rest["quality"].max()
    assert set(view["tier"]) == {0, 1}


def test_copies_stay_only_where_asked_and_rules_drop(resample):
    everything = arm_view(resample, Arm(dedup="none"), seed=1)
    assert len(everything) == len(resample) > len(arm_view(resample, Arm(), seed=1))
    assert arm_view(resample, Arm(rules=True), seed=1)["rules_pass"].all()


def test_upweighting_gives_the_asked_share(resample):
    view = arm_view(resample, Arm(keep=0.1, upweight=0.5), seed=1)
    used = view.with_columns(uses=pl.col("n_tokens") * pl.col("weight"))
    heavy = used.filter(pl.col("weight") > 1)["uses"].sum()
    assert heavy / used["uses"].sum() == pytest.approx(0.5)
    assert used["weight"].min() == 1.0


def test_controls(resample):
    arm = Arm()
    same, whole = (
        arm_view(resample, arm, seed=1, control="same"),
        arm_view(resample, arm, seed=1),
    )
    assert view_hash(same) == view_hash(whole)
    assert tokens(
        arm_view(resample, arm, seed=1, control="drop_half")
    ) == pytest.approx(tokens(whole) / 2, abs=150)
    doubled = arm_view(resample, arm, seed=1, control="duplicate_half")
    assert tokens(doubled) == tokens(whole)
    assert doubled.filter(weight=2.0)["n_tokens"].sum() == pytest.approx(
        tokens(whole) / 2, abs=150
    )


def test_a_hash_follows_content_and_not_order(resample):
    view = arm_view(resample, Arm(keep=0.5), seed=1)
    assert view_hash(view) == view_hash(view.reverse())
    assert view_hash(view) != view_hash(view.head(len(view) - 1))


def test_a_mixture_gives_each_pool_its_share_and_leaves_out_the_others(resample):
    view = arm_view(resample, Arm(mixture={"books": 0.6, "web": 0.4}), seed=1)
    used = dict(
        view.group_by("pool")
        .agg((pl.col("weight") * pl.col("n_tokens")).sum())
        .iter_rows()
    )
    assert used["books"] / sum(used.values()) == pytest.approx(0.6)
    assert view["weight"].min() == 1.0
    alone = arm_view(resample, Arm(mixture={"books": 1.0}), seed=1)
    assert set(alone["pool"]) == {"books"} and set(alone["weight"]) == {1.0}


def test_half_of_a_mixture_used_twice_keeps_its_weights(resample):
    arm = Arm(mixture={"books": 0.6, "web": 0.4})
    plain, doubled = (
        arm_view(resample, arm, seed=1, control=control)
        for control in (None, "duplicate_half")
    )
    factors = (doubled["weight"] / plain["weight"]).to_list()
    assert set(factors) == {1.0, 2.0}


def test_a_mixture_of_an_unknown_pool_or_of_shares_that_do_not_sum_to_one_is_refused(
    resample,
):
    with pytest.raises(
        InputError, match="names the pool 'radio', the draw has documents of books, web"
    ):
        arm_view(resample, Arm(mixture={"radio": 1.0}), seed=1)
    with pytest.raises(ValueError, match="sum to 1"):
        Arm(mixture={"books": 0.6, "web": 0.6})
    with pytest.raises(ValueError, match="not both"):
        Arm(mixture={"books": 1.0}, upweight=0.5)


def test_tokens_by_pool_leave_copies_out(documents):
    firsts = documents.filter("is_first")
    found = tokens_by_pool(documents)
    assert set(found) == {"web", "books"}
    assert found["web"] == tokens(firsts.filter(pool="web"))
    assert tokens_by_pool(firsts) == found


@pytest.mark.parametrize(
    ("pool_tokens", "drawn"),
    [
        (2e9, 10_000),  # ten passes over the pool: a tenth of the 100,000 tokens
        (2e10, 100_000),  # one pass: five over what the strictest arm keeps
        (4e11, 550_000),  # nothing repeats: five times the budget, and a tenth more
        (5e8, 2_500),
    ],
)
def test_a_resample_is_as_large_as_repetition_at_the_target_asks(pool_tokens, drawn):
    params = ArmsParams(
        questions={"q": {"title": "?", "arms": ["few", "all"]}},
        arms={"few": {"keep": 0.2}, "all": {}},
        draw_tokens=None,
        largest_budget=100_000,
        target={"params": 1e9, "tokens": 2e10, "pool_tokens": pool_tokens},
    )
    # and eight times that, for the runs after the decision, where four resamples stay disjoint
    assert resample_tokens(params, {"web": 10**9}) == 8 * drawn
    assert resample_tokens(params, {"web": 12 * drawn}) == 3 * drawn
    assert resample_tokens(params, {"web": 2 * drawn}) == drawn
    assert resample_tokens(params, {"web": 2_000}) == 2_000  # no more than there is
    given = params.model_copy(update={"draw_tokens": 7_000})
    assert resample_tokens(given, {"web": 10**9}) == 7_000


def test_a_curve_uses_each_tier_of_quality_as_often_as_it_says(resample):
    view = arm_view(resample, Arm(uses={0.1: 4, 0.5: 1.5, 1.0: 0}), seed=1)
    best = arm_view(resample, Arm(keep=0.1), seed=1)
    half = arm_view(resample, Arm(keep=0.5), seed=1)
    assert set(view["id"]) == set(half["id"])  # the worse half is dropped
    weights = dict(view.select("id", "weight").iter_rows())
    assert {weights[id_] for id_ in best["id"]} == {4.0}
    assert {weights[id_] for id_ in set(half["id"]) - set(best["id"])} == {1.5}
    # the tiers of a law are the same
    assert view.filter(pl.col("weight") == 4)["tier"].unique().to_list() == [0]


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({"uses": {0.5: 2, 0.2: 1, 1.0: 0}}, "rise from above 0 to 1"),
        ({"uses": {0.2: 2, 0.5: 1}}, "rise from above 0 to 1"),
        ({"uses": {0.5: 0, 1.0: 0}}, "uses are all 0"),
        ({"uses": {0.5: 2, 1.0: 1}, "keep": 0.5}, "uses, or keep"),
    ],
)
def test_uses_that_are_no_curve_over_the_pool_are_refused(arm, message):
    with pytest.raises(ValueError, match=message):
        Arm(**arm)


def test_an_arm_without_uses_is_written_as_before():
    assert "uses" not in Arm().model_dump()


def test_the_stage_writes_each_run_of_a_swarm_in_one_resample(
    documents, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stage, "joined_documents", lambda params: documents)
    ledger = SimpleNamespace(frame=lambda: pl.DataFrame({"step": ["read"]}))
    monkeypatch.setattr(stage, "retention_ledger", lambda documents: ledger)
    mixture = {"kind": "mixture", "over": ["web", "books"], "runs": 9}
    stage.run(ArmsParams(draws=3, draw_tokens=60_000, questions={"mix": mixture}))
    written = read_sealed(artefacts.ARMS, "")
    names = [f"mix-{at}" for at in range(9)]
    assert written["questions"]["mix"]["arms"] == names
    assert len(written["views"]) == 9
    views = pl.read_parquet(artefacts.VIEWS)
    for name in names:
        own = views.filter(arm=name)
        assert own["draw"].n_unique() == 1
        uses = own.group_by("pool").agg(
            uses=(pl.col("weight") * pl.col("n_tokens")).sum()
        )
        total = uses["uses"].sum()
        shares = {pool: each / total for pool, each in uses.iter_rows()}
        assert shares == pytest.approx(written["arms"][name]["mixture"])
    assert (
        views.group_by("draw").agg(pl.col("arm").n_unique())["arm"].to_list() == [3] * 3
    )


def shares_of(view: pl.DataFrame) -> dict[str, float]:
    uses = view.with_columns(uses=pl.col("weight") * pl.col("n_tokens"))
    sums = uses.group_by("pool").agg(pl.col("uses").sum())
    total = uses["uses"].sum()
    return {pool: value / total for pool, value in sums.iter_rows()}


def test_replay_is_its_share_of_the_training_tokens(resample):
    own, of = Arm(mixture={"books": 1.0}), Arm(mixture={"web": 1.0})
    arm = own.model_copy(update={"replay": Replay(share=0.25, of=of)})
    view = arm_view(resample, arm, seed=1)
    assert shares_of(view) == pytest.approx({"books": 0.75, "web": 0.25})
    alone = arm_view(resample, own, seed=1)
    books = view.filter(pool="books")
    assert books.select("row", "weight").equals(alone.select("row", "weight"))
    assert view["row"].is_sorted() and view["row"].is_unique().all()
    assert len(view) == len(alone) + len(arm_view(resample, of, seed=1))


def test_a_document_of_both_is_used_as_often_as_by_both(resample):
    best, every = Arm(keep=0.2), Arm()
    arm = best.model_copy(update={"replay": Replay(share=0.5, of=every)})
    view = arm_view(resample, arm, seed=1)
    kept, whole = (arm_view(resample, each, seed=1) for each in (best, every))
    times = tokens(kept) / tokens(whole)
    inside = pl.col("row").is_in(kept["row"].implode())
    assert view.filter(inside)["weight"].to_list() == pytest.approx(
        [1 + times] * len(kept)
    )
    assert view.filter(~inside)["weight"].to_list() == pytest.approx(
        [times] * (len(whole) - len(kept))
    )


def test_an_arm_with_replay_is_written_and_read_back():
    arm = Arm(replay=Replay(share=0.25, of=Arm(keep=0.5)))
    assert Arm(**arm.model_dump()) == arm
    assert "replay" not in Arm().model_dump()
