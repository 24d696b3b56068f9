"""A question about branches is decided in tokens of the branch, and its record says from which trunk."""

import shutil

import polars as pl
import pytest

from stages.answers.branches import asked_of_branches
from stages.decide import DecideParams, decide
from stages.decision.record import DecisionRecord
from stages.foundation import artefacts
from stages.foundation.files import read_json, write_json
from stages.foundation.sealed import read_sealed

BRANCH = {
    "base": "web",
    "control": "keep_100",
    "trunk_arm": "web-trunk",
    "at_tokens": 131_072,
    "tokens": [4_000, 32_000],
    "target_tokens": [2_000, 32_000],
    "checkpoint": None,
    "replay": 0.25,
    "loss": "answer",
}
# of the whole run that the project is for, which branches are not held to
STATED = DecideParams(target_flops=[1e15], n_params=10**9, target=None)
PER_TOKEN = 6 * 2_000


@pytest.fixture
def mid(question_folder, tmp_path, monkeypatch):
    """mid(**changes): the record of the question made by hand as one about branches of a trunk of 3 runs."""
    folder = shutil.copytree(question_folder, tmp_path / "copy")
    monkeypatch.chdir(folder)
    runs = pl.read_parquet(artefacts.RUNS)
    trunk = runs.filter(arm="keep_100", n_tokens_seen=32_000, n_params=2_000).head(6)
    trunk = trunk.with_columns(
        arm=pl.lit("web-trunk"),
        run_id=pl.Series(["a", "a", "b", "b", "c", "c"]),  # two metrics a run
        flops=pl.lit(1e9),
    )
    pl.concat([runs, trunk]).write_parquet(artefacts.RUNS)

    def made(**changes):
        arms = read_json(artefacts.ARMS)
        arms["questions"]["filter"]["branch"] = BRANCH | changes
        write_json(artefacts.ARMS, arms)
        return decide("filter", arms, STATED)[0]

    return made


def test_it_is_asked_at_tokens_of_the_branch_and_the_largest_proxy(mid):
    record = mid()
    assert [target.flops for target in record.targets] == [
        2_000 * PER_TOKEN,
        32_000 * PER_TOKEN,
    ]
    assert record.n_params.value == 2_000 and record.target is None
    # what the record was made with is what the file says
    assert record.provenance.params["decide"]["target_flops"] == [1e15]


def test_the_flip_is_told_in_tokens_of_the_branch(mid):
    record = mid()
    [flip] = record.trunk.flips
    assert (flip.first, flip.second) == ("keep_20", "keep_100")
    assert flip.low < 10_000 < flip.high
    assert flip.tokens == pytest.approx(record.crossovers[0].flops / PER_TOKEN)
    assert "from a trunk of 131,072 tokens." in record.sentence
    assert (
        f"In tokens of the branch it flips at {flip.tokens:,.0f} [" in record.sentence
    )


def test_the_trunk_is_paid_once_and_branches_by_their_own_tokens(mid):
    trunk = mid().trunk
    assert (trunk.n_trunks, trunk.trunk_flops) == (3, 3e9)
    budgets = (1_000, 2_000, 4_000, 8_000, 16_000, 32_000)
    # two arms and a twin, four resamples, two settings, two sizes
    own = sum(budgets) * 6 * (1_000 + 2_000) * 3 * 4 * 2
    assert trunk.n_branches == 3 * 2 * 4 * 2 * len(budgets)
    assert trunk.branch_flops == pytest.approx(own)
    assert "3 trunks, trained once, cost 3.0e9 FLOPs" in trunk.text


def test_a_checkpoint_costs_nothing_here(mid):
    record = mid(checkpoint="mine.safetensors", at_tokens=0)
    trunk = record.trunk
    assert (trunk.n_tokens, trunk.origin) == (None, "mine.safetensors")
    assert "a trunk of unknown length: it is mine.safetensors and costs" in trunk.text
    assert "from a trunk of unknown length" in record.sentence


def test_labels_say_which_arm_is_the_control(mid):
    labels = mid().labels
    assert labels["keep_100"] == "keep everything, as the trunk (100 % replay)"
    assert labels["keep_20"] == "keep the best 20 %"


def test_a_record_between_whole_runs_says_nothing_of_a_trunk(question_folder, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(question_folder)
        arms = read_sealed(artefacts.ARMS, "")
        record, _ = decide("filter", arms, DecideParams(target_flops=[1e8]))
        question = arms["questions"]["filter"]
        assert asked_of_branches("filter", question, STATED) is STATED
    record.write(tmp_path / "record.json")
    assert "trunk" not in read_json(tmp_path / "record.json")
    assert DecisionRecord.read(tmp_path / "record.json").trunk is None
