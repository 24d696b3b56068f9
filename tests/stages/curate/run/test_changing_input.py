"""Files that change while they are read, and inputs that the output would replace: nothing is read of two files."""

import json
import os

import pytest

from stages.curate.run.run import Request, curate
from stages.curation.reading.readers import read_documents
from stages.foundation.errors import InputError
from stages.settings.curate import CurateSettings

N_ROWS = 400


def rows(n, word="document"):
    return "".join(
        json.dumps({"text": f"{word} {at}, of many words " * 4}) + "\n"
        for at in range(n)
    )


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def longer(path):
    with open(path, "a") as file:
        file.write(rows(1))


def other(path):
    path.with_suffix(".new").write_text(rows(N_ROWS, "an other"))
    os.replace(path.with_suffix(".new"), path)


@pytest.mark.parametrize("change", [cut, longer, other])
def test_a_file_that_changes_while_it_is_read_is_refused_and_read_anew(
    tmp_path, change
):
    path, out = tmp_path / "a.jsonl", tmp_path / "out"
    path.write_text(rows(N_ROWS))
    settings = CurateSettings(rules=[], dedup={"policy": "none"}, shard_mb=0.01)
    request = Request(inputs=[str(path)], out=str(out), settings=settings)
    begun = []

    def progress(step, done, total):
        if step == "judge documents" and done == 1 and not begun:
            begun.append(total)
            change(path)

    with pytest.raises(InputError, match=r"a\.jsonl: changed while it was read; wait"):
        curate(request, progress)
    assert begun[0] > 3 and not (out / "manifest.json").exists()
    path.write_text(rows(N_ROWS, "whole"))
    counts = curate(request).counts
    assert (counts.kept, counts.bad_rows) == (N_ROWS, 0)


def test_a_pool_that_changes_while_it_is_read_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(rows(N_ROWS))
    batches = read_documents(path, "p", batch_chars=1_000)
    next(batches)
    longer(path)
    with pytest.raises(InputError, match="changed while it was read"):
        list(batches)


@pytest.mark.parametrize("place", ["kept", "linked"])
def test_a_result_is_not_replaced_by_what_is_read_from_it(tmp_path, place):
    path, out = tmp_path / "raw/a.jsonl", tmp_path / "out"
    path.parent.mkdir()
    path.write_text(rows(20))
    settings = CurateSettings(rules=[], dedup={"policy": "none"})
    curate(Request(inputs=[str(path)], out=str(out), settings=settings))
    (tmp_path / "linked").symlink_to(out / "kept")
    before = (out / "kept/part-00000.parquet").read_bytes()
    source = out / "kept" if place == "kept" else tmp_path / "linked"
    with pytest.raises(InputError, match="which is read; give an --out that holds no"):
        curate(
            Request(
                inputs=[str(source)], out=str(out), settings=settings, overwrite=True
            )
        )
    assert (out / "kept/part-00000.parquet").read_bytes() == before


def test_an_output_is_seen_inside_the_input_through_a_link(tmp_path):
    path = tmp_path / "raw/a.jsonl"
    path.parent.mkdir()
    path.write_text(rows(20))
    (tmp_path / "link").symlink_to(path.parent)
    with pytest.raises(InputError, match="lies inside the input folder"):
        curate(Request(inputs=[str(path.parent)], out=str(tmp_path / "link/out")))


@pytest.mark.parametrize("option", ["work", "index"])
def test_work_and_index_inside_the_input_would_be_read_next_time(tmp_path, option):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/a.jsonl").write_text(rows(3))
    place = {option: tmp_path / "raw/deep"}
    with pytest.raises(InputError, match=f"inside the input folder .* an --{option}"):
        curate(
            Request(inputs=[str(tmp_path / "raw")], out=str(tmp_path / "out"), **place)
        )
    assert os.listdir(tmp_path / "raw") == ["a.jsonl"]


@pytest.mark.parametrize("name", ["", "  "])
def test_an_output_without_a_name_is_refused_before_any_work(
    tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jsonl").write_text(rows(3))
    with pytest.raises(InputError, match="names no folder; give the name of one"):
        curate(Request(inputs=["a.jsonl"], out=name))
    assert os.listdir(tmp_path) == ["a.jsonl"]
