"""Synthetic documents with planted copies, written in any number of files."""

import json
import random
from pathlib import Path

import polars as pl
import pytest

from stages.curate.run.run import Request, curate
from stages.settings.curate import CurateSettings

WORDS = (
    "the river of time and its banks have been a home to many small towns with old"
    " mills that turn by day be it cold or warm".split()
)


def text(rng: random.Random, n_words: int = 120) -> str:
    words = [
        rng.choice(WORDS) + rng.choice(["", "", "s", "ed", "ing", "er", "ly"])
        for _ in range(n_words)
    ]
    return "\n".join(
        " ".join(words[start : start + 12]) + "." for start in range(0, n_words, 12)
    )


@pytest.fixture(scope="session")
def rows() -> list[dict]:
    """120 documents, of them 10 exact copies, 10 near copies (one word changed), 10 too short, 2 blank."""
    rng = random.Random(0)
    rows = [{"text": text(rng), "key": f"k{i}"} for i in range(88)]
    rows += [{"text": rows[i]["text"], "key": f"e{i}"} for i in range(10)]
    rows += [
        {
            "text": (
                rows[i]["text"].replace(rows[i]["text"].split()[30], "changed", 1)
                + " End."
            ),
            "key": f"n{i}",
        }
        for i in range(20, 30)
    ]
    rows += [{"text": f"Too short {i}.", "key": f"s{i}"} for i in range(10)] + [
        {"text": "  ", "key": "b0"},
        {"text": None, "key": "b1"},
    ]
    rng.shuffle(rows)
    return rows


@pytest.fixture
def write(tmp_path, rows):
    """write(n, folder): the rows as n JSON lines files, in order."""

    def written(
        n: int = 1, name: str = "raw", content: list[dict] | None = None
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        content = rows if content is None else content
        for part in range(n):
            lines = content[len(content) * part // n : len(content) * (part + 1) // n]
            (folder / f"part-{part}.jsonl").write_text(
                "".join(json.dumps(row) + "\n" for row in lines)
            )
        return folder

    return written


SETTINGS = {"rules": ["gopher_min_words", "gopher_stop_words"], "part_chars": 24_000}


@pytest.fixture
def settings():
    """settings(**changes): two rules, small parts."""

    def made(**changes) -> CurateSettings:
        return CurateSettings.model_validate(SETTINGS | changes)

    return made


@pytest.fixture
def run(tmp_path, settings):
    """run(inputs, name, workers=..., **changes of the settings) -> manifest."""

    def done(inputs, name: str = "out", request: dict | None = None, **changes) -> dict:
        inputs = [
            str(item) for item in (inputs if isinstance(inputs, list) else [inputs])
        ]
        return curate(
            Request(
                inputs=inputs,
                out=str(tmp_path / name),
                settings=settings(**changes),
                **(request or {}),
            )
        ).as_json()

    return done


@pytest.fixture
def read(tmp_path):
    """read(side, name): the documents of one side of a result, in order."""

    def table(side: str = "kept", name: str = "out") -> pl.DataFrame:
        return pl.concat(
            pl.read_parquet(file)
            for file in sorted((tmp_path / name / side).glob("*.parquet"))
        )

    return table


@pytest.fixture(scope="session")
def everything() -> dict:
    """Settings with every search over the whole input."""
    return SETTINGS | {
        "rules": ["gopher_min_words"],
        "dedup": {"keep": "nats"},
        "scores": {"nats": {"kind": "ngram", "train_chars": 10_000, "keep": 0.9}},
        "semantic": {"eps": 0.05, "keep": "nats", "keep_diverse": 0.9},
        "lines": {"drop_above": 0.7},
        "paragraphs": {"cut": False},
    }
