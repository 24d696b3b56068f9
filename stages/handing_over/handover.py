"""What one export writes, as it follows from what a person asked for: each part is found once, when it is needed.

Costs where they are large: `chosen` reads columns of the whole pools (choosing/), `payload` lists their files.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from stages.foundation import artefacts
from stages.foundation.errors import InputError, RefusedError
from stages.foundation.files import read_json
from stages.foundation.sealed import AGAIN, read_sealed
from stages.handing_over.answer import Answer
from stages.handing_over.choosing.arm_documents import ArmDocuments, arm_documents
from stages.handing_over.choosing.whole_pool import ANEW, packed_documents, removed_ids
from stages.handing_over.proposed import (
    arm_of,
    most_uses,
    require_question,
    tokens_of,
)
from stages.handing_over.record import FormatName
from stages.handing_over.writing.payloads import Encoded, PackedTokens, Payload, Texts
from stages.handing_over.writing.shards import Format
from stages.handing_over.writing.text_formats import HuggingFace, JsonLines, Nanochat
from stages.handing_over.writing.token_formats import Megatron, Olmo
from stages.handing_over.writing.tokenised import (
    TokenizerFile,
    open_tokenizer,
    token_ratios,
)
from stages.pools.removal import entries_hash
from stages.searched.branched import with_branches
from stages.searched.record import Decision, SearchedRecord
from stages.searched.words import label_of
from stages.settings.arms import Arm, ArmsParams, tier_names

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


@dataclass(frozen=True)
class Handover:
    """One export: the request, the section of params.yaml, the decision, its answer and the ids to leave out."""

    request: Request
    params: ArmsParams
    record: Decision
    answer: Answer
    removals: frozenset[str] = frozenset()

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
        _require_stage(name, asked, self.request.phase)
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
            stage=int(str(self.request.phase)) - 1 if self.arm.curriculum else None,
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


def _require_stage(name: str, arm: Arm, phase: str | None) -> None:
    """InputError unless a stage is named where the arm is read in some, and there alone."""
    if arm.curriculum is None:
        if phase is not None:
            raise InputError(
                f"--phase {phase}: the arm {name} is read in no stages; leave it out"
            )
        return
    n_stages = arm.curriculum.stages
    if phase not in [str(number + 1) for number in range(n_stages)]:
        said = "" if phase is None else f"--phase {phase}: "
        raise InputError(
            f"{said}the arm {name} is read in {n_stages} stages, each an export of its"
            f" own; say which with --phase 1 to --phase {n_stages}"
        )
