"""`assay curate` as a user meets it: tables, JSON, settings, exit codes, one-line reasons."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import psutil
import pytest

from flows.commands.curate import curate_command
from stages.foundation.errors import InputError
from stages.foundation.stage import ROOT

SENTENCE = (
    "It is known that the mill by the river turned with the water and that the people"
    " of the town came to have their grain ground there. "
)
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}


def assay(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=ENVIRONMENT,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """raw/: 40 documents under the key `body`, one of them a copy, and a broken line."""
    folder = tmp_path_factory.mktemp("curate")
    (folder / "raw").mkdir()
    words = (
        "amber birch cedar delta ember fjord grove haven inlet joust knoll larch maple"
        " north ocean plain quill ridge shore trail".split()
    )
    rng = random.Random(0)
    texts = [f"{' '.join(rng.choices(words, k=40))}. {SENTENCE}" for _ in range(39)]
    rows = [json.dumps({"body": text, "url": "u"}) for text in [*texts, texts[3]]]
    (folder / "raw/pages.jsonl").write_text(
        "\n".join([*rows[:20], '{"body": ', *rows[20:]]) + "\n"
    )
    (folder / "params.yaml").write_text(
        "curate:\n  text: body\n  rules: [gopher_min_words]\n  dedup: {policy: exact}\n"
    )
    return folder


@pytest.fixture(scope="module")
def done(folder):
    return assay("curate", "raw", "--out", "out", "--params", "params.yaml", cwd=folder)


def test_a_run_prints_one_table_and_names_what_it_set_aside(folder, done):
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert "duplicate_exact" in done.stdout and "40 documents, 39 kept" in done.stdout
    assert (
        done.stderr.count("\n") == 1
        and done.stderr.startswith("set aside: ")
        and "pages.jsonl:21: broken JSON" in done.stderr
    )
    assert pl.read_parquet(folder / "out/kept/*.parquet").height == 39
    assert (folder / "out/quarantine.jsonl").exists()


def test_the_same_run_again_gives_its_manifest(folder, done):
    again = assay(
        "curate", "raw", "--out", "out", "--params", "params.yaml", "--json", cwd=folder
    )
    assert json.loads(again.stdout) == json.loads(
        (folder / "out/manifest.json").read_text()
    )
    assert "already done" in again.stderr


def test_the_dry_run_estimates_and_writes_nothing(folder):
    dry = assay(
        "curate",
        "raw",
        "--out",
        "never",
        "--params",
        "params.yaml",
        "--dry-run",
        "--json",
        cwd=folder,
    )
    assert dry.returncode == 0, dry.stderr
    estimate = {row["what"]: row["estimate"] for row in json.loads(dry.stdout)}
    assert (estimate["documents"], estimate["files"], estimate["shards"]) == (40, 1, 1)
    assert (
        estimate["cpu_seconds"] > 0
        and estimate["peak_memory_bytes"] > 5e7
        and estimate["disk_bytes"] > 0
    )
    assert not (folder / "never").exists()


def test_strict_is_exit_code_2_and_one_line(folder, done):
    failed = assay(
        "curate",
        "raw",
        "--out",
        "new",
        "--params",
        "params.yaml",
        "--strict",
        cwd=folder,
    )
    assert failed.returncode == 2 and failed.stdout == ""
    assert (
        "pages.jsonl:21: broken JSON" in failed.stderr
        and len(failed.stderr.strip().splitlines()) == 1
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"params": None},
            "no column 'text'; columns seen: body, url; map it, for example text=body",
        ),
        ({"inputs": ["none.jsonl"]}, "none.jsonl: no such file or folder"),
        ({"params": Path("none.yaml")}, "none.yaml: no such file"),
        ({"executor": "magic"}, "--executor magic: must be one of local, ray"),
        (
            {"out": "out", "columns": {"lang": "url"}},
            "holds the result of other input or settings",
        ),
    ],
)
def test_bad_input_is_one_line(folder, done, monkeypatch, changes, reason):
    monkeypatch.chdir(folder)
    usual = {
        "inputs": ["raw"],
        "out": "new",
        "params": Path("params.yaml"),
        "columns": {},
        "workers": 1,
        "executor": "local",
        "index": None,
    }
    options = (
        usual
        | {
            "work": None,
            "strict": False,
            "overwrite": False,
            "dry_run": False,
            "as_json": False,
        }
        | changes
    )
    with pytest.raises(InputError) as caught:
        curate_command(**options)
    assert reason in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_says_how_to_go_on_and_nothing_else(tmp_path, how):
    words = SENTENCE.split()
    rng = random.Random(1)
    with open(tmp_path / "many.jsonl", "w") as file:
        for _ in range(60_000):
            text = " ".join(rng.choices(words, k=60))
            file.write(json.dumps({"text": text}) + "\n")
    (tmp_path / "params.yaml").write_text("curate: {shard_mb: 0.5}\n")
    command = ["curate", "many.jsonl", "--out", "out", "--workers", "2"]
    command += ["--params", "params.yaml"]
    with subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=ENVIRONMENT,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not list((tmp_path / "out/.work/units").glob("*/done.json")):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        start = time.monotonic()
        os.killpg(process.pid, how)  # as Ctrl-C reaches the workers too
        _, errors = process.communicate(timeout=20)
    assert time.monotonic() - start < 5
    assert process.returncode == 128 + how
    assert errors.splitlines() == [
        "assay: stopped; finished shards are kept, run the same command to go on"
    ]
    while alive_in_group(process.pid):
        assert time.monotonic() - start < 5
        time.sleep(0.05)


def alive_in_group(number):
    found = []
    for process in psutil.process_iter(["status"]):
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(process.pid) == number and process.info["status"] != "zombie":
                found.append(process)
    return found


@pytest.mark.parametrize("option", ["--out", "--index", "--work"])
def test_a_folder_without_a_name_is_one_line_and_nothing_is_written(tmp_path, option):
    (tmp_path / "a.jsonl").write_text('{"text": "One."}\n')
    places = {"--out": "out", option: ""}  # as an unset variable of a shell
    asked = [word for pair in places.items() for word in pair]
    done = assay("curate", "a.jsonl", *asked, cwd=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "'' names no folder; give the name of one" in done.stderr
    assert os.listdir(tmp_path) == ["a.jsonl"]
