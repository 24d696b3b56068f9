"""Perplexity finds the hidden like-reference text, keeps equal tokens in every band, and fails as its header says."""

import random

import polars as pl
import pytest

from stages.curation.reading.documents import documents
from stages.curation.scores.perplexity import (
    Perplexity,
    ccnet_parts,
    keep_band,
    length_correlation,
    perplexity_scores,
)
from stages.foundation.errors import InputError

WORDS = (
    "the of and to in a is that for it as was with be by on not he his but at are this"
    " have from".split()
)


def chain(rng, words, n):
    """Words in a habitual order: there is something to learn."""
    at, out = rng.randrange(len(words)), []
    for _ in range(n):
        at = (at + 1) % len(words) if rng.random() < 0.7 else rng.randrange(len(words))
        out.append(words[at])
    return " ".join(out)


def written(words, n, seed, prefix, lengths=(20, 90), pool=None):
    rng = random.Random(seed)
    texts = [chain(rng, words, rng.randint(*lengths)) for _ in range(n)]
    frame = documents(
        texts, [f"{prefix}{i}" for i in range(n)], pool or prefix, langs="en"
    )
    return frame.with_columns(n_tokens=pl.col("text").str.split(" ").list.len())


@pytest.fixture(scope="module")
def data():
    shuffled = WORDS[::2] + WORDS[1::2]
    noise = ["".join(random.Random(i).choices("bcdfgkz", k=5)) for i in range(3000)]
    pool = pl.concat(
        [
            written(WORDS, 60, 1, "like"),
            written(shuffled, 200, 2, "other"),
            written(noise, 60, 3, "noise"),
        ]
    ).sort("id")
    return pool, written(WORDS, 300, 4, "reference")


@pytest.fixture(scope="module")
def scored(data):
    return data[0].join(perplexity_scores(*data), on="id", maintain_order="left")


def test_text_like_the_reference_is_easiest_and_noise_hardest(scored):
    easiest, hardest = scored.sort("nats").head(60), scored.sort("nats").tail(60)
    assert (easiest["pool"] == "like").mean() > 0.97 and (
        hardest["pool"] == "noise"
    ).mean() > 0.97
    assert abs(length_correlation(scored.filter(pool="like"))) < 0.3


def test_bands_have_equal_tokens_in_every_pool(scored):
    for band in ("high", "medium", "low"):
        kept = keep_band(scored, 0.3, band)
        for (pool,), part in kept.group_by("pool"):
            assert part["n_tokens"].sum() == pytest.approx(
                0.3 * scored.filter(pool=pool)["n_tokens"].sum(), abs=90
            )
    low, medium, high = (
        set(keep_band(scored, 0.33, band, within=None)["id"])
        for band in ("low", "medium", "high")
    )
    assert len(low & high) == 0 and len(medium & high) < 4 and len(medium & low) < 4


def test_ccnet_thirds(scored):
    parts = scored.with_columns(part=ccnet_parts(scored))
    tokens = (
        parts.group_by("part")
        .agg(pl.col("n_tokens").sum(), pl.col("nats").mean())
        .sort("nats")
    )
    assert tokens["part"].to_list() == ["head", "middle", "tail"]
    assert (tokens["n_tokens"] / tokens["n_tokens"].sum()).is_between(0.32, 0.345).all()


def test_short_documents_have_no_score_and_come_last_in_every_band(data):
    pool, reference = data
    short = written(WORDS, 40, 9, "short", lengths=(2, 5))
    both = pl.concat([pool, short])
    scored = both.join(
        perplexity_scores(both, reference), on="id", maintain_order="left"
    )
    assert (
        scored.filter(pool="short")["nats"].is_null().all()
        and scored.filter(pl.col("pool") != "short")["nats"].is_not_null().all()
    )
    for band in ("high", "medium", "low"):
        assert "short" not in keep_band(scored, 0.5, band, within=None)["pool"]
    assert keep_band(scored, 1.0, "high", within=None).height == both.height
    assert ccnet_parts(scored).null_count() == 40


def test_trained_on_the_pool_each_half_is_scored_by_the_other(data):
    pool, _ = data
    found = perplexity_scores(pool, None, Perplexity(train_on="pool"))
    assert found["id"].equals(pool["id"]) and found["nats"].is_not_null().all()
    assert (
        perplexity_scores(pool.reverse(), None, Perplexity(train_on="pool"))
        .sort("id")
        .equals(found.sort("id"))
    )
    means = pool.join(found, on="id").group_by("pool").agg(pl.col("nats").mean())
    nats = dict(means.iter_rows())
    assert (
        nats["other"] < nats["like"] < nats["noise"]
    )  # what the pool holds most of is easiest


def test_failure_a_copy_of_the_reference_is_easiest_though_it_teaches_nothing(data):
    pool, reference = data
    copies = documents(
        reference["text"][:20], [str(i) for i in range(20)], "copy"
    ).with_columns(n_tokens=pl.lit(50, dtype=pl.UInt32))
    both = pl.concat([pool, copies])
    scored = both.join(perplexity_scores(both, reference), on="id")
    fresh = scored.filter(pool="like")["nats"]
    assert (
        scored.filter(pool="copy")["nats"].mean()
        < fresh.mean() - 2 * fresh.std() / fresh.len() ** 0.5
    )


def test_mistakes_are_named(data):
    with pytest.raises(InputError, match="needs reference documents"):
        perplexity_scores(data[0], None)
    with pytest.raises(InputError, match="choose reference or pool"):
        perplexity_scores(data[0], None, Perplexity(train_on="web"))
    with pytest.raises(InputError, match="no perplexity band 'mid'"):
        keep_band(data[0], 0.5, "mid")
