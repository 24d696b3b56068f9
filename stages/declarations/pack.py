"""The section `pack`, and what its stage reads and writes; its work is stages/pack.py."""

from pydantic import Field

from stages.foundation import artefacts
from stages.foundation.section import Section
from stages.foundation.stage import Stage


class PackParams(Section):
    vocab_size: int = Field(
        1024,
        ge=260,
        le=1 << 20,
        description="tokens in the vocabulary, 256 bytes and the end mark among them",
    )
    tokenizer_chars: int = Field(
        4_000_000,
        ge=10_000,
        description=(
            "characters of pool text the tokenizer learns from, taken in id order"
        ),
    )
    tokenizer: str | None = Field(
        None,
        description=(
            "tokenizer.json that another project trained, for a checkpoint of it; null:"
            " one is trained on the pools"
        ),
    )
    heldout_tokens: int = Field(
        40_000,
        ge=1_000,
        description=(
            "tokens scored on each held-out domain, whole documents in id order"
        ),
    )


stage = Stage(
    name="pack",
    params=PackParams,
    question="What are the documents as tokens?",
    deps=(artefacts.INGEST, artefacts.LINE_COPIES),
    inputs=lambda params: (params.tokenizer,) if params and params.tokenizer else (),
    outs=(
        artefacts.TOKENIZER,
        artefacts.PACKED_POOLS,
        artefacts.PACKED_HELD_OUT,
        artefacts.SET_ASIDE,
    ),
    metrics=(artefacts.PACK_METRICS,),
    shown=f"`{artefacts.PACKED_POOLS}/` memmaps and index",
)
