"""Exports are known by their folder, and stale when the decision says something else."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from stages.foundation.errors import InputError
from stages.handing_over.export import export
from stages.handing_over.handover import Request
from stages.handing_over.register import registered, staleness

FILE = Path(__file__).with_name("conftest.py")
SPEC = importlib.util.spec_from_file_location("handing_over_conftest", FILE)
conftest = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(conftest)


def wanted(out, **more):
    return Request(question="filter", out=Path(out), format="text", **more)


def states():
    return {line["out"]: staleness(line) for line in registered()}


def test_an_export_is_stale_when_the_decision_names_another_arm(
    project, arms_section, tmp_path
):
    export(wanted("out"), arms_section)
    export(wanted(tmp_path / "outside"), arms_section)
    outside = str(tmp_path / "outside")
    assert {out: state for out, (state, _) in states().items()} == {
        "out": "fresh",
        outside: "fresh",
    }
    export(wanted("out"), arms_section)
    assert [line["out"] for line in registered()] == [outside, "out"]
    conftest.decide(best="keep_100")
    why = "the decision names keep_100 now, keep_20 was exported"
    assert states()["out"] == ("stale", why)
    with pytest.raises(InputError, match=f"stale: {why}.*--overwrite"):
        export(wanted("out"), arms_section)
    assert export(wanted("out", overwrite=True), arms_section).arm == "keep_100"
    assert states()["out"][0] == "fresh"
    shutil.rmtree(outside)
    assert states()[outside] == ("gone", f"{outside}/manifest.json is not there")


def test_a_decision_that_is_no_longer_sure_or_of_other_data_makes_it_stale(
    project, arms_section
):
    export(wanted("out"), arms_section)
    record = conftest.decide(status="tie")
    assert states()["out"] == ("stale", "the decision was decided and is tie now")
    record = conftest.decide()
    assert states()["out"][0] == "fresh"
    provenance = record.provenance.model_copy(update={"data_hashes": ["other"]})
    record.model_copy(update={"provenance": provenance}).write(
        "data/decisions/filter.json"
    )
    assert states()["out"] == ("stale", "the decision rests on other data now")


def test_a_damaged_manifest_is_a_state_and_no_end(project, arms_section):
    export(wanted("out"), arms_section)
    manifest = Path("out/manifest.json")
    manifest.write_text(manifest.read_text().replace("keep_20", "keep_10"))
    state, why = states()["out"]
    assert state == "damaged" and why.startswith("out/manifest.json is damaged")


def test_a_damaged_line_is_named(project):
    Path("data/exports.jsonl").write_text(json.dumps({"out": "a"}) + "\nnonsense\n")
    with pytest.raises(InputError, match=r"exports.jsonl:2: is no export"):
        registered()
