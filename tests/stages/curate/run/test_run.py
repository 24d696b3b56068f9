"""A run as a user sees it: what is kept and why not, the same for any cut of the work, and after being killed."""

import os
import random
import signal
import subprocess
import sys
import time

import polars as pl
import pytest

from stages.curate.run.run import Request, curate
from stages.curate.work.work_folder import locked
from stages.curation.duplicates.clusters import deduplicate
from stages.curation.reading.documents import documents
from stages.foundation.errors import InputError
from stages.foundation.files import read_json
from stages.foundation.stage import ROOT


def test_every_row_is_kept_or_has_a_reason(write, run, read):
    manifest = run(write())
    kept, dropped = read("kept"), read("dropped")
    assert manifest["counts"] == {
        "rows": 120,
        "bad_rows": 0,
        "bad_files": 0,
        "empty": 2,
        "documents": 118,
        "characters": manifest["counts"]["characters"],
        "kept": 88,
        "dropped": 30,
    }
    assert dropped["reason"].value_counts().sort("reason").rows() == [
        ("duplicate_exact", 10),
        ("duplicate_near", 10),
        ("gopher_min_words", 10),
    ]
    assert (
        kept["reason"].null_count() == len(kept) == 88
        and dropped["reason"].null_count() == 0
    )
    assert set(dropped["duplicate_of"].drop_nulls()) <= set(kept["id"])
    assert dropped.filter(reason="gopher_min_words")["failed"][0].to_list() == [
        "gopher_min_words",
        "gopher_stop_words",
    ]
    assert kept["named_words"].min() >= 50


def test_a_run_that_keeps_nearly_nothing_says_so(write, run):
    short = [{"id": str(n), "text": f"short text number {n}"} for n in range(30)]
    found = run(write(1, "short", content=short), "little")["warnings"]
    assert [each["message"] for each in found if each["code"] == "little_kept"] == [
        "curated: 0 of 30 documents stay, most for gopher_min_words (30); look at the"
        " examples before you train on them"
    ]
    assert "little_kept" not in {each["code"] for each in run(write())["warnings"]}


def test_the_longest_copy_stays(write, run, read):
    run(write())
    near = read("dropped").filter(reason="duplicate_near")
    kept = dict(read("kept").select("id", "n_chars").rows())
    assert all(
        kept[winner] > chars
        for winner, chars in near.select("duplicate_of", "n_chars").rows()
    )


def test_the_kept_texts_are_those_of_the_search_in_memory(write, run, read, rows):
    run(write(), rules=[], dedup={"keep": "first"})
    texts = [row["text"] for row in rows if row["text"] and row["text"].strip()]
    frame = documents(texts, [f"{at}" for at in range(len(texts))], "p").with_columns(
        id=pl.int_range(len(texts)).cast(pl.String).str.zfill(4)
    )
    kept, _ = deduplicate(frame)
    assert read("kept")["text"].to_list() == kept["text"].to_list()


def part_hashes(manifest):
    return [
        (entry["file"], entry["hash"])
        for side in ("kept", "dropped")
        for entry in manifest[side]["files"]
    ]


@pytest.fixture
def reference(write, run):
    return part_hashes(run(write(name="one"), "reference"))


@pytest.mark.parametrize(("shard_mb", "workers"), [(0.04, 1), (0.01, 1), (0.01, 2)])
def test_the_bytes_do_not_depend_on_shards_or_workers(
    tmp_path, run, reference, shard_mb, workers
):
    assert len(reference) == 8
    manifest = run(tmp_path / "one", request={"workers": workers}, shard_mb=shard_mb)
    assert part_hashes(manifest) == reference


@pytest.mark.parametrize("n", [2, 7])
def test_cutting_the_input_into_files_changes_no_document(write, run, read, n):
    run(write(1, "a"), "one", id="key")
    run(write(n, "b"), "many", id="key")
    assert (
        read("kept", "one").drop("source").equals(read("kept", "many").drop("source"))
    )


def test_the_order_of_the_input_does_not_change_what_is_kept(write, run, read, rows):
    run(write(name="a"), "one")
    run(write(3, "b", random.Random(1).sample(rows, len(rows))), "shuffled")
    assert sorted(read("kept", "one")["text"]) == sorted(
        read("kept", "shuffled")["text"]
    )


COMMAND = """
import sys
from stages.curate.run.run import Request, curate
from stages.settings.curate import CurateSettings
settings = CurateSettings(rules=["gopher_min_words", "gopher_stop_words"], part_chars=24000, shard_mb=0.01)
print("begin", flush=True)
def wait(*step):
    print(step, flush=True)
    sys.stdin.readline()
curate(Request(inputs=[sys.argv[1]], out=sys.argv[2], settings=settings), wait)
"""


@pytest.mark.parametrize(
    "event", [4, 16, 40]
)  # while documents are judged, compared, and while the output is written
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path, run, reference, event):
    command = [
        sys.executable,
        "-c",
        COMMAND,
        str(tmp_path / "one"),
        str(tmp_path / "out"),
    ]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"POLARS_MAX_THREADS": "1"},
    ) as process:
        for _ in range(event + 1):
            line = process.stdout.readline()
            process.stdin.write("\n")
            process.stdin.flush()
        process.send_signal(signal.SIGKILL)
    assert ("judge" in line) == (event == 4)
    assert ("shingles" in line) == (event == 16) and ("write" in line) == (event == 40)
    done = {
        file: file.stat().st_mtime_ns
        for file in (tmp_path / "out/.work/units").glob("unit-*/done.json")
    }
    assert not (tmp_path / "out/manifest.json").exists() and done
    seen = []
    request = Request(
        inputs=[str(tmp_path / "one")], out=str(tmp_path / "out"), settings=_settings()
    )
    manifest = curate(
        request,
        lambda *_: seen.append({file: file.stat().st_mtime_ns for file in done}),
    ).as_json()
    assert part_hashes(manifest) == reference
    assert seen[0] == seen[-1] == done  # finished shards were not read again
    assert not (tmp_path / "out/.work").exists()


def test_a_run_stopped_at_any_step_goes_on_to_the_same_bytes(
    tmp_path, write, reference
):
    """Each attempt gets one event further than the one before it."""
    request, attempts = (
        Request(
            inputs=[str(tmp_path / "one")],
            out=str(tmp_path / "out"),
            settings=_settings(),
        ),
        0,
    )

    def stop_after(n):
        events = []
        return lambda *step: (
            events.append(step),
            len(events) > n and (_ for _ in ()).throw(KeyboardInterrupt),
        )

    while True:
        attempts += 1
        try:
            manifest = curate(request, stop_after(attempts)).as_json()
            break
        except KeyboardInterrupt:
            continue
    assert attempts > 20 and part_hashes(manifest) == reference


def _settings():
    from stages.settings.curate import CurateSettings

    return CurateSettings(
        rules=["gopher_min_words", "gopher_stop_words"], part_chars=24000, shard_mb=0.01
    )


def test_a_finished_run_is_not_done_again(write, run, tmp_path):
    folder = write()
    run(folder)
    before = (tmp_path / "out/kept/part-00000.parquet").stat().st_mtime_ns
    time.sleep(0.01)
    run(folder)
    assert (tmp_path / "out/kept/part-00000.parquet").stat().st_mtime_ns == before


def test_another_result_is_replaced_only_on_request(write, run):
    folder = write()
    run(folder)
    with pytest.raises(
        InputError, match="holds the result of other input or settings; .*--overwrite"
    ):
        run(folder, rules=[])
    assert run(folder, rules=[], request={"overwrite": True})["counts"]["kept"] > 88


def test_a_folder_of_the_user_is_not_written_into(write, run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(
            InputError, match=r"holds 'thesis.txt' and is no result of assay curate"
        ):
            run(write(name=f"raw{overwrite}"), request={"overwrite": overwrite})
    assert (tmp_path / "out/thesis.txt").read_text() == "mine"


def test_a_manifest_of_another_program_is_not_taken_for_ours(write, run, tmp_path):
    (tmp_path / "out/kept").mkdir(parents=True)
    (tmp_path / "out/manifest.json").write_text("{}")
    with pytest.raises(InputError, match="is no result of assay curate"):
        run(write(), request={"overwrite": True})
    assert (tmp_path / "out/kept").is_dir() and not (tmp_path / "out/.work").exists()


def test_one_run_at_a_time_even_to_overwrite(write, run, tmp_path):
    folder = write()
    manifest = run(folder)
    (tmp_path / "out/.work").mkdir()
    with (
        locked(tmp_path / "out/.work", str(tmp_path / "out")),
        pytest.raises(InputError, match="another run is at work here"),
    ):
        run(folder, rules=[], request={"overwrite": True})
    assert read_json(tmp_path / "out/manifest.json") == manifest


def test_a_work_folder_of_the_user_keeps_what_is_in_it(write, run, tmp_path):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch/other.txt").write_text("mine")
    run(write(), request={"work": tmp_path / "scratch"})
    assert [file.name for file in (tmp_path / "scratch").iterdir()] == ["other.txt"]


@pytest.mark.parametrize("place", ["out", "work", "index"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("file", "file: is no folder; give the name of one"),
        ("file/x", "file/x: .*file is no folder; give another place"),
        ("/proc/x", "/proc/x: no file can be kept there"),
    ],
)
def test_what_is_no_folder_is_refused_before_any_work(
    write, tmp_path, place, name, said
):
    (tmp_path / "file").write_text("mine")
    given = {"out": str(tmp_path / "out"), "inputs": [write()], place: tmp_path / name}
    with pytest.raises(InputError, match=said):
        curate(Request(**{**given, "out": str(given["out"])}))
    assert (tmp_path / "file").read_text() == "mine"
    assert not (tmp_path / "out").exists()


def test_an_output_inside_the_input_is_refused(write, run):
    folder = write(name="out")
    with pytest.raises(
        InputError, match="lies inside the input folder .*; give an --out beside it"
    ):
        run(folder, "out/curated")


def test_a_repeated_id_is_dropped_and_named(write, run, read, rows):
    doubled = [
        *rows,
        {
            "text": rows[0]["text"] + " Another text under the same name.",
            "key": rows[1]["key"],
        },
    ]
    run(write(3, content=doubled), id="key", dedup={"policy": "none"})
    assert read("dropped").filter(reason="duplicate_id").height == 1
    assert read("kept")["id"].is_unique().all()


def test_extra_columns_are_carried_along(write, run, read, rows):
    run(
        write(
            content=[
                row | {"url": f"http://a/{at}", "n": {"a": at}}
                for at, row in enumerate(rows)
            ]
        ),
        extra=["url", "n", "absent"],
    )
    first = read().row(0, named=True)
    assert (
        first["url"].startswith("http://a/")
        and first["n"].startswith('{"a": ')
        and first["absent"] is None
    )


def test_the_manifest_and_the_report_say_what_happened(write, run, tmp_path):
    run(write(), "out")
    manifest = read_json(tmp_path / "out/manifest.json")
    by_reason = {row["reason"]: row for row in manifest["reasons"]}
    assert by_reason["gopher_stop_words"] | {"characters_alone": 0} == {
        "reason": "gopher_stop_words",
        "asks": "stop_words at least 2",
        "documents_alone": 10,
        "characters_alone": 0,
        "documents_in_order": 0,
        "characters_in_order": 0,
    }
    assert len(manifest["examples"]["duplicate_near"]) == 3
    last = manifest["ledger"][-1]
    assert (
        last["step"] == "copies"
        and sum(
            row["documents"] for row in manifest["ledger"] if row["status"] == "dropped"
        )
        + 88
        == 120
    )
    page = (tmp_path / "out/report.md").read_text()
    assert (
        "| gopher_min_words | named_words at least 50" in page
        and "### duplicate_near" in page
    )


def test_evaluation_text_is_taken_out(write, run, read, rows, tmp_path):
    evaluation = tmp_path / "eval.jsonl"
    leaked = next(row["text"] for row in rows if row["key"] == "k40")
    evaluation.write_text(
        '{"question": ' + __import__("json").dumps(leaked[: len(leaked) // 2]) + "}\n"
    )
    run(write(), decontaminate={"files": [str(evaluation)], "text": "question"})
    dropped = read("dropped").filter(pl.col("reason").str.starts_with("evaluation"))
    assert (
        dropped["text"].to_list() == [leaked]
        and dropped["reason"].item() == "evaluation_overlap"
        and dropped["evaluation_overlap"].item() > 0.2
    )


def test_quality_scores_and_keeps_the_best_copy(write, run, read, tmp_path):
    rng = random.Random(5)
    reference = tmp_path / "reference.jsonl"
    reference.write_text(
        "".join(
            '{"text": "'
            + " ".join(rng.choices("prime lemma proof ring field group".split(), k=40))
            + '"}\n'
            for _ in range(60)
        )
    )
    copy = " ".join(rng.choices("prime lemma proof ring field group".split(), k=80))
    folder = write()
    (folder / "part-9.jsonl").write_text(f'{{"text": "{copy}"}}\n')
    settings = {
        "rules": [],
        "quality": {"reference": [str(reference)], "folds": 2},
        "dedup": {"keep": "quality"},
    }
    hashes = [
        run(folder, f"out{mb}", shard_mb=mb, **settings)["kept"]["hash"]
        for mb in (64, 0.01)
    ]
    assert hashes[0] == hashes[1]
    assert read("kept", "out64").sort("quality")["text"][-1] == copy
