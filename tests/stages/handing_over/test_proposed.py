"""What was searched for over the whole pools: shares of the tokens written, and uses of each tier."""

import importlib.util
import json
from pathlib import Path

import polars as pl
import pytest

from stages.foundation.errors import InputError, RefusedError
from stages.handing_over.export import Request, export
from stages.handing_over.register import registered, staleness


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
