"""All that decides the bytes of an export, as one hash: what was begun under another starts anew."""

from importlib import metadata

from stages.decision.changes import changes_since
from stages.foundation import artefacts, hashes
from stages.foundation.dvc_lock import LOCK, dvc_hashes
from stages.foundation.errors import RefusedError
from stages.foundation.files import content_hash, file_hash
from stages.handing_over.answer import answer_hash
from stages.handing_over.choosing.whole_pool import ANEW
from stages.handing_over.handover import Handover
from stages.searched.record import Decision

PACKAGES = ("numpy", "polars", "pyarrow", "tokenizers", "zstandard")
LAYOUT = 2  # of work folder and shards; a change of either changes the number


def plan_of(handover: Handover) -> dict:
    """`hash` of all that decides the bytes, and `files`, the names of those of the shards.

    Raises RefusedError where the decision is of other data.
    """
    hashes.require_whole([artefacts.PACKED_POOLS_INDEX, artefacts.SCORES])
    _require_decided_data(handover.record)
    written = handover.tokenizer.hash if handover.format.of_tokens else None
    decides = {
        "question": handover.record.question.name,
        "phase": handover.request.phase,
        "arm": [handover.answer.arm, handover.arm.model_dump()],
        "decision": answer_hash(handover.record),
        "flops": handover.answer.flops,
        "format": [handover.format.name, written, handover.tokenizer.eos_id],
        "tokens": handover.tokens,
        "view": handover.view_hash,
        "groups": [
            [g.pool, g.cluster, g.tier, g.weight, g.licence]
            for g in handover.chosen.groups
        ],
        "removal": handover.removal_hash,
        "pools": handover.pools,
        "lines": file_hash(artefacts.LINE_COPIES),
        "shards": handover.n_shards,
        "seed": handover.params.seed,
        "versions": versions(),
    }
    files = [
        name
        for shard in range(handover.n_shards)
        for name in handover.format.files(shard, handover.n_shards)
    ]
    return {"hash": content_hash(decides), "files": files}


def _require_decided_data(record: Decision) -> None:
    """Raises RefusedError where the stages before the sweep made other files than the decision rests on."""
    before = record.provenance.dvc
    now = dvc_hashes(LOCK, [artefacts.VIEWS])
    changed = [
        path
        for stage in now
        for path, digest in before.get(stage, {}).items()
        if now[stage].get(path) != digest
    ]
    if changed:
        why = "; ".join(changes_since(record.provenance)[:3]) or f"{changed[0]} changed"
        raise RefusedError(
            f"the decision {record.question.name} is of other data than there"
            f" is now: {why}; {ANEW}"
        )


def versions() -> dict[str, str]:
    """Of what decides the bytes."""
    return {"layout": str(LAYOUT)} | {name: metadata.version(name) for name in PACKAGES}
