"""Every search at once: the same bytes for any cut of the work, and after being stopped or killed at any step."""

import json
import os
import random
import signal
import subprocess
import sys

import polars as pl
import pytest

from stages.curate.copies import edges
from stages.curate.run.estimate import estimate
from stages.curate.run.run import Request, curate
from stages.curate.searches import drops, searches
from stages.foundation.stage import ROOT
from stages.settings.curate import CurateSettings

REASONS = {
    "duplicate_exact",
    "duplicate_near",
    "duplicate_semantic",
    "typical",
    "not_best_nats",
    "repeated_lines",
}


@pytest.fixture
def pages(rows) -> list[dict]:
    """The rows with semantic copies (words in another order), a footer on every third, and pages of
    nearly nothing but footers.
    """
    rng, texts = random.Random(7), [row["text"] for row in rows if row["text"]]
    turned = [
        "\n".join(rng.sample(text.split("\n"), text.count("\n") + 1))
        for text in texts[:15]
        if len(text) > 100
    ]
    footers = [
        f"This is footer number {at} of the page, with some words." for at in range(6)
    ]
    pages = [
        {"text": text + ("\n" + rng.choice(footers)) * (at % 3 == 0)}
        for at, text in enumerate([*texts, *turned])
    ]
    return [
        *pages,
        *(
            {"text": "\n".join([*footers, f"And a last line of number {at}."])}
            for at in range(3)
        ),
    ]


@pytest.fixture
def reference(write, pages, run, everything):
    folder = write(name="pages", content=pages)
    return hashes(run(folder, "reference", **everything))


def hashes(manifest):
    return [manifest[side]["hash"] for side in ("kept", "dropped")]


def test_every_search_finds_something(reference, read, tmp_path):
    assert set(read("dropped", "reference")["reason"]) >= REASONS
    kept = read("kept", "reference")
    assert (
        kept["repeated_lines"].sum() > 0
        and kept["repeated_paragraphs"].null_count() == 0
    )
    page = (tmp_path / "reference/report.md").read_text()
    assert (
        all(f"| {reason} |" in page for reason in REASONS)
        and "of the characters, the best" in page
        and "- lines, " in page
    )


@pytest.mark.parametrize(("shard_mb", "workers"), [(0.01, 1), (0.006, 2)])
def test_the_bytes_do_not_depend_on_shards_or_workers(
    tmp_path, run, everything, reference, shard_mb, workers
):
    manifest = run(
        tmp_path / "pages",
        request={"workers": workers},
        shard_mb=shard_mb,
        **everything,
    )
    assert hashes(manifest) == reference


def test_small_pieces_find_the_same(tmp_path, run, everything, reference, monkeypatch):
    """Many blocks of vectors, many ranges of keys and lines."""
    monkeypatch.setattr(searches, "BLOCK_CHARS", 9_000)
    monkeypatch.setattr(edges, "PARTITION_RECORDS", 300)
    monkeypatch.setattr(drops, "BATCH_DOCUMENTS", 5)
    assert hashes(run(tmp_path / "pages", **everything)) == reference


def test_the_order_of_the_input_changes_nothing_where_ids_are_mapped(
    write, run, read, pages, everything
):
    content = [page | {"key": f"k{at}"} for at, page in enumerate(pages)]
    run(write(name="a", content=content), "straight", id="key", **everything)
    run(
        write(3, "b", random.Random(1).sample(content, len(content))),
        "shuffled",
        id="key",
        **everything,
    )
    straight, shuffled = (
        read("kept", name).sort("id").drop("source")
        for name in ("straight", "shuffled")
    )
    assert straight.equals(shuffled)


def test_cutting_the_input_into_files_changes_no_document(
    write, run, read, pages, everything
):
    content = [page | {"key": f"k{at}"} for at, page in enumerate(pages)]
    for n in (1, 5):
        run(write(n, f"files{n}", content), f"out{n}", id="key", **everything)
    assert (
        read("kept", "out1").drop("source").equals(read("kept", "out5").drop("source"))
    )


@pytest.fixture
def request_(tmp_path, everything) -> Request:
    settings = CurateSettings.model_validate(everything | {"shard_mb": 0.02})
    return Request(
        inputs=[str(tmp_path / "pages")], out=str(tmp_path / "out"), settings=settings
    )


def test_a_run_stopped_at_any_step_goes_on_to_the_same_bytes(
    tmp_path, everything, request_, reference
):
    """Each attempt gets two events further than the one before it."""
    attempts, steps = 0, set()

    def stop_after(n):
        events = []
        return lambda step, *_: (
            steps.add(step),
            events.append(step),
            len(events) > n and (_ for _ in ()).throw(KeyboardInterrupt),
        )

    while True:
        attempts += 1
        try:
            manifest = curate(request_, stop_after(2 * attempts)).as_json()
            break
        except KeyboardInterrupt:
            continue
    assert attempts > 15 and hashes(manifest) == reference
    assert steps >= {
        "embed",
        "assign to clusters",
        "compare meanings",
        "find what is typical",
        "cut typical",
        "gather nats",
        "cut nats",
        "compare lines",
    }


COMMAND = """
import json, sys
from stages.curate.run.run import Request, curate
from stages.settings.curate import CurateSettings
settings = CurateSettings.model_validate(json.loads(sys.argv[3]))
def wait(*step):
    print(*step, flush=True)
    sys.stdin.readline()
curate(Request(inputs=[sys.argv[1]], out=sys.argv[2], settings=settings), wait)
"""


def test_a_killed_run_goes_on_to_the_same_bytes(
    tmp_path, everything, request_, reference
):
    """Killed at its first semantic task, again among the lines."""
    settings = json.dumps(everything | {"shard_mb": 0.02})
    for step in ("assign to clusters", "compare lines"):
        command = [
            sys.executable,
            "-c",
            COMMAND,
            str(tmp_path / "pages"),
            str(tmp_path / "out"),
            settings,
        ]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"POLARS_MAX_THREADS": "1"},
        ) as process:
            while not (line := process.stdout.readline()).startswith(step):
                assert line
                process.stdin.write("\n")
                process.stdin.flush()
            process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "out/manifest.json").exists() and list(
        (tmp_path / "out/.work/copies").glob("losers-semantic-*")
    )
    assert hashes(curate(request_).as_json()) == reference


def test_the_dry_run_goes_through_every_search(tmp_path, request_, reference):
    found = estimate(request_)
    plain = estimate(
        Request(
            inputs=[str(tmp_path / "pages")],
            out=str(tmp_path / "none"),
            settings=CurateSettings(rules=["gopher_min_words"]),
        )
    )
    assert (
        found["disk_bytes"] > plain["disk_bytes"]
        and found["peak_memory_bytes"] > plain["peak_memory_bytes"]
    )
    assert not (tmp_path / "out").exists()


def test_an_index_holds_what_every_search_left(
    tmp_path, write, run, read, pages, everything
):
    """What was kept is a copy the next time; what a search dropped was not remembered."""
    for name in ("first", "second"):
        run(
            write(name=f"in-{name}", content=pages),
            name,
            request={"index": tmp_path / "index"},
            pool=name,
            **everything,
        )
    kept, again = (
        read("kept", "first"),
        read("dropped", "second").filter(
            pl.col("reason").str.starts_with("duplicate_")
        ),
    )
    assert set(kept["id"]) <= set(again["duplicate_of"]) and not set(
        read("dropped", "first")["id"]
    ) & set(again["duplicate_of"])
