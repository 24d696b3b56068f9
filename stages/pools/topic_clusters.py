"""Clusters of documents that a mixture is made of where nobody has labelled them, named by their words.

Question: which kinds of text do the pools hold? Input: shards of pools. Output: the cluster of every document.
Documents lie by hashed words, or by a sentence model of the user's, and are clustered by direction (spherical k-means),
so neither order nor sharding changes a result. A cluster is named by the three words, function words left out, that
tell it best from all documents: p(w | cluster) log(p(w | cluster) / p(w)), their parts of the divergence (Kullback and
Leibler 1951) over documents that hold w. Cost: 5 MB of text a CPU-second (assumed, as semantic copies); memory of 256
bytes a document.
"""

import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import polars as pl

from stages.curation.text.function_words import FUNCTION_WORDS
from stages.curation.vectors.place import clusters_cost
from stages.curation.vectors.spherical import spherical_kmeans
from stages.foundation.errors import InputError
from stages.pools.copies_section import SemanticParams
from stages.pools.products_device import products_device
from stages.pools.semantic_copies import embedded_documents, sampled_texts

log = logging.getLogger("assay")
WORD = r"\p{L}{3,}"  # ours: shorter ones tell languages, not topics
N_WORDS = 3
MOST_WORDS = 12  # ours: from which two clusters alike have names of their own
LEAST_DOCUMENTS = 2  # ours: a word of one document tells that document


def topic_clusters(
    shards: Sequence[Path],
    n_clusters: int,
    *,
    seed: int,
    model: str | None = None,
    taken: Sequence[str] = (),
    device: str = "auto",
) -> pl.DataFrame:
    """Columns `id` and `cluster`, the name, of every document of the shards, by id.

    model: folder of a sentence-transformers model in place of hashed words; taken: names that no cluster may have;
    device: auto, cpu or cuda (curation/vectors/place.py).
    Raises InputError where there are fewer documents than clusters.
    """
    every = pl.concat(
        [pl.scan_parquet(shard).select("id").collect() for shard in shards]
    )
    if len(every) < n_clusters:
        raise InputError(
            f"{len(every)} documents make no {n_clusters} clusters; ask for fewer"
        )
    settings = SemanticParams(model=model, device=device)
    names, rows = embedded_documents(
        shards, every, params=settings, seed=seed, stage="arms"
    )
    with products_device(
        device,
        clusters_cost(len(rows), rows.shape[1], n_clusters),
        f"arms: {n_clusters} clusters are sought",
    ) as there:
        found = spherical_kmeans(
            rows, names.to_list(), n_clusters, seed=seed, device=there
        )
    table = pl.DataFrame({"id": names, "number": found.cluster})
    counts = word_counts(sampled_texts(shards, every, seed), table)
    words = cluster_words(counts, n_clusters)
    called = pl.Series(distinct(words, taken))
    log.info("arms: %d clusters: %s", n_clusters, ", ".join(called))
    return table.select("id", cluster=called.gather(table["number"])).sort("id")


def word_counts(frames: Iterable[pl.DataFrame], table: pl.DataFrame) -> pl.DataFrame:
    """Columns number, word, documents and of: in how many documents of a cluster a word stands, of how many.

    frames: id and text of a sample; table: id and number of the cluster.
    """
    words, sizes = [], []
    for frame in frames:
        own = frame.join(table, on="id", how="inner", maintain_order="left")
        sizes.append(own.group_by("number").agg(of=pl.len()))
        found = pl.col("text").str.to_lowercase().str.extract_all(WORD).list.unique()
        each = own.select("number", word=found).explode("word").drop_nulls("word")
        words.append(each.group_by("number", "word").agg(documents=pl.len()))
    of = pl.concat(sizes).group_by("number").agg(pl.col("of").sum())
    counts = pl.concat(words).group_by("number", "word").agg(pl.col("documents").sum())
    return counts.join(of, on="number").sort("number", "word")


def cluster_words(counts: pl.DataFrame, n_clusters: int) -> list[list[str]]:
    """The words of each cluster, most telling first. counts: as of word_counts.

    >>> rows = {"number": [0, 0, 1, 1], "word": ["the", "goal", "the", "stock"], "documents": [9, 8, 9, 7]}
    >>> cluster_words(pl.DataFrame(rows).with_columns(of=10), 2)
    [['goal'], ['stock']]
    """
    total = int(counts.unique("number")["of"].sum())
    here = pl.col("documents") / pl.col("of")
    usual = pl.col("documents").sum().over("word") / total
    told = counts.with_columns(told=here * (here / usual).log())
    kept = told.filter(
        (pl.col("documents") >= LEAST_DOCUMENTS)
        & (pl.col("told") > 0)
        & ~pl.col("word").is_in(function_words())
    )
    best = kept.sort("told", "word", descending=[True, False])
    words = dict(
        best.group_by("number", maintain_order=True)
        .agg(pl.col("word").head(MOST_WORDS))
        .iter_rows()
    )
    return [list(words.get(number, [])) for number in range(n_clusters)]


def function_words() -> list[str]:
    """Words that tell a style and no topic, of all languages that are known; they may be the most telling of all."""
    return sorted({word for each in FUNCTION_WORDS.values() for word in each.split()})


def distinct(words: Sequence[Sequence[str]], taken: Sequence[str]) -> list[str]:
    """`goal-match-team` of each cluster's words; where another has this name a further word stands last, then a number.

    >>> distinct([["a", "b", "c", "d"], ["a", "b", "c", "e"], ["a", "b", "c"], []], taken=["cluster"])
    ['a-b-c', 'a-b-e', 'a-b-c-2', 'cluster-2']
    """
    used, names = set(taken), []
    for each in words:
        name = next(name for name in _names(list(each)) if name not in used)
        used.add(name)
        names.append(name)
    return names


def _names(words: list[str]) -> Iterator[str]:
    """Names of a cluster, the best first."""
    plain = "-".join(words[:N_WORDS]) or "cluster"
    yield plain
    for word in words[N_WORDS:]:
        yield "-".join([*words[: N_WORDS - 1], word])
    for number in itertools.count(2):
        yield f"{plain}-{number}"
