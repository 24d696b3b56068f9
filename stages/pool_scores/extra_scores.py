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
from stages.curation.score_kinds.kind import PipelineScore, Proxies, Sources
from stages.foundation.errors import InputError, ParamsError
from stages.pool_scores.proxy_scores import (
    proxy_difficulty,
    proxy_embeddings,
)

Scorer = Callable[[pl.DataFrame], pl.Series]
PROXIES = Proxies(difficulty=proxy_difficulty, embeddings=proxy_embeddings)


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
        raise ParamsError(f"score.extra.{name}: {error}") from None
