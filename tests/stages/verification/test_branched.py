"""A question about branches is verified by longer branches from the trunks that are paid: a small one, trained to
the end, and settings made by hand.
"""

import random
from dataclasses import replace
from types import SimpleNamespace

import polars as pl
import pytest
import yaml

from stages import sweep, verify
from stages.decision.record import read_decision
from stages.declarations import sweep as sweep_declared
from stages.foundation import artefacts
from stages.foundation.stage import ROOT
from stages.pipeline import PIPELINE
from stages.proxy.specs.branch import Branch
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec
from stages.runs.run_files import CARRIED_ON, SWEPT, save_run, trunk_files
from stages.settings.params import load_params
from stages.settings.verify import VerifyParams
from stages.sweeping.branches import weights_file
from stages.verification.asked import Asked
from stages.verification.branched import at_every_setting
from stages.verification.record import read_verification
from stages.verification.track_record import read_track_record

WORDS = "the of and to in a is that for it as was with be by on not he his but".split()
TOKENS = [512, 1024, 2048, 4096]
N_PARAMS = 6_144
REACH = 6 * N_PARAMS * TOKENS[-1]


def chain(rng, step):
    """A text in which each word is likelier to be followed by the one `step` further."""
    at, words = rng.randrange(len(WORDS)), []
    for _ in range(rng.randint(60, 120)):
        words.append(WORDS[at])
        near = rng.random() < 0.8
        at = (at + step) % len(WORDS) if near else rng.randrange(len(WORDS))
    return {"body": " ".join(words)}


def settings():
    """A trunk on `web`, and mixes of it with `math`, which is what they are judged on."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    del params["target"]
    params["ingest"]["pools"] = {
        "web": {"path": "web.jsonl", "text": "body"},
        "math": {
            "path": "math.jsonl",
            "text": "body",
            "heldout": 0.2,
            "reference": 0.2,
        },
    }
    params["score"] |= {"folds": 2, "prototypes": 8}
    params["pack"] |= {"vocab_size": 300, "heldout_tokens": 1000}
    branch = {
        "base": "web",
        "at_tokens": 4096,
        "tokens": TOKENS,
        "target_tokens": [4096, 8192],
    }
    question = {"title": "Which end?", "arms": ["math", "half"], "branch": branch}
    params["arms"] |= {
        "draws": 2,
        "draw_tokens": 8_000,
        "questions": {"mid": question},
        "arms": {
            "web": {"mixture": {"web": 1.0}},
            "math": {"mixture": {"math": 1.0}},
            "half": {"mixture": {"web": 0.5, "math": 0.5}},
        },
        "controls": {"same": {"like": "math", "kind": "same"}},
    }
    params["sweep"] |= {
        "sizes": ["6k"],
        "control_sizes": ["6k"],
        "budgets_tokens": [512],
        "regularisations": [{}],
        "context": 32,
        "batch_tokens": 256,
        "warmup_steps": 3,
    }
    params["fit"] |= {
        "domain": "math",
        "laws": ["power_floor", "chinchilla"],
        "draws": 50,
        "starts": 16,
    }
    params["verify"] = {"times": 4}
    return params


@pytest.fixture(scope="module")
def project(tmp_path_factory, run_stages):
    folder, rng = tmp_path_factory.mktemp("mid"), random.Random(0)
    for name, step, n in (("web", 1, 200), ("math", 3, 250)):
        rows = [chain(rng, step) for _ in range(n)]
        pl.DataFrame(rows).write_ndjson(folder / f"{name}.jsonl")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_JOBS", "1")
        return run_stages(folder, settings(), "report")


@pytest.fixture
def here(project, monkeypatch):
    monkeypatch.chdir(project)
    monkeypatch.setenv("ASSAY_JOBS", "1")
    return project


def test_the_best_branches_and_the_control_are_trained_further_from_one_trunk(here):
    decision = read_decision("data/decisions/mid.json")
    record = read_verification("data/verify/mid.json")
    assert record.decision and record.fitted_to_flops == REACH
    assert set(record.arms) == {"mid-math", "mid-half", "mid-web"}
    assert record.arms["mid-web"] == "the control, 100 % replay"
    assert {run.n_tokens_seen for run in record.runs} == {8192, 16_384}
    assert {run.times for run in record.runs} == {2.0, 4.0}
    swept = {path.name for path in trunk_files(SWEPT)}
    after = pl.read_parquet(artefacts.VERIFY_RUNS)
    assert set(after["arm"]) == set(record.arms), "no trunk is trained again"
    assert not swept & {path.name for path in trunk_files(CARRIED_ON)}
    assert decision.trunk.n_tokens == 4096
    assert "branches from a trunk of 4,096 tokens" in record.sentence


def test_values_and_leads_are_judged_and_join_the_track_record_and_the_page(here):
    record = read_verification("data/verify/mid.json")
    claims = read_track_record(artefacts.TRACK_RECORD)
    assert len(claims) == len(record.runs) + len(record.leads) == 6 + 4
    assert {claim.question for claim in claims} == {"mid"}
    for run in record.runs:
        assert run.inside == (run.low <= run.measured <= run.high)
    # math follows other words than the trunk has read: the control learns nothing of it
    against_control = [lead for lead in record.leads if lead.against == "mid-web"]
    assert [lead.times for lead in against_control] == [2.0, 4.0]
    assert all(lead.measured < 0 and lead.predicted < 0 for lead in against_control)
    decision = read_decision("data/decisions/mid.json")
    [verdict] = record.verdicts
    [said] = [each for each in decision.targets if each.flops == 2 * REACH]
    assert (verdict.times, verdict.status) == (2.0, said.status)
    assert (verdict.best, verdict.measured_best) == (said.best, "mid-math")
    page = (here / "data/report/index.html").read_text()
    assert record.sentence.split(":")[0] in page


def test_a_longer_branch_is_what_the_sweep_would_have_trained(here, tmp_path):
    """The same trunk, order and rate: the sweep with this budget beside its own reaches the same loss."""
    params = settings()
    branch = params["arms"]["questions"]["mid"]["branch"]
    branch["tokens"] = [*TOKENS, 8192]
    (tmp_path / "longer.yaml").write_text(yaml.safe_dump(params))
    sections = load_params(tmp_path / "longer.yaml", PIPELINE)
    kept = {path: (here / path).read_bytes() for path in sweep_declared.stage.outs}
    arms = (here / artefacts.ARMS).read_bytes()
    try:
        arms_stage = next(stage for stage in PIPELINE if stage.name == "arms")
        arms_stage.run(sections["arms"])
        sweep.run(sections["sweep"])
        swept = pl.read_parquet(artefacts.RUNS)
    finally:
        (here / artefacts.ARMS).write_bytes(arms)
        for path, before in kept.items():
            (here / path).write_bytes(before)
    after = pl.read_parquet(artefacts.VERIFY_RUNS)
    key = ["arm", "pool_draw", "n_tokens_seen", "metric"]
    both = after.filter(n_tokens_seen=8192).join(swept, on=key, suffix="_swept")
    assert set(both["arm"]) == {"mid-math", "mid-half", "mid-web"}
    assert both["value"].to_list() == pytest.approx(
        both["value_swept"].to_list(), rel=1e-5
    )


def test_lost_weights_of_a_trunk_are_made_again_and_nothing_else_changes(here, caplog):
    before = pl.read_parquet(artefacts.VERIFY_RUNS)
    swept = {path: path.stat().st_mtime_ns for path in trunk_files(SWEPT)}
    trunks = sorted((here / artefacts.TRUNKS).glob("*.safetensors"))
    assert len(trunks) == 2, "one a resample"
    [gone] = [
        file
        for file in trunk_files(CARRIED_ON)
        if "mid-half" in file.read_text().split('"result"')[0]
    ]
    gone.unlink()
    for file in trunks:
        file.unlink()
    caplog.set_level("INFO", "assay")
    verify.run(VerifyParams(times=4))
    assert "the weights of 1 trunks are gone and are trained again" in caplog.text
    [remade] = (here / artefacts.TRUNKS).glob("*.safetensors")
    assert remade in trunks
    assert (
        pl.read_parquet(artefacts.VERIFY_RUNS)
        .select("run_id", "value")
        .equals(before.select("run_id", "value"))
    )
    assert {path: path.stat().st_mtime_ns for path in trunk_files(SWEPT)} == swept
    # the run file of the trunk that verify has trained by now does not stand for its weights
    remade.unlink()
    gone.unlink()
    verify.run(VerifyParams(times=4))
    assert remade.is_file() and weights_file(remade.stem).is_file()


def branch_spec(arm, draw, decay):
    return RunSpec(
        arm=f"{arm}/{draw}",
        shape=Shape(16, 1, 1, 32, 64),
        budgets_tokens=(512, 1024),
        batch_tokens=256,
        weight_decay=decay,
        pool_draw=draw,
        branch=Branch(trunk=f"t{draw}-{decay}", trunk_tokens=2048),
    )


@pytest.fixture
def swept(tmp_path, monkeypatch, whole_run):
    """A sweep of branches: math at both settings, web, which repeats less, at one; two resamples."""
    monkeypatch.chdir(tmp_path)
    made = [("math", 0.1), ("math", 1.0), ("web", 0.1)]
    specs = {
        (arm, draw, decay): branch_spec(arm, draw, decay)
        for arm, decay in made
        for draw in (0, 1)
    }
    for key, spec in specs.items():
        name = "-".join(map(str, key))
        save_run(*whole_run(name, spec, arm=key[0]))
    names = ["-".join(map(str, key)) for key in specs]
    return specs, pl.DataFrame({"trunk_id": names})


def test_an_arm_leaves_the_trunk_of_a_setting_that_only_others_were_tried_at(swept):
    specs, runs = swept
    parents = {
        (arm, draw): specs[arm, draw, 0.1] for arm in ("math", "web") for draw in (0, 1)
    }
    kin = at_every_setting(parents, runs)
    assert len(kin) == 2 * 2 * 2
    assert kin["math", 1, (1.0, 0.0)] == specs["math", 1, 1.0]
    other = kin["web", 0, (1.0, 0.0)]
    assert other.branch.trunk == "t0-1.0"
    assert other == replace(specs["web", 0, 0.1], weight_decay=1.0, branch=other.branch)
    asked = Asked(None, None, parents, kin=kin)
    assert asked.parent_at("web", 0, (1.0, 0.0)) == (other, (1.0, 0.0))
    # no trunk of that setting: the arm stays at its own
    assert asked.parent_at("web", 0, (3.2, 0.0)) == (specs["web", 0, 0.1], (0.1, 0.0))


def test_runs_from_the_start_have_no_trunk_to_look_for():
    spec = SimpleNamespace(branch=None)
    assert at_every_setting({("all", 0): spec}, pl.DataFrame()) == {}
