"""Skills that the user names, by words or by labels: the graph is counted by hand."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from stages.curation.reading.documents import documents
from stages.curation.reading.ordered_pool import HeldPool
from stages.curation.score_kinds.kind import Proxies, Sources
from stages.curation.score_kinds.skills import PipelineSkills
from stages.foundation.errors import InputError

REFERENCE = ["the oven and flour", "flour in an oven", "a matrix times a vector"]
POOL = ["hot oven", "one matrix", "nothing of both"]
# labels of reference and pool, by the line of their file
LABELS = [["cakes", "heat"], "cakes", ["sums"]], ["heat", None, ["sums", "other"]]


def sources(pool=POOL, reference=REFERENCE) -> Sources:
    """Documents of the pool `web` at lines 1 to 3, of the reference `books` likewise."""
    held = [
        HeldPool(documents(texts, [f"{name}.jsonl:{i + 1}" for i in range(3)], name))
        for name, texts in (("web", pool), ("books", reference))
    ]
    none = Proxies(difficulty=lambda *_, **__: None, embeddings=lambda *_, **__: None)
    return Sources(pool=held[0], reference=held[1], seed=1, proxies=none)


def by_text(settings: PipelineSkills) -> dict[str, float]:
    made = sources()
    values = settings.values(made)
    return dict(zip(made.pool.whole()["text"], values, strict=True))


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, labels in zip(("books", "web"), LABELS, strict=True):
        rows = [json.dumps({"text": "x", "skill": each}) for each in labels]
        Path(f"{name}.jsonl").write_text("\n".join(rows) + "\n")
    return {name: f"{name}.jsonl" for name in ("web", "books")}


def test_named_words_are_the_skills():
    found = by_text(PipelineSkills(kind="skills", names=["Oven", "flour"]))
    # each in two texts and both together in two: a quarter of the graph each
    assert found["hot oven"] == pytest.approx(0.5 / 2**0.5)
    assert found["one matrix"] == found["nothing of both"] == 0
    every = by_text(PipelineSkills(kind="skills", names=["oven", "matrix"]))
    # ovens in two texts, matrices in one, never together: two thirds and one
    assert every["hot oven"] == pytest.approx(2 / 3 / 2**0.5)
    assert every["one matrix"] == pytest.approx(1 / 3 / 2**0.5)


def test_a_name_may_be_a_phrase_of_three_words():
    made = sources(
        pool=["some large language models", "language", "models"],
        reference=["large language models", "other text", "and more text"],
    )
    settings = PipelineSkills(kind="skills", names=["Large Language Models"])
    found = dict(zip(made.pool.whole()["text"], settings.values(made), strict=True))
    assert found["some large language models"] == pytest.approx(0.5)
    assert found["language"] == found["models"] == 0


def test_labels_are_the_skills(files):
    found = by_text(PipelineSkills(kind="skills", column="skill", files=files))
    # cakes 2, heat 1, sums 1, cakes with heat 1 each way: of 6, heat has 2 and sums 1
    assert found["hot oven"] == pytest.approx(2 / 6)
    assert found["one matrix"] == 0
    assert found["nothing of both"] == pytest.approx(1 / 6)


def test_a_pool_whose_file_is_not_named_has_no_labels(files):
    only = {"books": files["books"]}
    found = by_text(PipelineSkills(kind="skills", column="skill", files=only))
    assert set(found.values()) == {0}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"names": ["violin"]}, "skill 'violin' is in no reference document"),
        ({"names": ["of"]}, "skill 'of' has no word of two letters"),
        ({"names": ["oven", "the oven"]}, "looked for as 'oven', and so is another"),
        ({"column": "skil", "files": {"books": "books.jsonl"}}, "no column 'skil'"),
        ({"column": "skill", "files": {"boks": "b"}}, "files names the pool 'boks'"),
        ({"column": "skill", "files": {"web": "web.jsonl"}}, "no reference document"),
        ({"column": "text", "files": {"books": "short"}}, "2 of 3 documents"),
        ({"column": "n", "files": {"books": "number"}}, "1: column 'n' holds '3'"),
    ],
)
def test_skills_that_are_not_there_are_one_line(files, settings, message):
    for name, line in (("short", '{"text": "x"}'), ("number", '{"n": 3}')):
        Path(name).mkdir()
        Path(f"{name}/books.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match=message) as error:
        PipelineSkills(kind="skills", **settings).values(sources())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"names": ["a", "A "]}, "names 'a' twice"),
        ({"names": ["oven"], "skills": 5}, "skills is for skills that are found"),
        ({"names": ["oven"], "stop": ["x"]}, "stop is for skills that are found"),
        ({"column": "skill"}, "column and files belong together"),
        ({"names": ["a"], "id": "key"}, "id is for column and files"),
        (
            {"names": ["a"], "column": "skill", "files": {"web": "f"}},
            "by names or by a column",
        ),
    ],
)
def test_settings_that_contradict_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        PipelineSkills(kind="skills", **settings)


def test_found_skills_are_written_as_before():
    assert set(PipelineSkills(kind="skills").model_dump()) == {"kind", "skills", "stop"}
    assert PipelineSkills(kind="skills").input_files() == []
