"""The arm that a question was decided for, over the user's whole pools, in shards that a trainer reads.

Question: what do I feed my trainer? Input: a decision record and the ingested pools with their scores. Output, in one
folder: shards, what the format wants beside them, and manifest.json last, which binds them to the decision. Held-out
and reference documents are in no pool, so they cannot leave. Order: the arm's documents with their copies are found
from columns alone, their content goes to the shards that hashes name (scatter.py), each shard is written (shards.py).
A killed run goes on with the same bytes. Cost: 30 to 60 MB a CPU-second; disk of the text once more while it runs;
memory of about 1 GB at 10 GB of pool (benchmarks/export.py).
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path

import numpy as np
import polars as pl

from stages import images
from stages.curate.work.work_folder import clear
from stages.curation.reading.storage import disk_errors
from stages.decision.changes import changes_since
from stages.decision.provenance import LOCK, dvc_hashes
from stages.foundation import artefacts, hashes
from stages.foundation.errors import InputError, RefusedError
from stages.foundation.files import (
    content_hash,
    file_hash,
    read_json,
    refuse_no_folder,
)
from stages.foundation.processes.one_holder import one_holder
from stages.foundation.sealed import AGAIN, read_sealed
from stages.handing_over import work
from stages.handing_over.answer import (
    Answer,
    answer_hash,
    answer_of,
    decision_hash,
)
from stages.handing_over.choosing.arm_documents import ArmDocuments, arm_documents
from stages.handing_over.choosing.whole_pool import ANEW, packed_documents, removed_ids
from stages.handing_over.proposed import (
    arm_of,
    most_uses,
    require_question,
    tokens_of,
)
from stages.handing_over.record import (
    Bound,
    ExportedFile,
    ExportedGroup,
    ExportManifest,
    FormatName,
    Totals,
    UsedTokenizer,
)
from stages.handing_over.register import register
from stages.handing_over.writing.payloads import Encoded, PackedTokens, Payload, Texts
from stages.handing_over.writing.scatter import Progress, Scatter
from stages.handing_over.writing.shards import Format, ShardWriter
from stages.handing_over.writing.text_formats import HuggingFace, JsonLines, Nanochat
from stages.handing_over.writing.token_formats import Megatron, Olmo
from stages.handing_over.writing.tokenised import (
    TokenizerFile,
    open_tokenizer,
    token_ratios,
)
from stages.pools.removal import entries_hash, entries_of, list_files
from stages.searched.branched import with_branches
from stages.searched.record import (
    PROPOSAL,
    Decision,
    SearchedRecord,
    read_any_decision,
    values_of,
)
from stages.searched.words import label_of
from stages.settings.arms import Arm, ArmsParams, tier_names

log = logging.getLogger("assay")
FORMATS: dict[str, Callable[[np.dtype], Format]] = {
    "text": lambda dtype: JsonLines(),
    "megatron": Megatron,
    "olmo": Olmo,
    "nanochat": lambda dtype: Nanochat(),
    "hf": lambda dtype: HuggingFace(),
}
# hashes of places spread evenly from so many documents a shard on: fewer shards are made of fewer documents
LEAST_DOCUMENTS = 64
BYTES_PER_TOKEN = 4  # of text, to size shards of a tokenizer that has not read it yet
MOST_SHARDS = 20_000  # files that are written side by side (assumed)
PACKAGES = ("numpy", "polars", "pyarrow", "tokenizers", "zstandard")
LAYOUT = 2  # of work folder and shards; a change of either changes the number


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a person asked for. shard_mb: content of a shard, MB, before compression."""

    question: str
    out: Path
    format: FormatName
    arm: str | None = None
    phase: str | None = None
    budget: float | None = None
    tokens: float | None = None
    tokenizer: Path | None = None
    eos: str | None = None
    shard_mb: float = 128.0
    overwrite: bool = False


def export(
    request: Request,
    arms: ArmsParams,
    progress: Progress = lambda step, done, total: None,
    removed: str | Sequence[str] | None = None,
) -> ExportManifest:
    """Write the arm, or what is left to write; the manifest. arms: the section of params.yaml; removed: its
    `ingest.removed`.

    Raises RefusedError where nothing is decided and no arm is named, or where the decision is of other data;
    InputError where the request, the folder or a file cannot be used.
    """
    if images.are_pooled():
        raise InputError("assay export writes text; the pools here are images")
    record = _decision(request.question)
    answer = answer_of(record, request.arm, request.budget)
    if request.phase is not None and not isinstance(record, SearchedRecord):
        raise InputError(
            f"--phase {request.phase}: {request.question} is between arms; leave it out"
        )
    out = request.out
    refuse_no_folder(out)
    work.check_free(out)
    with _locked(out):
        if request.overwrite:
            work.remove_export(out)
        entries = entries_of(list_files(removed))
        manifest = _Export(request, arms, record, answer, entries).manifest(progress)
        register(out, manifest, removed)
    return manifest


def _decision(question: str) -> Decision:
    path = Path(artefacts.decision(question))
    known = sorted(file.stem for file in Path(artefacts.DECISIONS).glob("*.json"))
    if question not in known:
        raise InputError(
            f"{path}: no such decision; decided questions are"
            f" {', '.join(known) or 'none'}, `assay run` makes them"
        )
    return read_any_decision(path)


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """One export at a time into a folder; nothing stays of one that never began."""
    folder = out / work.WORK
    with disk_errors(out):
        holder = one_holder(
            folder / "lock",
            f"{out}: another export is at work here",
            "wait for it or give another --out",
        )
        with holder:
            try:
                yield
            finally:
                if not (folder / work.PLAN).is_file():
                    clear(folder)
                    if out.is_dir() and not any(out.iterdir()):
                        out.rmdir()


@dataclass(frozen=True)
class _Export:
    """One export into a folder that is ours."""

    request: Request
    params: ArmsParams
    record: Decision
    answer: Answer
    removals: frozenset[str] = frozenset()

    def manifest(self, progress: Progress) -> ExportManifest:
        plan = self.plan
        if (
            done := work.finished(self.request.out, plan["hash"], self.record)
        ) is not None:
            log.info("%s: already done; nothing to do", self.request.out)
            return done
        size = self.content_bytes
        work.require_room(self.request.out, size + 2 * size // self.n_shards)
        if work.open_plan(self.request.out, plan):
            log.info("%s: going on with an earlier export", self.request.out)
        folder = self.request.out / work.WORK
        if not (folder / "read").exists():
            Scatter(
                self.chosen,
                payload=self.payload,
                folder=folder,
                n_shards=self.n_shards,
                seed=self.params.seed,
            ).run(progress)
            (folder / "read").touch()
        writer = ShardWriter(
            self.format,
            groups=self.chosen.groups,
            folder=folder,
            out=self.request.out,
            n_shards=self.n_shards,
            n_own=int((~self.packed["shortened"]).sum()),
            weights=self.weights_are_left,
        )
        shards = []
        for shard in range(self.n_shards):
            progress("write shards", shard, self.n_shards)
            shards.append(writer(shard))
        progress("write shards", self.n_shards, self.n_shards)
        manifest = self._sealed(shards)
        manifest.write(self.request.out / work.MANIFEST)
        clear(folder)
        return manifest

    @cached_property
    def arms(self) -> dict:
        return read_sealed(artefacts.ARMS, AGAIN)

    @cached_property
    def arm(self) -> Arm:
        """The arm as it was when views were made, which the decision rests on; RefusedError where params differ."""
        if isinstance(self.record, SearchedRecord):
            require_question(self.record, self.params, self.arms)
            self._require_tiers()
            return arm_of(
                self.record,
                self.answer.arm,
                self.params.tier_edges,
                made=self.arms,
                phase=self.request.phase,
            )
        name = self.answer.arm
        made = self.arms["arms"].get(name)
        asked = with_branches(self.params).get(name)
        if made is None or asked is None or Arm(**made) != asked:
            raise RefusedError(
                f"the arm {name} is not what it was when {self.record.question.name} was"
                f" decided (params: arms.arms.{name}); {ANEW}"
            )
        self._require_tiers()
        return asked

    def _require_tiers(self) -> None:
        if tier_names(self.params.tier_edges) != self.arms["tiers"]:
            raise RefusedError(
                "the kept fractions of the arms, which are the edges of the tiers, are"
                f" not those of the decision (params: arms.arms); {ANEW}"
            )

    @property
    def repeated(self) -> bool:
        """Whether weights become repeats though nobody asked for tokens: so what was searched for is written."""
        return isinstance(self.record, SearchedRecord)

    @cached_property
    def tokens(self) -> float | None:
        """Tokens to write in all: those asked for, else those of a search; None: as many as there are."""
        if self.request.tokens is not None or not isinstance(
            self.record, SearchedRecord
        ):
            return self.request.tokens
        return tokens_of(self.record, self.arms, self.request.phase)

    @cached_property
    def ratios(self) -> dict[str, float]:
        """Pool -> what `tokens` counts for each token of the pack: those of a search are tokens of the pack."""
        found = token_ratios(self.tokenizer, self.packed)
        if self.request.tokens is None:
            return dict.fromkeys(found, 1.0)
        return found

    @cached_property
    def label(self) -> str:
        """What the arm does, in words."""
        if isinstance(self.record, SearchedRecord):
            return label_of(self.record, self.answer.arm)
        return self.record.labels[self.answer.arm]

    @cached_property
    def packed(self) -> pl.DataFrame:
        return packed_documents(with_ids=False)

    @cached_property
    def tokenizer(self) -> TokenizerFile:
        """Of the tokens that are written or asked for."""
        return open_tokenizer(self.request.tokenizer, self.request.eos)

    @cached_property
    def counting(self) -> TokenizerFile:
        """Of the tokens that the manifest counts."""
        return self.tokenizer if self.format.of_tokens else open_tokenizer(None, None)

    @cached_property
    def format(self) -> Format:
        return FORMATS[self.request.format](self.tokenizer.dtype)

    @cached_property
    def chosen(self) -> ArmDocuments:
        return arm_documents(
            self.answer.arm,
            self.arm,
            self.packed,
            edges=self.params.tier_edges,
            seed=self.params.seed,
            tokens=self.tokens,
            repeated=self.repeated,
            ratios=self.ratios,
            removed=self.removed,
            most_uses=most_uses(self.record, self.arm),
        )

    @cached_property
    def removed(self) -> np.ndarray:
        """Ids, as numbers, of the pools' documents that removal lists name."""
        return removed_ids(self.removals)

    @property
    def removal_hash(self) -> str:
        return entries_hash(self.removals)

    @cached_property
    def payload(self) -> Payload:
        if not self.format.of_tokens:
            return Texts.find()
        if self.tokenizer.own:
            return PackedTokens.find(self.packed, self.tokenizer.dtype)
        return Encoded(Texts.find(), self.tokenizer)

    @property
    def weights_are_left(self) -> bool:
        """Whether weights differ that no repeat stands for."""
        weights = {group.weight for group in self.chosen.groups}
        return self.tokens is None and not self.repeated and len(weights) > 1

    @cached_property
    def content_bytes(self) -> int:
        """Of all that is written, before compression; of tokens that are not made yet an estimate."""
        if not self.format.of_tokens:
            return self.chosen.total(self.chosen.n_bytes)
        itemsize = self.tokenizer.dtype.itemsize
        if self.tokenizer.own:
            return self.chosen.total(self.chosen.n_tokens) * itemsize
        return self.chosen.total(self.chosen.n_bytes) * itemsize // BYTES_PER_TOKEN

    @cached_property
    def n_shards(self) -> int:
        wanted = -(-self.content_bytes // int(self.request.shard_mb * 1e6))
        most = max(1, self.chosen.n_written // LEAST_DOCUMENTS)
        least = self.format.least_shards
        if most < least:
            raise InputError(
                f"{self.chosen.n_written} documents make no {least} shards of"
                f" {LEAST_DOCUMENTS} or more, which {self.format.name} needs; give more"
                " --tokens or another --format"
            )
        if wanted > MOST_SHARDS:
            raise InputError(
                f"--shard-mb {self.request.shard_mb:g}: {wanted:,} shards, more than"
                f" {MOST_SHARDS:,}; give a larger one"
            )
        return max(least, min(wanted, most))

    @cached_property
    def view_hash(self) -> str:
        """Of ids, groups and copies."""
        digest = hashlib.blake2b(digest_size=8)
        for array in (self.chosen.id, self.chosen.group, self.chosen.copies):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @cached_property
    def pools(self) -> dict[str, str]:
        """Pool -> hash of ids and texts, of those that are written."""
        known = read_json(artefacts.MANIFEST)["pools"]
        used = dict.fromkeys(group.pool for group in self.chosen.groups)
        return {name: known[name]["content_hash"] for name in used}

    @cached_property
    def plan(self) -> dict:
        """Hash of all that decides the bytes, and the names of the shards."""
        hashes.require_whole([artefacts.PACKED_POOLS_INDEX, artefacts.SCORES])
        self._require_decided_data()
        written = self.tokenizer.hash if self.format.of_tokens else None
        decides = {
            "question": self.record.question.name,
            "phase": self.request.phase,
            "arm": [self.answer.arm, self.arm.model_dump()],
            "decision": answer_hash(self.record),
            "flops": self.answer.flops,
            "format": [self.format.name, written, self.tokenizer.eos_id],
            "tokens": self.tokens,
            "view": self.view_hash,
            "groups": [
                [g.pool, g.cluster, g.tier, g.weight, g.licence]
                for g in self.chosen.groups
            ],
            "removal": self.removal_hash,
            "pools": self.pools,
            "lines": file_hash(artefacts.LINE_COPIES),
            "shards": self.n_shards,
            "seed": self.params.seed,
            "versions": versions(),
        }
        files = [
            name
            for shard in range(self.n_shards)
            for name in self.format.files(shard, self.n_shards)
        ]
        return {"hash": content_hash(decides), "files": files}

    def _require_decided_data(self) -> None:
        """Raises RefusedError where the stages before the sweep made other files than the decision rests on."""
        before = self.record.provenance.dvc
        now = dvc_hashes(LOCK, [artefacts.VIEWS])
        changed = [
            path
            for stage in now
            for path, digest in before.get(stage, {}).items()
            if now[stage].get(path) != digest
        ]
        if changed:
            why = (
                "; ".join(changes_since(self.record.provenance)[:3])
                or f"{changed[0]} changed"
            )
            raise RefusedError(
                f"the decision {self.record.question.name} is of other data than there"
                f" is now: {why}; {ANEW}"
            )

    def _sealed(self, shards: list[dict]) -> ExportManifest:
        counts = np.zeros((len(self.chosen.groups), 3), dtype=np.int64)
        for shard in shards:
            for group, *found in shard["groups"]:
                counts[group] += found
        groups = [
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
                self.chosen.groups, counts.tolist(), strict=True
            )
        ]
        record, counting = self.record, self.counting
        files = [entry for shard in shards for entry in shard["files"]]
        facts = {
            "question": record.question.name,
            "title": record.question.title,
            "arm": self.answer.arm,
            "label": self.label,
            "groups": [group.model_dump() for group in groups],
            "licences": self._licences(groups),
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
        for name in self.format.beside(self.request.out, facts):
            path = self.request.out / name
            size = path.stat().st_size
            files.append({"file": name, "bytes": size, "hash": file_hash(path)})
        documents, tokens, n_bytes = counts.sum(axis=0).tolist()
        return ExportManifest(
            question=record.question.name,
            arm=self.answer.arm,
            label=self.label,
            proposal=values_of(record, self.answer.arm)
            if isinstance(record, SearchedRecord)
            else None,
            phase=self.request.phase,
            format=self.request.format,
            decision=self._bound(),
            tokens_asked=self.tokens,
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
            licences=facts["licences"],
            removed=len(self.removed),
            removal_hash=self.removal_hash,
            pools=self.pools,
            view_hash=self.view_hash,
            files=[ExportedFile(**entry) for entry in files],
            versions=versions(),
            plan_hash=self.plan["hash"],
        )

    def _bound(self) -> Bound:
        best = None
        if isinstance(self.record, SearchedRecord):
            best = PROPOSAL if self.answer.flops is not None else None
        else:
            of_budget = (
                t.best for t in self.record.targets if t.flops == self.answer.flops
            )
            best = next(of_budget, None)
        return Bound(
            path=artefacts.decision(self.record.question.name),
            content_hash=decision_hash(self.record),
            answer_hash=answer_hash(self.record),
            status=self.answer.status,
            flops=self.answer.flops,
            best=best,
            data_hashes=self.record.provenance.data_hashes,
        )

    def _licences(self, groups: list[ExportedGroup]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for group in groups:
            counts[group.licence] = counts.get(group.licence, 0) + group.documents
        return dict(sorted(counts.items()))


def versions() -> dict[str, str]:
    """Of what decides the bytes."""
    return {"layout": str(LAYOUT)} | {name: metadata.version(name) for name in PACKAGES}
