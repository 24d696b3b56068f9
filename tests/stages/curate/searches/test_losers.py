"""The search on disk finds what the search in memory finds, reason for reason, however small its pieces are."""

import random

import numpy as np
import polars as pl
import pytest

from stages.curate.searches import edges, losers
from stages.curate.searches.copy_keys import CopyKeys
from stages.curate.searches.edges import EdgeTask, key_parts, write_parents
from stages.curate.searches.losers import REASONS, LoserTask, MemberTask, loser_parts
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
    [("near", 10**6), ("near", 100), ("words", 100), ("exact", 100), ("none", 100)],
)
def test_the_same_documents_go_for_the_same_reason(
    tmp_path, monkeypatch, policy, piece
):
    monkeypatch.setattr(edges, "PARTITION_RECORDS", piece)
    monkeypatch.setattr(edges, "EDGE_CHUNK", piece)
    monkeypatch.setattr(losers, "PARTITION_MEMBERS", piece)
    frame = pool().with_columns(
        n_chars=pl.col("n_chars") * 1000 + pl.int_range(pl.len(), 0, -1)
    )  # no ties
    folders = []
    for number, part in enumerate(frame.iter_slices(70)):
        folders.append(tmp_path / f"unit-{number}")
        folders[-1].mkdir()
        with CopyKeys(folders[-1], CurateSettings(dedup={"policy": policy})) as copies:
            copies.add(part, pl.repeat(True, len(part), eager=True))
    units = Units(
        tuple(folders),
        tuple(min(70 * at, len(frame)) for at in range(len(folders) + 1)),
        len(folders),
    )
    n = key_parts(units)
    for part in range(n):
        EdgeTask(units, tmp_path, n)(part)
    write_parents(units, sorted(tmp_path.glob("edges-*")), tmp_path / "parents")
    for unit in range(len(folders)):
        MemberTask(units, tmp_path, tmp_path / "parents")(unit)
    for part in range(loser_parts(tmp_path)):
        LoserTask(units, tmp_path, loser_parts(tmp_path), ids_order=False)(part)
    found = np.sort(
        np.concatenate(
            [np.array(mapped(run, LOSER)) for run in tmp_path.glob("losers-*")]
        ),
        order="ordinal",
    )
    truth = duplicates(
        signatures(frame), policy, frame.select("id", score="n_chars")
    ).filter(~pl.col("keep"))
    assert [f"{at:016x}" for at in found["ordinal"].tolist()] == truth["id"].to_list()
    assert [REASONS[at] for at in found["reason"].tolist()] == truth["reason"].to_list()
    assert (n > 20) == (policy == "near" and piece == 100)
