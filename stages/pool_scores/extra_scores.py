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

import polars as pl

from stages.curation.reading.ordered_pool import Documents
<<<<<<< 9cb2e4ccf3cc97ef8dda912f899aedd8b33551a6
from stages.curation.score_kinds.kind import PipelineScore, Proxies, Sources
from stages.foundation.errors import InputError
=======
from stages.curation.scores.own_scores import column_scores, function_scores
from stages.curation.scores.perplexity import (
    Perplexity,
    fit_perplexity,
    score_documents,
)
from stages.curation.scores.rds_plus import cosines, round_robin_scores
from stages.curation.scores.skills import (
    keyphrases,
    phrase_likeness,
    skill_graph,
    skill_scores,
)
from stages.curation.scores.transport import MAX_POINTS, transport_scores
from stages.curation.vectors.embeddings import embedded, hashed_words, sentence_model
from stages.foundation.errors import InputError, ParamsError
from stages.foundation.stage import Section
>>>>>>> d65c831eff3125df31384bd2b149bdce9bdaa3ed
from stages.pool_scores.proxy_scores import (
    PACK,
    TOKENIZER,
    proxy_difficulty,
    proxy_embeddings,
)

Scorer = Callable[[pl.DataFrame], pl.Series]
PROXIES = Proxies(difficulty=proxy_difficulty, embeddings=proxy_embeddings)


def score_inputs(extra: dict[str, PipelineScore]) -> list[str]:
    """Files that the columns read, for DVC."""
    found: set[str] = set()
    for settings in extra.values():
        found |= set(settings.input_files())
        if settings.reads_pack():
            found |= {PACK, TOKENIZER}
    return sorted(found)


def extra_scorer(
    name: str, settings: PipelineScore, pool: Documents, reference: Documents, seed: int
) -> Scorer:
    """What gives tables of pool documents their column. Raises InputError that begins with the
    column's place in params.yaml.
    """
    sources = Sources(pool=pool, reference=reference, seed=seed, proxies=PROXIES)
    with _placed(name):
        score = settings.scorer(sources)

    def scored(frame: pl.DataFrame) -> pl.Series:
        with _placed(name):
            return pl.Series(name, score(frame), dtype=pl.Float64, nan_to_null=True)

    return scored


@contextmanager
def _placed(name: str) -> Iterator[None]:
    try:
        yield
    except InputError as error:
<<<<<<< 9cb2e4ccf3cc97ef8dda912f899aedd8b33551a6
        raise InputError(f"params.yaml: score.extra.{name}: {error}") from None
=======
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
    from stages.curation.scores.model_card import read_card
    from stages.curation.scores.ngram_model import KIND as NGRAM
    from stages.curation.scores.ngram_model import load_ngram
    from stages.curation.scores.quality_card import load_quality

    if read_card(folder)["kind"] == NGRAM:
        model = load_ngram(folder)[0]
        return lambda frame: score_documents(model, frame, 1)["nats"]
    quality = load_quality(folder)
    return lambda frame: quality.score(frame)["score"]
>>>>>>> d65c831eff3125df31384bd2b149bdce9bdaa3ed
