"""The manifest of a written export: its files, what they hold by group, and the decision that they stand on."""

from collections import Counter

import numpy as np

from stages.foundation import artefacts
from stages.foundation.files import file_hash
from stages.handing_over.answer import answer_hash, decision_hash
from stages.handing_over.handover import Handover
from stages.handing_over.plan import versions
from stages.handing_over.record import (
    Bound,
    ExportedFile,
    ExportedGroup,
    ExportManifest,
    Totals,
    UsedTokenizer,
)
from stages.searched.record import PROPOSAL, SearchedRecord, values_of


def manifest_of(
    handover: Handover, shards: list[dict], plan_hash: str
) -> ExportManifest:
    """What was handed over, after what the format wants beside the shards is written. shards: their markers."""
    counts = np.zeros((len(handover.chosen.groups), 3), dtype=np.int64)
    for shard in shards:
        for group, *found in shard["groups"]:
            counts[group] += found
    groups = _groups(handover, counts)
    licences = _licences(groups)
    files = [entry for shard in shards for entry in shard["files"]]
    files += _beside(handover, shards, groups, licences)
    record, arm, counting = handover.record, handover.answer.arm, handover.counting
    documents, tokens, n_bytes = counts.sum(axis=0).tolist()
    return ExportManifest(
        question=record.question.name,
        arm=arm,
        label=handover.label,
        proposal=values_of(record, arm) if isinstance(record, SearchedRecord) else None,
        phase=handover.request.phase,
        format=handover.request.format,
        decision=_bound(handover),
        tokens_asked=handover.tokens,
        tokenizer=UsedTokenizer(
            path=str(counting.path),
            hash=counting.hash,
            vocab_size=counting.vocab_size,
            eos=counting.eos,
            eos_id=counting.eos_id,
            dtype=counting.dtype.name,
        ),
        totals=Totals(documents=documents, tokens=tokens, bytes=n_bytes),
        groups=groups,
        licences=licences,
        removed=len(handover.removed),
        removal_hash=handover.removal_hash,
        pools=handover.pools,
        view_hash=handover.view_hash,
        files=[ExportedFile(**entry) for entry in files],
        versions=versions(),
        plan_hash=plan_hash,
    )


def _groups(handover: Handover, counts: np.ndarray) -> list[ExportedGroup]:
    """What was written of every group. counts (groups, 3): documents, tokens, bytes."""
    return [
        ExportedGroup(
            source=group.pool,
            cluster=group.cluster or None,
            tier=group.tier,
            weight=group.weight,
            licence=group.licence,
            uses=group.uses,
            unique_documents=group.documents,
            unique_tokens=group.tokens,
            documents=documents,
            tokens=tokens,
            bytes=n_bytes,
        )
        for group, (documents, tokens, n_bytes) in zip(
            handover.chosen.groups, counts.tolist(), strict=True
        )
    ]


def _licences(groups: list[ExportedGroup]) -> dict[str, int]:
    """Licence -> documents written."""
    counts: Counter[str] = Counter()
    for group in groups:
        counts[group.licence] += group.documents
    return dict(sorted(counts.items()))


def _beside(
    handover: Handover,
    shards: list[dict],
    groups: list[ExportedGroup],
    licences: dict[str, int],
) -> list[dict]:
    """Write what the format wants beside the shards; the entries of these files."""
    question, counting = handover.record.question, handover.counting
    facts = {
        "question": question.name,
        "title": question.title,
        "arm": handover.answer.arm,
        "label": handover.label,
        "groups": [group.model_dump() for group in groups],
        "licences": licences,
        "shards": [
            (
                [entry["file"] for entry in shard["files"]],
                sum(row[2] for row in shard["groups"]),
            )
            for shard in shards
        ],
        "tokenizer": {
            "vocab_size": counting.vocab_size,
            "eos_id": counting.eos_id,
        },
    }
    out = handover.request.out
    return [
        {
            "file": name,
            "bytes": (out / name).stat().st_size,
            "hash": file_hash(out / name),
        }
        for name in handover.format.beside(out, facts)
    ]


def _bound(handover: Handover) -> Bound:
    """The decision, as it is now."""
    record, answer = handover.record, handover.answer
    if isinstance(record, SearchedRecord):
        best = PROPOSAL if answer.flops is not None else None
    else:
        of_budget = (t.best for t in record.targets if t.flops == answer.flops)
        best = next(of_budget, None)
    return Bound(
        path=artefacts.decision(record.question.name),
        content_hash=decision_hash(record),
        answer_hash=answer_hash(record),
        status=answer.status,
        flops=answer.flops,
        best=best,
        data_hashes=record.provenance.data_hashes,
    )
