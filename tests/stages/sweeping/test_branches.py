"""Trunks and branches from the plan to their files: who shares a trunk, what is paid, what a lost trunk costs."""

import json

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file

from stages import sweep
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.foundation.files import file_hash
from stages.foundation.sealed import write_sealed
from stages.proxy.specs.checkpoint_file import read_header
from stages.proxy.specs.layout import weight_sizes
from stages.proxy.specs.shape import Shape
from stages.proxy.tokens.packed import write_packed
from stages.runs.run_files import SWEPT
from stages.settings.sweep import SweepParams
from stages.sweeping.branches import (
    BRANCH_SEED,
    phases,
    train_lost_again,
    weights_file,
)
from stages.sweeping.trunks import CONTROL_SEED, planned

ARMS = ("mid-math", "mid-web", "web-trunk", "mid-twin", "more-math", "more-web")
BRANCH = {
    "base": "web",
    "at_tokens": 2048,
    "tokens": [512, 1024],
    "checkpoint": None,
    "replay": 0.0,
    "loss": "all",
    "lr": None,
    "sizes": None,
    "target_tokens": None,
    "trunk_arm": "web-trunk",
}
PARAMS = {
    "sizes": ["6k"],
    "control_sizes": ["6k"],
    "budgets_tokens": [512],
    "regularisations": [{}],
    "context": 32,
    "batch_tokens": 256,
}


def question(name, **changes):
    arms = [f"{name}-math", f"{name}-web"]
    branch = BRANCH | {"control": f"{name}-web"} | changes
    return {"title": "Which?", "arms": arms, "branch": branch}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """project(**questions): two resamples of a pool, half of it math, in the files that the sweep reads."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_JOBS", "1")
    random = np.random.default_rng(0)

    def documents(n):
        return ((str(i), random.integers(1, 64, 49), 60) for i in range(n))

    write_packed(
        tmp_path / artefacts.PACKED_POOLS, documents(80), vocab_size=64, eos_id=0
    )
    held = tmp_path / artefacts.PACKED_HELD_OUT / "web"
    write_packed(held, documents(4), vocab_size=64, eos_id=0)
    rows = []
    for draw in range(2):
        for arm in ARMS:
            first = 40 * draw + (0 if arm.endswith("math") else 20)
            rows += [(arm, draw, row) for row in range(first, first + 20)]
    frame = pl.DataFrame(rows, schema=["arm", "draw", "row"], orient="row")
    (tmp_path / "data/arms").mkdir(parents=True)
    frame.with_columns(
        weight=pl.lit(1.0), pool=pl.lit("a"), tier=pl.lit(0)
    ).write_parquet(artefacts.VIEWS)

    def made(twin=False, **questions):
        questions = questions or {"mid": question("mid")}
        used = {arm for q in questions.values() for arm in q["arms"]}
        twins = {"mid-twin": {"kind": "same", "like": "mid-math"}} if twin else {}
        kept = {*used, *twins, "web-trunk"}
        pl.read_parquet(artefacts.VIEWS).filter(
            pl.col("arm").is_in(list(kept))
        ).write_parquet(artefacts.VIEWS)
        arms = {"tiers": ["all"], "controls": twins, "questions": questions}
        write_sealed(artefacts.ARMS, arms)
        return SweepParams(**PARAMS)

    return made


def specs_by_arm(params):
    found = {}
    for trunk in planned(params)[1]:
        found.setdefault(trunk["arm"], []).append(trunk)
    return found


def test_a_trunk_is_one_a_resample_and_each_arm_leaves_it(project):
    found = specs_by_arm(project())
    trunks = {t["spec"].pool_draw: t for t in found["web-trunk"]}
    assert set(trunks) == {0, 1} and set(found) == {"web-trunk", "mid-math", "mid-web"}
    for trunk in trunks.values():
        assert trunk["spec"].schedule == "constant" and not trunk["spec"].branch
        assert trunk["spec"].budgets_tokens == (2048,)
    for arm in ("mid-math", "mid-web"):
        for made in found[arm]:
            spec = made["spec"]
            assert spec.branch.trunk == trunks[spec.pool_draw]["trunk_id"]
            assert spec.branch.reads_on == (arm == "mid-web")
            assert spec.budgets_tokens == (512, 1024)
            other = 0 if arm == "mid-web" else BRANCH_SEED
            assert spec.data_seed == spec.pool_draw + other


def test_questions_share_a_trunk_and_one_of_another_length_is_another(project):
    params = project(mid=question("mid"), more=question("more", lr=0.001))
    found = specs_by_arm(params)
    assert len(found["web-trunk"]) == 2
    assert {t["spec"].lr for t in found["more-math"]} == {0.001}
    longer = project(mid=question("mid"), more=question("more", at_tokens=4096))
    assert len(specs_by_arm(longer)["web-trunk"]) == 4


def test_a_twin_leaves_the_same_trunk_and_reads_in_another_order(project):
    found = specs_by_arm(project(twin=True))
    [twin] = [t for t in found["mid-twin"] if t["spec"].pool_draw == 0]
    [arm] = [t for t in found["mid-math"] if t["spec"].pool_draw == 0]
    assert twin["control"] == "same" and arm["control"] == ""
    assert twin["spec"].branch == arm["spec"].branch
    assert twin["spec"].data_seed == arm["spec"].data_seed + CONTROL_SEED


def test_the_sweep_trains_trunks_first_and_pays_them_once(project):
    params = project()
    first, then = phases(planned(params)[1])
    assert {t["arm"] for t in first} == {"web-trunk"} and len(then) == 4
    sweep.run(params)
    runs = pl.read_parquet(artefacts.RUNS).filter(metric="loss_web")
    per_token = 6 * 6_144
    paid = dict(runs.group_by("arm").agg(pl.col("flops").sum()).iter_rows())
    assert paid == {
        "web-trunk": 2 * 2048 * per_token,
        "mid-math": 2 * (512 + 1024) * per_token,
        "mid-web": 2 * (512 + 1024) * per_token,
    }
    for trunk in first:
        header = read_header(weights_file(trunk["trunk_id"]))
        assert (header.size(), header.n_tokens) == ("6k", 2048)
    again(params, then, first)


def again(params, branches, trunks):
    """A branch that is gone is trained from the kept weights, and a lost trunk only where a branch waits for it."""
    run_file = SWEPT.file(branches[0]["trunk_id"])
    before = json.loads(run_file.read_text())["result"]["budgets"]
    trunk = branches[0]["spec"].branch.trunk
    weights_file(trunk).unlink()
    train_lost_again([*trunks, *branches])
    assert SWEPT.file(trunk).is_file()  # nothing waits
    run_file.unlink()
    train_lost_again([*trunks, *branches])
    assert not SWEPT.file(trunk).is_file()
    sweep.run(params)
    after = json.loads(run_file.read_text())["result"]["budgets"]
    for one, other in zip(before, after, strict=True):
        assert one["held_out"] == other["held_out"]


def written(file, **metadata):
    """A user's file: weights of a proxy of this project's shape, without moments."""
    shape = Shape.named("6k", context=32, vocab_size=64)
    random = np.random.default_rng(1)
    tensors = {
        name: random.normal(0, 0.1, size).astype(np.float32)
        for name, size in weight_sizes(shape).items()
    }
    save_file(tensors, file, metadata)
    return {
        "checkpoint": file.name,
        "hash": file_hash(file),
        "size": "6k",
        "has_moments": False,
        "at_tokens": 0,
    }


def test_a_checkpoint_is_a_trunk_that_nobody_trains(project, tmp_path):
    asked = written(tmp_path / "mine.safetensors")
    params = project(mid=question("mid", **asked))
    [only] = phases(planned(params)[1])
    assert {t["arm"] for t in only} == {"mid-math", "mid-web"}
    assert {t["spec"].branch.trunk for t in only} == {asked["hash"]}
    assert not any(t["spec"].branch.warm for t in only)
    sweep.run(params)
    runs = pl.read_parquet(artefacts.RUNS)
    assert set(runs["arm"]) == {"mid-math", "mid-web"}
    other = project(mid=question("mid", **asked | {"hash": "0" * 16}))
    with pytest.raises(InputError, match="is not the file that the arms stage saw"):
        planned(other)


def test_a_checkpoint_of_another_tokenizer_is_refused(project, tmp_path):
    (tmp_path / artefacts.TOKENIZER).write_text("ours")
    ours = file_hash(tmp_path / artefacts.TOKENIZER)
    asked = written(tmp_path / "mine.safetensors", tokenizer=ours)
    assert planned(project(mid=question("mid", **asked)))
    asked = written(tmp_path / "mine.safetensors", tokenizer="0" * 16)
    with pytest.raises(InputError, match="set pack.tokenizer to the file it was"):
        planned(project(mid=question("mid", **asked)))
