"""Every kind of score, in the pipeline and in `assay curate`: its settings parse, and a column or a refusal comes out.

A new kind needs no line here: it runs on its defaults and on the examples of its required settings.
"""

import random
from importlib import import_module
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import TypeAdapter, ValidationError

from stages.curate.run.score_steps import score_step
from stages.curation import score_kinds
from stages.curation.reading.documents import documents
from stages.curation.reading.ordered_pool import HeldPool
from stages.curation.reading.readers import read_all
from stages.curation.reading.rows import Columns
from stages.curation.score_kinds import KINDS, AnyCurateScore, AnyPipelineScore
from stages.curation.score_kinds.kind import (
    PipelineScore,
    Proxies,
    ScoreKind,
    Sources,
    kind_name,
)
from stages.curation.scores.ngram_model import train_ngram
from stages.foundation.errors import InputError

WORDS = "prime lemma proof ring field group kernel ideal street market bridge".split()
N_DOCUMENTS = 40
over_kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
in_curate = [kind for kind in KINDS if not isinstance(kind.curate, str)]


def example(model):
    """The section that a user must write at least."""
    section = {"kind": kind_name(model)}
    for name, field in model.model_fields.items():
        if field.is_required() and name != "kind":
            assert field.examples, (
                f"{model.__name__}.{name} is required: give it Field(examples=[...])"
            )
            section[name] = field.examples[0]
    return section


def texts(seed):
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=60)) for _ in range(N_DOCUMENTS)]


@pytest.fixture
def pool(tmp_path, monkeypatch):
    """A folder with all that the examples name, and the documents of the pool `web`, read from it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    rows = {"text": texts(0), "stars": range(N_DOCUMENTS)}
    pl.DataFrame(rows).write_ndjson("stars.jsonl")
    Path("my_scores.py").write_text("def rate(texts): return [len(t) for t in texts]\n")
    train_ngram(pl.Series(texts(1))).save("models/ngram", {})
    read = read_all(["stars.jsonl"], "web", columns=Columns(text="text"))
    carried = pl.col("source").str.extract(r"(\d+)$")  # as `extra` carries it: text
    return read.with_columns(parent="id", stars=carried)


def pretend_difficulty(pool, reference, *, seed, **settings):
    return np.linspace(0.0, 1.0, pool.height)


def pretend_embeddings(pool, reference, *, seed, **training):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(pool.height, 8)), rng.normal(size=(reference.height, 8))


def sources_of(pool):
    reference = documents(texts(2), [str(n) for n in range(N_DOCUMENTS)], "good")
    return Sources(
        pool=HeldPool(pool),
        reference=HeldPool(reference),
        seed=1,
        proxies=Proxies(difficulty=pretend_difficulty, embeddings=pretend_embeddings),
    )


@over_kinds
def test_the_pipeline_makes_a_column_of_numbers(kind, pool):
    asked = TypeAdapter(AnyPipelineScore).validate_python(example(kind.pipeline))
    assert type(asked) is kind.pipeline
    try:
        values = asked.scorer(sources_of(pool))(pool.sort("id"))
    except InputError as error:
        assert "assay[" in str(error), f"{kind.name}: {error}"
        pytest.skip(str(error))
    column = pl.Series(values, dtype=pl.Float64, nan_to_null=True)
    assert len(column) == N_DOCUMENTS and column.null_count() == 0
    assert column.n_unique() > 1, f"{kind.name} gives every document {column[0]}"


@pytest.mark.parametrize("kind", in_curate, ids=lambda kind: kind.name)
def test_assay_curate_makes_a_column_of_numbers(kind, pool, tmp_path):
    asked = TypeAdapter(AnyCurateScore).validate_python(example(kind.curate))
    assert type(asked) is kind.curate
    asked.fit(lambda most_chars, seed: pool, tmp_path / "fitted" / "worth")
    folder = tmp_path / "fitted"
    measured = score_step("worth", asked, folder).judge(pool).measures
    assert measured["worth"].len() == N_DOCUMENTS
    assert measured["worth"].null_count() == 0 and measured["worth"].n_unique() > 1


@pytest.mark.parametrize(
    "kind",
    [kind for kind in KINDS if kind not in in_curate],
    ids=lambda kind: kind.name,
)
def test_assay_curate_says_in_one_line_why_it_has_no_such_score(kind):
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(AnyCurateScore).validate_python(example(kind.pipeline))
    [fault] = refused.value.errors()
    assert fault["msg"] == (
        f"Value error, assay curate has no scores of kind {kind.name}: {kind.curate}"
    )
    assert "\n" not in kind.curate and "use " in kind.curate


def test_every_file_that_declares_a_kind_stands_in_the_list():
    folder = Path(score_kinds.__file__).parent
    for file in sorted(folder.glob("*.py")):
        if file.name == "__init__.py":
            continue
        module = import_module(f"stages.curation.score_kinds.{file.stem}")
        if isinstance(declared := getattr(module, "KIND", None), ScoreKind):
            assert declared in KINDS, (
                f"{file.name}: KIND is not in KINDS of __init__.py"
            )
        assert declared or file.name in ("kind.py", "embedded.py"), (
            f"{file.name} declares no KIND = ScoreKind(...)"
        )


@over_kinds
def test_a_kind_has_one_name_in_both_places(kind):
    assert kind_name(kind.curate_model) == kind.name
    assert [other.name for other in KINDS].count(kind.name) == 1


def test_a_kind_without_a_name_or_a_scorer_says_what_it_lacks(pool):
    class Forgetful(PipelineScore):
        pass

    with pytest.raises(TypeError, match="Forgetful needs a field kind"):
        kind_name(Forgetful)
    with pytest.raises(NotImplementedError, match="Forgetful has no scorer and no"):
        Forgetful().scorer(sources_of(pool))
