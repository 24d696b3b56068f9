"""`assay remove`: who held a document is named, and no later export or ingest has it. Licences of an arm, exported."""

import importlib.util
import json
from pathlib import Path

import polars as pl
import pytest
import yaml

from flows.commands.handing_over.lineage import remove_command
from stages import arms, ingest
from stages.curation.selecting.arm_views import deduplicated, licensed
from stages.decision.record import read_decision
from stages.declarations.ingest import input_files
from stages.foundation.errors import InputError, ParamsError
from stages.foundation.sealed import read_sealed
from stages.handing_over.export import export
from stages.handing_over.handover import Request
from stages.handing_over.register import registered, staleness
from stages.lineage.removal import holders
from stages.pipeline import PIPELINE
from stages.settings.params import load_params


def loaded(name):
    """A file beside this one; tests/ is no package."""
    file = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


readers, conftest = loaded("readers"), loaded("conftest")


def wanted(out="out", **more):
    return Request(question="filter", out=Path(out), format="text", **more)


@pytest.fixture
def views(project):
    """The views of a project with one run for every arm and resample, all of them behind the decision but mixed's."""
    views = pl.read_parquet("data/arms/views.parquet")
    pairs = views.select("arm", "draw").unique().sort("arm", "draw")
    runs = pairs.select(
        run_id=pl.format("{}-{}", "arm", "draw"),
        arm="arm",
        pool_draw="draw",
        data_hash=pl.format("hash of {} {}", "arm", "draw"),
        metric=pl.lit("loss_good"),
    )
    Path("data/sweep").mkdir()
    runs.write_parquet("data/sweep/runs.parquet")
    record = read_decision("data/decisions/filter.json")
    ids = [run for run in runs["run_id"] if not run.startswith("mixed")]
    provenance = record.provenance.model_copy(update={"run_ids": ids})
    record.model_copy(update={"provenance": provenance}).write(
        "data/decisions/filter.json"
    )
    return views


def test_arms_and_runs_that_held_a_document(views):
    first = views.filter(arm="keep_20", draw=0)["id"][0]
    [held] = holders(frozenset([first]))
    inside = views.filter(pl.col("id").str.starts_with(first))
    pairs = sorted(set(inside.select("arm", "draw").iter_rows()))
    assert held.documents == [first] and held.roles == ["pool"]
    assert [(arm, draw) for arm in held.arms for draw in held.arms[arm]] == pairs
    assert "keep_20" in held.arms and 0 in held.arms["keep_20"]
    assert held.runs == sorted(f"{arm}-{draw}" for arm, draw in pairs)
    assert held.data_hashes == sorted(f"hash of {arm} {draw}" for arm, draw in pairs)
    assert held.decisions == ["filter"]


def test_what_judged_and_what_taught_counts_as_held(views):
    judged = pl.read_parquet("data/ingest/heldout/good.parquet")["id"][0]
    taught = pl.read_parquet("data/ingest/reference.parquet")["id"][0]
    found = {
        held.entry: held for held in holders(frozenset([judged, taught, "nothing"]))
    }
    assert found[judged].roles == ["held out"] and found[judged].arms == {}
    trained = (
        pl.read_parquet("data/arms/views.parquet").select("arm", "draw").n_unique()
    )
    assert len(found[judged].runs) == trained > 2 * len(conftest.ARMS)
    assert found[judged].data_hashes == []
    assert found[judged].decisions == ["filter"]
    assert found[taught].roles == ["reference"] and found[taught].runs == []
    assert found[taught].decisions == ["filter"]
    assert found["nothing"].documents == [] and found["nothing"].decisions == []


def test_removed_documents_are_in_no_later_export_and_make_earlier_ones_stale(
    views, project, arms_section, capsys
):
    export(wanted(arm="keep_100"), arms_section)
    before = {row["id"] for row in readers.read_text(Path("out"))}
    by_place = pl.read_parquet("data/ingest/pools/**/*.parquet").filter(
        pl.col("id").is_in(sorted(before)[:3])
    )
    own = by_place["source"][2].partition("#")[2]
    Path("gone.txt").write_text("\n".join([*by_place["id"][:2], own, "nothing"]))
    remove_command(Path("params.yaml"), Path("gone.txt"), dry_run=True, as_json=False)
    assert not Path("data/removed.jsonl").exists()
    capsys.readouterr()
    remove_command(Path("params.yaml"), Path("gone.txt"), dry_run=False, as_json=False)
    said = capsys.readouterr()
    assert (
        "decisions that rest on them: filter; exports to make again: out."
        in " ".join(said.out.split())
    )
    assert "1 of 4 entries name no document" in said.err
    [line] = registered()
    assert staleness(line) == ("stale", "the removal lists name other documents now")
    with pytest.raises(InputError, match="holds an export of other data"):
        export(wanted(arm="keep_100"), arms_section)
    manifest = export(wanted(arm="keep_100", overwrite=True), arms_section)
    after = {row["id"] for row in readers.read_text(Path("out"))}
    assert not after & set(by_place["id"]) and manifest.removed == 3
    # a copy of what went takes its place; nothing else is lost
    assert len(before) - len(after) <= 3
    assert staleness(registered()[0])[0] == "fresh"


def test_what_was_noted_of_a_document_stays_when_it_is_gone(views, project, capsys):
    first = views.filter(arm="keep_20", draw=0)["id"][0]
    Path("gone.txt").write_text(first)
    remove_command(Path("params.yaml"), Path("gone.txt"), dry_run=False, as_json=True)
    noted = json.loads(capsys.readouterr().out)
    sections = load_params("params.yaml", PIPELINE)
    assert input_files(sections["ingest"])[0] == "data/removed.jsonl"
    ingest.run(sections["ingest"])
    pools = pl.read_parquet("data/ingest/pools/**/*.parquet")
    assert first not in pools["id"].to_list()
    remove_command(Path("params.yaml"), Path("gone.txt"), dry_run=False, as_json=True)
    assert json.loads(capsys.readouterr().out) == noted
    assert (
        noted[0]["runs"]
        and len(Path("data/removed.jsonl").read_text().split("\n")) == 2
    )


def with_licences(section, **licences):
    """The arms and an arm `free` of these licences."""
    free = section.arms["keep_100"].model_copy(update=licences)
    return section.model_copy(update={"arms": section.arms | {"free": free}})


def test_an_arm_of_some_licences_holds_no_others(project, arms_section):
    sections = load_params("params.yaml", PIPELINE)
    pools = {
        "good": sections["ingest"].pools["good"].model_copy(update={"licence": "mit"}),
        "noise": sections["ingest"].pools["noise"].model_copy(update={"licence": "x"}),
    }
    licensed_pools = sections["ingest"].model_copy(update={"pools": pools})
    stages = {stage.name: stage for stage in PIPELINE}
    stages["ingest"].carry_out(licensed_pools)
    stages["score"].carry_out(sections["score"])
    params = with_licences(arms_section, licence=["mit"])
    arms.run(params)
    made = read_sealed("data/arms/arms.json", "")
    views = pl.read_parquet("data/arms/views.parquet")
    assert set(views.filter(arm="free")["pool"]) == {"good"}
    assert made["licences"]["free"] == {
        "mit": views.filter(arm="free")["id"].n_unique()
    }
    assert set(made["licences"]["keep_100"]) == {"mit", "x"}
    record = conftest.decide(best="free")
    record.model_copy(update={"labels": record.labels | {"free": "free"}}).write(
        "data/decisions/filter.json"
    )
    manifest = export(wanted(), params)
    assert manifest.licences == {"mit": manifest.totals.documents}
    assert {group.source for group in manifest.groups} == {"good"}
    manifest = export(wanted("all", arm="keep_100"), params)
    assert set(manifest.licences) == {"mit", "x"}
    assert sum(manifest.licences.values()) == manifest.totals.documents
    with pytest.raises(
        ParamsError, match=r"free\.licence: .*'gpl'; licences are mit, x"
    ):
        arms.run(with_licences(arms_section, licence=["mit", "gpl"]))


def test_a_licence_that_no_pool_has_is_named_before_any_work(project):
    values = conftest.params()
    values["arms"]["arms"]["keep_20"]["licence"] = ["mit"]
    Path("params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(
        InputError, match=r"keep_20\.licence: no pool has the licence 'mit'"
    ):
        load_params("params.yaml", PIPELINE)


def test_of_copies_under_two_licences_the_one_that_may_be_used_is_used():
    pool = pl.DataFrame(
        {
            "id": ["a", "b", "c"],
            "cluster": ["a", "a", "c"],
            "is_first": [True, False, True],
            "licence": ["closed", "mit", "mit"],
        }
    )
    assert deduplicated(licensed(pool, ["mit"]), "near")["id"].to_list() == ["b", "c"]
    assert deduplicated(licensed(pool, None), "near")["id"].to_list() == ["a", "c"]
