"""The search on disk finds what the search in memory finds, reason for reason, however small its pieces are."""

import random

import numpy as np
import polars as pl
import pytest

from stages.curate.copies import alike_pairs, edges, losers
from stages.curate.copies.losers import REASONS
from stages.curate.searches.copy_keys import CopyKeys
from stages.curate.searches.searches import Corpus, find_copies
from stages.curate.work.numbering import Units
from stages.curate.work.sorted_runs import LOSER, mapped
from stages.curation.duplicates.clusters import duplicates
from stages.curation.duplicates.minhash import signatures
from stages.curation.reading.documents import documents
from stages.settings.curate import CurateSettings


def pool() -> pl.DataFrame:
    """300 documents: exact copies, copies in other case, near copies, chains of near copies."""
    rng = random.Random(3)
    texts = [
        " ".join(rng.choices([f"word{i}" for i in range(200)], k=80))
        for _ in range(150)
    ]
    texts += texts[:30] + [text.upper() for text in texts[20:50]]
    for text in texts[40:130]:
        words = text.split()
        words[rng.randrange(len(words))] = "other"
        texts.append(" ".join(words))
    rng.shuffle(texts)
    frame = documents(texts, [str(at) for at in range(len(texts))], "p")
    return frame.with_columns(
        id=pl.Series([f"{at:016x}" for at in range(len(texts))]),
        n_chars=pl.Series(rng.choices(range(50), k=len(texts))).cast(pl.Int64),
    )


@pytest.mark.parametrize(
    ("policy", "piece"),
    [
        ("near", 10**6),
        ("near", 100),
        ("bands", 10**6),
        ("bands", 100),
        ("words", 100),
        ("exact", 100),
        ("none", 100),
    ],
)
def test_the_same_documents_go_for_the_same_reason(
    tmp_path, monkeypatch, policy, piece
):
    for module, name in (
        (edges, "PARTITION_RECORDS"),
        (edges, "EDGE_CHUNK"),
        (losers, "PARTITION_MEMBERS"),
        (alike_pairs, "PARTITION_PAIRS"),
        (alike_pairs, "PAIRS_AT_ONCE"),
    ):
        monkeypatch.setattr(module, name, piece)
    frame = pool().with_columns(
        n_chars=pl.col("n_chars") * 1000 + pl.int_range(pl.len(), 0, -1)
    )  # no ties
    settings = CurateSettings(dedup={"policy": policy})
    folders = []
    for number, part in enumerate(frame.iter_slices(70)):
        folders.append(tmp_path / f"unit-{number}")
        folders[-1].mkdir()
        part.write_parquet(folders[-1] / "documents.parquet", row_group_size=20)
        with CopyKeys(folders[-1], settings) as copies:
            copies.add(part, pl.repeat(True, len(part), eager=True))
    starts = tuple(min(70 * at, len(frame)) for at in range(len(folders) + 1))
    (tmp_path / "copies").mkdir()
    find_copies(
        Corpus(
            Units(tuple(folders), starts, len(folders)),
            work=tmp_path,
            settings=settings,
            each=lambda step, task, items: list(map(task, items)),
        )
    )
    runs = sorted((tmp_path / "copies").glob("losers-*"))
    found = np.sort(
        np.concatenate([np.array(mapped(run, LOSER)) for run in runs]), order="ordinal"
    )
    params = settings.dedup.minhash()
    truth = duplicates(
        signatures(frame, params),
        policy,
        frame.select("id", score="n_chars"),
        params=params,
        texts=lambda ids: [frame],
    ).filter(~pl.col("keep"))
    ids = [f"{at:016x}" for at in range(len(frame))]
    assert [ids[at] for at in found["ordinal"].tolist()] == truth["id"].to_list()
    assert [ids[at] for at in found["winner"].tolist()] == truth[
        "duplicate_of"
    ].to_list()
    assert [REASONS[at] for at in found["reason"].tolist()] == truth["reason"].to_list()
    np.testing.assert_allclose(
        found["similarity"], truth["similarity"].to_numpy(), rtol=1e-6
    )
    pieces = len(list((tmp_path / "copies").glob("[ec]*-of-*")))  # of keys
    assert (pieces > 20) == (policy in ("near", "bands") and piece == 100)
    assert truth.height >= 30 or policy == "none"
