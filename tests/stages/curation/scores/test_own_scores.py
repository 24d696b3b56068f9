"""A user's scorer and a column of the input: their values, and one line for every way they can be wrong."""

import gzip
import json

import numpy as np
import polars as pl
import pytest

from stages.curation.reading.readers import Columns, read_all
from stages.curation.scores.own_scores import (
    column_scores,
    function_scores,
    load_scorer,
)
from stages.foundation.errors import InputError

MODULE = """
calls = []
def length(texts):
    calls.append(len(texts))
    return [len(text) for text in texts]
def short(texts): return [1.0]
def broken(texts): raise KeyError("no\\nweights")
def nothing(texts): return [float("nan") for _ in texts]
number = 3
"""


@pytest.fixture
def scorer(tmp_path, monkeypatch):
    (tmp_path / "my_own_scores.py").write_text(MODULE)
    (tmp_path / "does_not_import.py").write_text("import not_there_at_all")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [str(tmp_path), *__import__("sys").path])
    yield "my_own_scores"
    __import__("sys").modules.pop("my_own_scores", None)


def test_a_function_scores_in_batches(scorer):
    texts = ["a" * (i % 7) for i in range(2500)]
    assert function_scores(texts, f"{scorer}:length").tolist() == [
        i % 7 for i in range(2500)
    ]
    assert __import__(scorer).calls == [1000, 1000, 500]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("length", "not of the form module:function"),
        ("no_such_module:f", "importing no_such_module failed: ModuleNotFoundError"),
        ("does_not_import:f", "importing does_not_import failed: ModuleNotFoundError"),
        ("my_own_scores:number", "has no function 'number'"),
        ("my_own_scores:short", r"gave \(1,\) values for 3 texts"),
        ("my_own_scores:broken", "failed on documents 1 to 3: KeyError: 'no.*weights'"),
        ("my_own_scores:nothing", "gave nan for document 1"),
    ],
)
def test_a_bad_function_is_one_line(scorer, name, message):
    with pytest.raises(InputError, match=message) as error:
        function_scores(["a", "b", "c"], name)
    assert "\n" not in str(error.value)


def rows(n=30):
    return [
        {"name": f"n{i}", "body": f"text {i} " * (3 + 40 * (i == 4)), "edu": i / 10}
        for i in range(n)
    ]


@pytest.mark.parametrize("kind", ["jsonl.gz", "parquet"])
@pytest.mark.parametrize("id_column", ["name", None])
def test_a_column_meets_its_documents_and_their_passages(tmp_path, kind, id_column):
    file = tmp_path / f"in.{kind}"
    if kind == "parquet":
        pl.DataFrame(rows()).write_parquet(file)
    else:
        with gzip.open(file, "wt") as out:
            out.write("\n".join(json.dumps(row) for row in rows()))
    frame = read_all(
        file, "p", columns=Columns(text="body", id=id_column), passage_chars=100
    )
    scores = column_scores(frame, str(file), "edu", id=id_column)
    numbers = frame["text"].str.extract(r"(\d+)").cast(pl.Int64).to_numpy()
    assert frame.height > 31
    np.testing.assert_allclose(scores, numbers / 10)


def test_a_bad_column_is_one_line(tmp_path):
    file = tmp_path / "in.jsonl"
    file.write_text('{"body": "a", "edu": 1}\n{"body": "b", "edu": "high"}\n')
    frame = read_all(file, "p", columns=Columns(text="body"))
    with pytest.raises(
        InputError, match="in.jsonl:2: column 'edu' holds 'high', not a number"
    ):
        column_scores(frame, str(file), "edu")
    with pytest.raises(
        InputError, match="in.jsonl:1: no column 'quality'; columns seen: body, edu"
    ):
        column_scores(frame, str(file), "quality")
    file.write_text('{"body": "a", "edu": 1}\n')
    with pytest.raises(
        InputError,
        match="no finite number for 1 of 2 documents, the first is in.jsonl:2",
    ):
        column_scores(frame, str(file), "edu")
    file.write_text(
        '{"body": "a", "edu": 1, "k": 1}\n{"body": "b", "edu": 2, "k": 1}\n'
    )
    with pytest.raises(InputError, match="2 rows of .* share their id in column 'k'"):
        column_scores(frame, str(file), "edu", id="k")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="bad.parquet: not a readable parquet file"):
        column_scores(frame, str(tmp_path / "bad.parquet"), "edu")
    with pytest.raises(InputError, match="no such file"):
        column_scores(frame, str(tmp_path / "none.jsonl"), "edu")


def test_load_scorer_gives_the_function(scorer):
    assert load_scorer("my_own_scores:length")(["ab"]) == [2]
