"""What was searched for over the whole pools: shares of the tokens written, and uses of each tier."""

import importlib.util
import json
import re
from pathlib import Path

import polars as pl
import pytest

from stages.foundation.errors import InputError, RefusedError
from stages.handing_over.export import export
from stages.handing_over.handover import Request
from stages.handing_over.register import registered, staleness
from stages.searched.record import Repeats


def loaded(name):
    """A file beside this one; tests/ is no package."""
    file = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"proposed_{name}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


readers, conftest = loaded("readers"), loaded("conftest")


def wanted(question="mix", out="out", format_="text", **more):
    return Request(question=question, out=Path(out), format=format_, **more)


def tokens_by(manifest, key):
    found = {}
    for group in manifest.groups:
        found[getattr(group, key)] = found.get(getattr(group, key), 0) + group.tokens
    return found


def test_the_tokens_of_the_target_have_the_proposed_shares(project, arms_section):
    pools = json.loads(Path("data/arms/arms.json").read_text())["pool_tokens"]
    record = conftest.search(target=(150_000, pools))
    manifest = export(wanted(), arms_section)
    written = tokens_by(manifest, "source")
    assert written["good"] == pytest.approx(112_500, abs=500)
    assert written["noise"] == pytest.approx(37_500, abs=500)
    assert manifest.arm == "proposal" and manifest.proposal == record.proposal
    assert manifest.label == "the proposal: train on 75 % good and 25 % noise"
    # every document of the whole pool is there, and no more than once more than another
    rows = pl.DataFrame(readers.read_text(Path("out")))
    times = rows.group_by("source", "id").len()
    assert "weight" not in rows.columns
    for pool in ("good", "noise"):
        own = times.filter(source=pool)["len"]
        uses = written[pool] / pools[pool]
        assert int(uses) <= own.min() <= own.max() <= int(uses) + 1
        if uses >= 1:
            [n_unique] = [
                sum(g.unique_documents for g in manifest.groups if g.source == pool)
            ]
            assert len(own) == n_unique


def test_the_manifest_binds_the_decision_and_status_says_what_it_proposes_now(
    project, arms_section
):
    conftest.search()
    manifest = export(wanted(), arms_section)
    sealed = json.loads(Path("data/decisions/mix.json").read_text())
    bound = manifest.decision
    assert bound.content_hash == sealed["content_hash"]
    assert (bound.status, bound.flops) == ("decided", 6.0 * 2000 * 50_000)
    [line] = registered()
    assert staleness(line)[0] == "fresh"
    other = {"good": 0.6, "noise": 0.4}
    conftest.search(proposal=other)
    why = "the proposal has 0.6 of good now, 0.75 was exported"
    assert staleness(line) == ("stale", why)
    with pytest.raises(InputError, match=f"stale: {why}"):
        export(wanted(), arms_section)
    conftest.search(status="tie")
    assert staleness(line) == ("stale", "the decision was decided and is tie now")


def test_without_a_target_the_pool_that_is_used_least_is_written_once(
    project, arms_section
):
    conftest.search()
    manifest = export(wanted(), arms_section)
    written = tokens_by(manifest, "source")
    assert written["good"] / sum(written.values()) == pytest.approx(0.75, abs=0.005)
    assert min(group.uses for group in manifest.groups) == pytest.approx(1.0)
    # tokens asked for are that many, in the same shares
    manifest = export(wanted(out="few", tokens=20_000), arms_section)
    assert manifest.totals.tokens == pytest.approx(20_000, abs=300)


def test_a_target_with_other_pools_is_read_as_often_over_those_that_are_there(
    project, arms_section
):
    """Pools of a hundred times the tokens and a run of a hundred times as many: the same passes."""
    pools = json.loads(Path("data/arms/arms.json").read_text())["pool_tokens"]
    larger = {pool: 100 * n_tokens for pool, n_tokens in pools.items()}
    conftest.search(target=(100 * 90_000, larger))
    manifest = export(wanted(), arms_section)
    assert manifest.totals.tokens == pytest.approx(90_000, abs=500)
    assert manifest.tokens_asked == pytest.approx(90_000)


def test_a_curve_writes_each_tier_as_often_as_it_says(project, arms_section):
    conftest.search("up")
    manifest = export(wanted("up"), arms_section)
    rows = pl.DataFrame(readers.read_text(Path("out")))
    times = rows.group_by("tier", "id").len()
    best, rest = (times.filter(tier=tier)["len"] for tier in conftest.TIERS)
    # 2.4 passes: each document twice, two fifths of the tokens once more; .6: each at most once
    assert set(best) == {2, 3} and set(rest) == {1}
    written = tokens_by(manifest, "tier")
    unique = {}
    for group in manifest.groups:
        unique[group.tier] = unique.get(group.tier, 0) + group.unique_tokens
    for tier, uses in conftest.TIERS.items():
        assert written[tier] / unique[tier] == pytest.approx(uses, abs=0.02)
    assert manifest.proposal == conftest.TIERS
    assert manifest.label.startswith("the proposal: use the best 20 % 2.4 times")
    # the same seed, the same part of a pass
    again = export(wanted("up", out="again", format_="hf"), arms_section)
    assert again.view_hash == manifest.view_hash


def test_a_tier_that_is_dropped_is_not_written(project, arms_section):
    conftest.search("up", proposal={"q000_020": 1.0, "q020_100": 0.0})
    manifest = export(wanted("up"), arms_section)
    assert {group.tier for group in manifest.groups} == {"q000_020"}


def test_nothing_decided_is_refused_unless_a_part_of_the_record_is_named(
    project, arms_section
):
    conftest.search(status="tie")
    with pytest.raises(RefusedError, match=r"not decided \(tie\).*--arm \(proposal, "):
        export(wanted(), arms_section)
    with pytest.raises(InputError, match="searched for and has proposal, reference"):
        export(wanted(arm="keep_20"), arms_section)
    with pytest.raises(InputError, match="searched for at one budget"):
        export(wanted(budget=1e9), arms_section)
    assert not Path("out").exists()
    manifest = export(wanted(arm="reference"), arms_section)
    written = tokens_by(manifest, "source")
    assert written["good"] == pytest.approx(written["noise"], rel=0.02)
    assert manifest.decision.flops is None and manifest.label.startswith("the prior")


def test_a_question_that_changed_since_is_refused(project, arms_section):
    conftest.search()
    mix = arms_section.questions["mix"].model_copy(update={"prior": {"good": 1.0}})
    questions = arms_section.questions | {"mix": mix}
    changed = arms_section.model_copy(update={"questions": questions})
    with pytest.raises(RefusedError, match=r"params: arms.questions.mix\)"):
        export(wanted(), changed)
    titled = arms_section.questions["mix"].model_copy(update={"title": "Another?"})
    renamed = arms_section.model_copy(
        update={"questions": arms_section.questions | {"mix": titled}}
    )
    assert export(wanted(), renamed).arm == "proposal"


def test_a_mixture_of_clusters_is_written_by_cluster(project, arms_section):
    """The stage found two kinds of text over both pools; the proposal names them."""
    question = json.loads(Path("data/arms/arms.json").read_text())["questions"][
        "topics"
    ]
    first, second = question["over"]
    assert set(question["parts"]) == {first, second}
    conftest.search("topics", proposal={first: 0.8, second: 0.2})
    manifest = export(wanted("topics", tokens=60_000), arms_section)
    written = tokens_by(manifest, "cluster")
    assert written[first] == pytest.approx(48_000, abs=500)
    assert written[second] == pytest.approx(12_000, abs=500)
    assert {group.source for group in manifest.groups} <= {"good", "noise"}
    # every document is written under the cluster that the stage gave it
    topics = pl.read_parquet("data/arms/topics.parquet").filter(question="topics")
    of = dict(topics.select("id", "cluster").iter_rows())
    rows = pl.DataFrame(readers.read_text(Path("out")))
    counted = dict.fromkeys((first, second), 0)
    for id_ in rows["id"]:
        counted[of[id_]] += 1
    documents = {}
    for group in manifest.groups:
        documents[group.cluster] = documents.get(group.cluster, 0) + group.documents
    assert counted == documents


def by_hand():
    """Documents that are no copies: id, pool, tokens, tier and cluster, from the stages' files alone."""
    index = pl.read_parquet("data/pack/pools/index.parquet").select("id", "n_tokens")
    known = pl.read_parquet("data/score/scores.parquet").select("id", "pool", "quality")
    copies = pl.read_parquet("data/dedup/clusters.parquet").filter("is_first")
    topics = pl.read_parquet("data/arms/topics.parquet").filter(question="topics")
    found = known.join(copies.select("id"), on="id").join(index, on="id")
    found = found.join(topics.select("id", topic="cluster"), on="id")
    found = found.sort(["quality", "id"], descending=[True, False])
    before = pl.col("n_tokens").cum_sum() - pl.col("n_tokens")
    is_best = before < 0.2 * pl.col("n_tokens").sum()
    tier = pl.when(is_best).then(pl.lit("q000_020")).otherwise(pl.lit("q020_100"))
    return found.with_columns(own=tier)


def read_back(out="out"):
    """id, times that it stands in the shards, and what is known of it by hand."""
    rows = pl.DataFrame(readers.read_text(Path(out)))
    return rows.group_by("id", "tier").len("times").join(by_hand(), on="id", how="left")


def test_repeats_of_a_curve_are_those_counted_by_hand(project, arms_section):
    conftest.search("up")
    manifest = export(wanted("up"), arms_section)
    rows = read_back()
    assert rows["own"].null_count() == 0 and (rows["tier"] == rows["own"]).all()
    unique = dict(by_hand().group_by("own").agg(pl.col("n_tokens").sum()).iter_rows())
    for tier, uses in conftest.TIERS.items():
        own = rows.filter(tier=tier)
        written = (own["times"] * own["n_tokens"]).sum()
        # to within half a document of a pool
        assert written == pytest.approx(uses * unique[tier], abs=2 * 300)
        assert set(own["times"]) <= {int(uses), int(uses) + 1}
    assert rows["times"].sum() == manifest.totals.documents
    assert (rows["times"] * rows["n_tokens"]).sum() == manifest.totals.tokens


def test_shares_of_clusters_are_those_counted_by_hand(project, arms_section):
    made = json.loads(Path("data/arms/arms.json").read_text())
    first, second = made["questions"]["topics"]["over"]
    target = (150_000, made["pool_tokens"])
    conftest.search("topics", proposal={first: 0.6, second: 0.4}, target=target)
    export(wanted("topics"), arms_section)
    written = read_back().with_columns(tokens=pl.col("times") * pl.col("n_tokens"))
    tokens = dict(written.group_by("topic").agg(pl.col("tokens").sum()).iter_rows())
    unique = dict(by_hand().group_by("topic").agg(pl.col("n_tokens").sum()).iter_rows())
    for topic, share in ((first, 0.6), (second, 0.4)):
        assert tokens[topic] == pytest.approx(share * 150_000, abs=600)
        uses = share * 150_000 / unique[topic]
        own = written.filter(topic=topic)["times"]
        assert set(own) <= {int(uses), int(uses) + 1}


def test_a_tiny_share_does_not_repeat_the_rest_beyond_what_is_known(
    project, arms_section
):
    unique = dict(by_hand().group_by("pool").agg(pl.col("n_tokens").sum()).iter_rows())
    shares = {"good": 0.999, "noise": 0.001}
    passes = shares["good"] / unique["good"] / (shares["noise"] / unique["noise"])
    record = conftest.search(proposal=shares)
    with pytest.raises(
        InputError, match=re.escape(f"with {passes:.3g} passes of good")
    ):
        export(wanted(), arms_section)
    assert not Path("out").exists()
    # the tokens that it names are sixteen passes
    fits = 16 * unique["good"] / shares["good"]
    with pytest.raises(InputError, match=rf"--tokens {re.escape(f'{fits:.3g}')}$"):
        export(wanted(), arms_section)
    manifest = export(wanted(tokens=fits), arms_section)
    assert max(group.uses for group in manifest.groups) == pytest.approx(16)
    # proxies that read it more often are known of
    read = Repeats(target_passes=None, proxy_passes=1.01 * passes, agree=True)
    conftest.search(proposal=record.proposal, repetition={"good": read})
    manifest = export(wanted(out="many"), arms_section)
    assert max(group.uses for group in manifest.groups) == pytest.approx(passes)
