"""Texts in, embeddings out, through the project's own proxy; and semantic duplicates found with them."""

import json

import numpy as np
import polars as pl
import pytest

from stages.curate.run.run import Request, curate
from stages.curation.duplicates.semantic import semdedup
from stages.curation.vectors.embeddings import embedded, hashed_words
from stages.foundation.errors import InputError
from stages.pools.embed_documents import choose_embed, proxy_embed, proxy_of
from stages.pools.tokens import EOS, tokenised, train_tokenizer
from stages.proxy.readers.reader import train_reader
from stages.proxy.tokens.packed import write_packed
from stages.settings.curate import CurateSettings

WORDS = {
    "sport": "match team goal coach player season league score".split(),
    "money": "bank rate stock bond market price profit loan".split(),
}


def sentences(topic, n, seed):
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS[topic], 15)) for _ in range(n)]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A tokenizer and a reader trained on two topics."""
    folder = tmp_path_factory.mktemp("project")
    texts = sentences("sport", 150, 0) + sentences("money", 150, 1)
    tokenizer = train_tokenizer(iter(texts), 300)
    tokenizer.save(str(folder / "tokenizer.json"))
    frame = pl.DataFrame({"id": [str(i) for i in range(300)], "text": texts})
    packed = write_packed(
        folder / "pool",
        tokenised(iter([frame]), tokenizer),
        vocab_size=tokenizer.get_vocab_size(),
        eos_id=tokenizer.token_to_id(EOS),
    )
    train_reader(
        packed, np.arange(300), size="6k", tokens=16_384, context=32, batch_tokens=256
    ).save(folder / "reader")
    return folder


def test_topics_lie_apart_and_semantic_copies_are_dropped(project):
    embed, reason = choose_embed(
        str(project / "reader"), str(project / "tokenizer.json")
    )
    texts = sentences("sport", 30, 5) + sentences("money", 30, 6)
    copies = [f"{text}." for text in texts[:10]]
    rows = embedded(embed, texts + copies)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    nearest = (unit[:60] @ unit[:60].T - 2 * np.eye(60)).argmax(axis=1)
    assert ((nearest < 30) == (np.arange(60) < 30)).mean() > 0.9 and "proxy" in reason
    found = semdedup(rows, range(70), drop_fraction=10 / 70, n_clusters=2)
    pairs = [(i, 60 + i) for i in range(10)]
    assert sum(not (found.keep[a] and found.keep[b]) for a, b in pairs) >= 8


def test_without_a_proxy_words_are_hashed_and_what_is_missing_is_named(
    project, tmp_path
):
    assert choose_embed()[0] is hashed_words
    with pytest.raises(InputError, match="no such file; give the tokenizer"):
        proxy_embed(project / "reader", tmp_path / "none.json")
    with pytest.raises(InputError, match="holds no readable proxy"):
        proxy_embed(tmp_path, project / "tokenizer.json")


def test_assay_curate_searches_semantic_copies_with_a_proxy(project, tmp_path):
    """The same bytes for one shard and many, though a proxy's rounding depends on its batch."""
    texts = sentences("sport", 40, 7) + sentences("money", 40, 8)
    (tmp_path / "a.jsonl").write_text(
        "".join(
            json.dumps({"text": text}) + "\n"
            for text in [*texts, *(f"{text} ." for text in texts[:10])]
        )
    )
    semantic = {
        "embed": "proxy",
        "folder": str(project / "reader"),
        "tokenizer": str(project / "tokenizer.json"),
        "eps": 0.005,
        "keep": "longest",
    }
    manifests = []
    for shard_mb in (64, 0.001):
        settings = CurateSettings.model_validate(
            {
                "rules": [],
                "dedup": {"policy": "exact"},
                "semantic": semantic,
                "shard_mb": shard_mb,
            }
        )
        manifests.append(
            curate(
                Request(
                    inputs=[str(tmp_path / "a.jsonl")],
                    out=str(tmp_path / f"out{shard_mb}"),
                    settings=settings,
                    embed=proxy_of(settings.semantic),
                )
            )
        )
    kept = pl.concat(
        pl.read_parquet(file) for file in (tmp_path / "out64/kept").iterdir()
    )["text"].to_list()
    assert (
        sum(not (text in kept and f"{text} ." in kept) for text in texts[:10]) >= 8
        and 20 < len(kept) <= 82
    )
    assert manifests[0].kept.hash == manifests[1].kept.hash
