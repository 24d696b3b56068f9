"""manifest.json of an export as a frozen record: what was handed over, and the decision that it stands on.

The JSON schema is docs/export.schema.json, written by `assay schemas`.
"""

from typing import Literal

from pydantic import Field

from stages.foundation.record_files import FileRecord, Record

FormatName = Literal["text", "megatron", "olmo", "nanochat", "hf"]


class Bound(Record):
    """The decision that the export stands on."""

    path: str = Field(description="the decision record, relative to the project")
    content_hash: str = Field(
        description="hash of the record's contents, as in its file"
    )
    answer_hash: str = Field(
        description="the same without time, commit and versions: what it says"
    )
    status: str = Field(description="of the decision at the budget, or as a whole")
    flops: float | None = Field(
        description="budget at which the arm was decided, FLOPs; null where a person chose the arm"
    )
    best: str | None = Field(
        description="arm that the decision names at that budget; null without a budget"
    )
    data_hashes: list[str] = Field(
        description="hashes of the views that the decision's runs trained on"
    )


class ExportedGroup(Record):
    """Documents of one source, tier, weight and licence."""

    source: str = Field(description="name of the pool")
    cluster: str | None = Field(
        None, description="of a mixture over clusters the cluster, by its words"
    )
    tier: str = Field(
        description="band of quality by tokens: q000_020 is the best 20 %"
    )
    weight: float = Field(description="uses a pass by the arm")
    licence: str = Field(description="of the documents, as the pool says")
    uses: float = Field(
        description="mean times that a document is written; 1 where weights are left to the trainer"
    )
    unique_documents: int = Field(description="different documents of the arm")
    unique_tokens: int = Field(description="their tokens as the pack counts them")
    documents: int = Field(description="documents written, repeats included")
    tokens: int = Field(description="tokens written, end marks included")
    bytes: int = Field(description="UTF-8 bytes of their text")


class ExportedFile(Record):
    """A file of the export."""

    file: str = Field(description="path below the folder of the export")
    bytes: int = Field(description="size, bytes")
    hash: str = Field(description="hash of its bytes, 16 hex digits")


class UsedTokenizer(Record):
    """What turned text into tokens, or counted them."""

    path: str = Field(description="the file")
    hash: str = Field(description="hash of its bytes, 16 hex digits")
    vocab_size: int = Field(description="tokens")
    eos: str = Field(description="the token that ends a document")
    eos_id: int = Field(description="its number")
    dtype: str = Field(description="numpy's name of the type of a token")


class Totals(Record):
    """What was written in all, repeats included."""

    documents: int = Field(description="documents")
    tokens: int = Field(description="tokens, end marks included")
    bytes: int = Field(description="UTF-8 bytes of text")


class ExportManifest(FileRecord):
    """What `assay export` wrote: manifest.json. Where it lies the export is complete."""

    remedy = "export again with `assay export ... --overwrite`"

    version: Literal[1] = Field(1, description="number of this format")
    question: str = Field(description="name of the question")
    arm: str = Field(
        description="name of the arm; of a search proposal, reference or best_run"
    )
    label: str = Field(description="what the arm does, in words")
    proposal: dict[str, float] | None = Field(
        None,
        description="of a search what is written: pool or cluster -> share, or tier -> uses; of arms null",
    )
    phase: str | None = Field(
        None,
        description=(
            "of a mixture for each phase: stable or decay; of an arm with a curriculum"
            " the number of its stage; null: the whole run"
        ),
    )
    format: FormatName = Field(description="how the shards are written")
    decision: Bound = Field(description="what the export stands on")
    tokens_asked: float | None = Field(
        description="tokens that repeats were made for; null: each document once, of a search as often as it says"
    )
    tokenizer: UsedTokenizer = Field(
        description="of the tokens written, or of those counted where text is written"
    )
    totals: Totals = Field(description="what was written")
    groups: list[ExportedGroup] = Field(
        description="by source, tier, weight and licence, in that order"
    )
    licences: dict[str, int] = Field(
        description="licence -> documents written, repeats included"
    )
    removed: int = Field(
        description="documents of the pools left out because a removal list names them"
    )
    removal_hash: str = Field(
        description="hash of the entries of the removal lists; empty without any"
    )
    pools: dict[str, str] = Field(
        description="pool -> hash of its ids and texts as ingested"
    )
    view_hash: str = Field(
        description="hash of ids, groups and copies of all that is written"
    )
    files: list[ExportedFile] = Field(
        description="shards in order, then what is beside"
    )
    versions: dict[str, str] = Field(description="of what decides the bytes")
    plan_hash: str = Field(
        description="hash of all that decides the result: the same, the same bytes"
    )
