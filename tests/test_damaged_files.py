"""Files of a finished study damaged one by one, with times and, where it can be, sizes as they were: each is named,
mended or refused.
"""

import json
import os
import shutil

import pytest

from flows.commands.project.damage import damage_rows
from stages.foundation.errors import InputError
from stages.pipeline import PIPELINE
from stages.settings.params import load_params


@pytest.fixture(scope="module")
def study(finished_project, tmp_path_factory):
    """A copy of the finished project that each test leaves as it found it."""
    folder = tmp_path_factory.mktemp("damaged") / "copy"
    return shutil.copytree(finished_project.folder, folder, symlinks=False)


@pytest.fixture(autouse=True)
def here(study, monkeypatch):
    monkeypatch.chdir(study)


def flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def cut(content):
    return content[: len(content) * 2 // 3]


def emptied(content):
    return b""


def change(file, harm):
    """Change a file as a disk does: nobody sees it by its time. Returns what undoes it."""
    state, content = file.stat(), file.read_bytes()

    def written(content):
        file.unlink()
        file.write_bytes(content)
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))

    written(harm(content))
    return lambda: written(content)


def carry_out(name):
    stage = next(stage for stage in PIPELINE if stage.name == name)
    stage.carry_out(load_params("params.yaml", PIPELINE)[name])


REFUSED = [
    ("data/ingest/manifest.json", flipped, "dedup"),
    ("data/ingest/dropped.parquet", cut, "dedup"),
    ("data/dedup/clusters.parquet", flipped, "arms"),
    ("data/dedup/clusters.parquet", cut, "arms"),
    ("data/dedup/lines.parquet", emptied, "arms"),
    ("data/pack/pools/tokens.bin", flipped, "sweep"),
    ("data/pack/pools/tokens.bin", cut, "sweep"),
    ("data/pack/pools/index.parquet", flipped, "sweep"),
    ("data/pack/pools/meta.json", emptied, "arms"),
    ("data/pack/heldout/good/tokens.bin", flipped, "fit"),
    ("data/pack/heldout/good/index.parquet", cut, "sweep"),
    ("data/score/scores.parquet", flipped, "arms"),
    ("data/arms/arms.json", flipped, "fit"),
    ("data/arms/views.parquet", flipped, "sweep"),
    ("data/sweep/runs.parquet", flipped, "fit"),
    ("data/sweep/heldout_losses.parquet", cut, "fit"),
    ("data/fit/filter.json", flipped, "decide"),
    ("data/fit/filter-refits.json", flipped, "decide"),
    ("data/fit/filter-refits.json", cut, "decide"),
    ("data/fit/filter.parquet", emptied, "decide"),
    ("data/decisions/filter.json", flipped, "report"),
]


@pytest.mark.parametrize(("path", "harm", "reader"), REFUSED)
def test_a_damaged_output_is_named_where_it_is_read_and_by_status(
    study, path, harm, reader
):
    undo = change(study / path, harm)
    try:
        with pytest.raises(InputError) as refused:
            carry_out(reader)
        line = str(refused.value)
        assert line.startswith(f"{path} is damaged (") and "\n" not in line
        assert line.endswith("; delete it and `assay run` makes it again")
        assert line in {row["because"] for row in damage_rows()}
    finally:
        undo()


def test_a_whole_study_has_no_damage():
    rows = damage_rows()
    assert [row for row in rows if row["state"] == "damaged"] == []
    assert {row["state"] for row in rows if row["kind"] == "stage"} == {"whole"}


@pytest.mark.parametrize("harm", [flipped, cut, emptied, lambda content: b"{}"])
def test_a_damaged_run_file_is_trained_again_to_the_same_losses(study, harm):
    runs = study / "data/sweep/runs"
    file = min(runs.glob("[!s]*.json"))
    before = json.loads(file.read_text())["result"]["budgets"]
    others = {each: each.stat().st_mtime_ns for each in runs.glob("*.json")}
    change(file, harm)
    carry_out("sweep")
    assert (runs / f"{file.name}.damaged").is_file()
    after = json.loads(file.read_text())["result"]["budgets"]
    assert [each["held_out"]["good"]["loss_nats"] for each in after] == pytest.approx(
        [each["held_out"]["good"]["loss_nats"] for each in before], rel=1e-5
    )
    untouched = {each for each in others if each.stat().st_mtime_ns == others[each]}
    assert untouched >= {
        each for each in others if each != file and "_" not in each.name
    }
