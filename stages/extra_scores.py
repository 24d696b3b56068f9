"""Further score columns that a project may ask for, each under a name of its own that arms can
select `by`.

Question: which other order of the documents should compete? Input: one section a column
(`score.extra.NAME: {kind: ...}`), pool and reference. Output: one number a document, null where a
method has none. Nothing is computed that is not asked for. Orientation: ngram and proxy are
difficulties (high = hard to predict); nearest, transport and skills are likenesses to the reference
(high = keep); function and column are what the user says; saved is what the model is. Cost: a
column each; see the module behind each kind. ngram, function, saved, column and proxy go batch by
batch; nearest, transport and skills hold all texts of the pool.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import Field

from stages.curation.documents import uniform
from stages.curation.embeddings import embedded, hashed_words, sentence_model
from stages.curation.ordered_pool import Documents
from stages.curation.own_scores import column_scores, function_scores
from stages.curation.perplexity import Perplexity, fit_perplexity, score_documents
from stages.curation.rds_plus import cosines, round_robin_scores
from stages.curation.skills import (
    keyphrases,
    phrase_likeness,
    skill_graph,
    skill_scores,
)
from stages.curation.transport import MAX_POINTS, transport_scores
from stages.errors import InputError, ParamsError
from stages.proxy_scores import PACK, TOKENIZER, proxy_difficulty, proxy_embeddings
from stages.stage import Section


class NgramScore(Section):
    kind: Literal["ngram"]
    unit: Literal["word", "character"] = "word"
    order: int = Field(3, ge=1, le=8, description="words or characters of an n-gram")
    train_on: Literal["reference", "pool"] = Field(
        "reference",
        description=(
            "what the model has read; pool: each half is scored by the other's model"
        ),
    )
    train_chars: int = Field(50_000_000, ge=10_000)
    min_tokens: int = Field(
        8, ge=1, description="shorter documents have no score and come last"
    )


class Training(Section):
    """A proxy that is trained for a score."""

    size: str = Field("25k", description="a rung of the ladder of proxies")
    tokens: int = Field(262_144, ge=4_096, description="tokens that it is trained on")
    context: int = Field(128, ge=8, le=65_536)


class ProxyScore(Training):
    kind: Literal["proxy"]
    measure: Literal["nats", "el2n", "gradient"] = Field(
        "nats",
        description=(
            "mean loss a token, EL2N, or the norm of the document's gradient (GraNd)"
        ),
    )
    train_on: Literal["reference", "pool"] = "reference"
    min_tokens: int = Field(8, ge=1)


class Embedded(Training):
    """How pool and reference are embedded; size, tokens and context are those of the proxy, if it is one."""

    embed: Literal["words", "proxy"] = Field(
        "words",
        description="hashed words, or hidden states of a proxy trained on the pool",
    )
    model: str | None = Field(
        None, description="folder of a sentence-transformers model, in place of both"
    )


class NearestScore(Embedded):
    kind: Literal["nearest"]
    queries: int = Field(
        200,
        ge=1,
        description=(
            "reference documents that take turns, drawn by hash; pools of the reference"
            " have equal turns"
        ),
    )


class TransportScore(Embedded):
    kind: Literal["transport"]
    max_points: int = Field(
        MAX_POINTS,
        ge=10,
        description="documents of a side that the transport problem is solved for",
    )


class SkillScore(Section):
    kind: Literal["skills"]
    skills: int = Field(
        200, ge=1, description="keyphrases of the reference that stand for its skills"
    )
    stop: list[str] = []


class FunctionScore(Section):
    kind: Literal["function"]
    function: str = Field(
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="module:function; a list of texts in, as many numbers out",
    )


class ColumnScore(Section):
    kind: Literal["column"]
    column: str
    files: dict[str, str] = Field(
        min_length=1,
        description=(
            "file or folder by pool, as in ingest; pools not named have no score and"
            " come last"
        ),
    )
    id: str | None = Field(None, description="the id column, if ingest maps one")


class SavedScore(Section):
    kind: Literal["saved"]
    folder: str = Field(description="a saved quality classifier or n-gram model")


ExtraScore = Annotated[
    NgramScore
    | ProxyScore
    | NearestScore
    | TransportScore
    | SkillScore
    | FunctionScore
    | ColumnScore
    | SavedScore,
    Field(discriminator="kind"),
]


def score_inputs(extra: dict[str, ExtraScore]) -> list[str]:
    """Files that the columns read, for DVC."""
    found: set[str] = set()
    for settings in extra.values():
        match settings:
            case ProxyScore():
                found |= {PACK, TOKENIZER}
            case Embedded(model=str(folder)):
                found.add(folder)
            case Embedded(embed="proxy"):
                found |= {PACK, TOKENIZER}
            case ColumnScore():
                found |= set(settings.files.values())
            case SavedScore():
                found.add(settings.folder)
            case FunctionScore():
                own = Path(*settings.function.partition(":")[0].split(".")).with_suffix(
                    ".py"
                )
                found |= {own.as_posix()} if own.is_file() else set()
    return sorted(found)


Scorer = Callable[[pl.DataFrame], pl.Series]


def extra_scorer(
    name: str, settings: ExtraScore, pool: Documents, reference: Documents, seed: int
) -> Scorer:
    """What gives tables of pool documents their column. Raises InputError that begins with the
    column's place in params.yaml.
    """
    with _placed(name):
        score = _scorer(settings, pool, reference, seed)

    def scored(frame: pl.DataFrame) -> pl.Series:
        with _placed(name):
            return pl.Series(name, score(frame), dtype=pl.Float64, nan_to_null=True)

    return scored


@contextmanager
def _placed(name: str) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise ParamsError(f"score.extra.{name}: {error}") from None


def _scorer(
    settings: ExtraScore, pool: Documents, reference: Documents, seed: int
) -> Callable[[pl.DataFrame], np.ndarray | pl.Series]:
    match settings:
        case NgramScore():
            fitted = fit_perplexity(
                pool,
                reference,
                Perplexity(**settings.model_dump(exclude={"kind"}), seed=seed),
            )
            return lambda frame: fitted.score(frame)["nats"]
        case FunctionScore():
            return lambda frame: function_scores(frame["text"], settings.function)
        case SavedScore():
            return _saved(settings.folder)
        case ColumnScore():
            values = _column(settings, pool.columns("id", "pool", "source"))
        case ProxyScore():
            values = proxy_difficulty(
                pool.columns("id", "parent"),
                reference.whole(),
                seed=seed,
                **settings.model_dump(exclude={"kind"}),
            )
        case _:
            values = _of_whole(settings, pool.whole(), reference.whole(), seed)
    table = pool.columns("id").with_columns(
        value=pl.Series(values, dtype=pl.Float64, nan_to_null=True)
    )
    return lambda frame: _looked_up(frame, table)


def _looked_up(frame: pl.DataFrame, table: pl.DataFrame) -> pl.Series:
    """The values of these documents; `table` is sorted by id."""
    near = table.filter(
        pl.col("id").is_between(pl.lit(frame["id"].min()), pl.lit(frame["id"].max()))
    )
    return frame.select("id").join(near, on="id", how="left", maintain_order="left")[
        "value"
    ]


def _of_whole(
    settings: ExtraScore, pool: pl.DataFrame, reference: pl.DataFrame, seed: int
) -> np.ndarray:
    """The methods that compare every document with the target at once, (n,) in id order: all texts
    are held in memory.
    """
    match settings:
        case NearestScore():
            queries = (
                reference.with_columns(_u=uniform(seed, reference["id"], "query"))
                .sort("_u")
                .head(settings.queries)
            )
            documents, targets = _embeddings(settings, pool, queries, seed)
            return round_robin_scores(
                cosines(targets, documents), tasks=queries["pool"].to_list()
            )
        case TransportScore():
            documents, targets = _embeddings(settings, pool, reference, seed)
            return transport_scores(
                documents, targets, max_points=settings.max_points, seed=seed
            )
        case SkillScore():
            phrases = keyphrases(
                reference["text"].to_list(), settings.skills, stop=settings.stop
            )
            return skill_scores(
                phrase_likeness(pool["text"].to_list(), phrases),
                skill_graph(phrase_likeness(reference["text"].to_list(), phrases)),
            )


def _embeddings(
    settings: Embedded, pool: pl.DataFrame, reference: pl.DataFrame, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pool and reference in one space."""
    if settings.embed == "proxy" and not settings.model:
        return proxy_embeddings(
            pool,
            reference,
            seed=seed,
            size=settings.size,
            tokens=settings.tokens,
            context=settings.context,
        )
    texts = [*pool["text"], *reference["text"]]
    both = (
        embedded(sentence_model(settings.model), texts)
        if settings.model
        else hashed_words(texts, seed=seed)
    )
    return both[: pool.height], both[pool.height :]


def _column(settings: ColumnScore, pool: pl.DataFrame) -> pl.Series:
    if unknown := sorted(set(settings.files) - set(pool["pool"])):
        raise InputError(
            f"files names the pool {unknown[0]!r}; the pools are"
            f" {', '.join(sorted(set(pool['pool'])))}"
        )
    parts = [
        part.select(
            "id",
            value=pl.Series(
                column_scores(
                    part, settings.files[name], settings.column, id=settings.id
                )
            ),
        )
        for (name,), part in pool.group_by("pool", maintain_order=True)
        if name in settings.files
    ]
    return pool.select("id").join(
        pl.concat(parts), on="id", how="left", maintain_order="left"
    )["value"]


def _saved(folder: str) -> Scorer:
    from stages.curation.model_card import read_card
    from stages.curation.ngram_model import KIND as NGRAM
    from stages.curation.ngram_model import load_ngram
    from stages.curation.quality_card import load_quality

    if read_card(folder)["kind"] == NGRAM:
        model = load_ngram(folder)[0]
        return lambda frame: score_documents(model, frame, 1)["nats"]
    quality = load_quality(folder)
    return lambda frame: quality.score(frame)["score"]
