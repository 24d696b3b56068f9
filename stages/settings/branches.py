"""What a question asks whose arms are mixes of the last phase of one trained trunk: mid-training and fine-tuning."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from stages.foundation.section import Section


def once(names: list[str]) -> list[str]:
    """The names; ValueError where one of them stands twice."""
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{twice[0]!r} stands twice; keep it once")
    return names


Tokens = Annotated[int, Field(ge=1)]


class BranchSettings(Section):
    """Arms leave a shared trunk, each with data of its own, and their learning rate falls to zero."""

    base: str = Field(
        description=(
            "arm that the trunk is trained on; its data continued is the control (100 %"
            " replay)"
        )
    )
    tokens: list[Tokens] = Field(
        min_length=1, description="token budgets of a branch, rising"
    )
    at_tokens: Tokens | None = Field(
        None,
        description=(
            "tokens of the trunk, after which branches leave it; with a checkpoint"
            " null: as its file says, else not known"
        ),
    )
    checkpoint: str | None = Field(
        None,
        description=(
            "trunk of yours, a proxy in safetensors; null: one is trained on `base`"
        ),
    )
    replay: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of the training tokens of every arm that is data of `base`",
    )
    loss: Literal["all", "answer"] = Field(
        "all",
        description=(
            "answer: tokens of a prompt (ingest.pools.NAME.prompt) are read and not"
            " scored"
        ),
    )
    lr: float | None = Field(
        None,
        gt=0,
        le=10,
        description="learning rate that falls to zero; null: that of the trunk",
    )
    sizes: list[str] | None = Field(
        None,
        min_length=1,
        description="sizes of proxies; null: those of sweep.sizes, or the checkpoint's",
    )
    target_tokens: list[Tokens] | None = Field(
        None,
        min_length=1,
        description="branch tokens that an answer is wanted for; null: `tokens`",
    )

    @field_validator("tokens", "target_tokens")
    @classmethod
    def _rising(cls, tokens: list[int] | None) -> list[int] | None:
        if tokens is not None and tokens != sorted(set(tokens)):
            raise ValueError(f"{tokens} must rise")
        return tokens

    @field_validator("sizes")
    @classmethod
    def _sizes_differ(cls, sizes: list[str] | None) -> list[str] | None:
        return sizes and once(sizes)

    @model_validator(mode="after")
    def _trunk_is_known(self) -> "BranchSettings":
        if self.checkpoint is None and self.at_tokens is None:
            raise ValueError(
                "needs at_tokens, after which branches leave the trunk, or a checkpoint"
            )
        if self.checkpoint is not None and self.sizes is not None:
            raise ValueError("a checkpoint has a size of its own; leave sizes out")
        return self

    def uneven(self, batch_tokens: int) -> tuple[str, int] | None:
        """The key and the number of tokens that is no whole number of batches."""
        asked = [("tokens", each) for each in self.tokens]
        if self.checkpoint is None and self.at_tokens is not None:
            asked.insert(0, ("at_tokens", self.at_tokens))
        for key, tokens in asked:
            if tokens % batch_tokens:
                return key, tokens
        return None
