"""The kinds of question of `arms.questions`: arms that are named, and arms that Assay designs by itself."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from stages.foundation.section import Section
from stages.settings.branches import BranchSettings, once
from stages.settings.pools import Pool

Fault = tuple[str, str]  # the key and what is wrong

Share = Annotated[float, Field(ge=0, le=1)]
LEAST_ARMS = 2  # that compete
CLUSTERS = "clusters"  # what Assay finds itself, in place of pools
NARROWEST = 0.005  # ours: a range of shares below it tells nothing of a pool


class Question(Section):
    """Arms that compete for one decision."""

    kind: Literal["arms"] = Field("arms", exclude=True)
    title: str
    branch: BranchSettings | None = Field(
        None,
        exclude_if=lambda branch: branch is None,
        description=(
            "arms are mixes of the last phase of one trunk; null: every arm is trained"
            " from the start"
        ),
    )
    arms: list[str]

    @field_validator("arms")
    @classmethod
    def _arms_compete(cls, arms: list[str], known: ValidationInfo) -> list[str]:
        branch = known.data.get("branch")
        if branch is None and len(arms) < LEAST_ARMS:
            raise ValueError(f"needs at least {LEAST_ARMS} entries")
        if branch is not None and not set(arms) - {branch.base}:
            raise ValueError(
                f"name an arm beside branch.base, {branch.base!r}, which is the control"
                " anyway"
            )
        return once(arms)


class Designed(Section):
    """What all questions have whose arms are designed: where they are trained and what decides."""

    title: str | None = Field(None, description="null: made of what is asked")
    sizes: list[str] | None = Field(
        None,
        min_length=1,
        description="sizes of proxies that are trained; null: those of sweep.sizes",
    )

    @field_validator("sizes")
    @classmethod
    def _sizes_differ(cls, sizes: list[str] | None) -> list[str] | None:
        return sizes and once(sizes)

    def fault(self, pools: Mapping[str, Pool], image: bool) -> Fault | None:
        """What other sections do not have of what is asked."""
        from stages.proxy.specs.shape import LADDER  # else arms would depend on it

        if image:
            return "kind", "is for text; questions of images name their arms"
        if unknown := [size for size in self.sizes or [] if size not in LADDER]:
            return "sizes", f"no size {unknown[0]!r}; sizes are {', '.join(LADDER)}"
        return None


def unheld(
    domains: Mapping[str, float], key: str, pools: Mapping[str, Pool]
) -> Fault | None:
    """Where a key names a domain of which nothing is held out."""
    known = [name for name, pool in pools.items() if pool.heldout]
    unknown = [name for name in domains if name not in known]
    if not unknown:
        return None
    return key, f"no held-out domain {unknown[0]!r}; there are {', '.join(known)}"


def _prior_tag(value: Any) -> str:
    return "[shares]" if isinstance(value, dict) else "[word]"


Prior = Annotated[
    Annotated[Literal["natural"], Tag("[word]")]
    | Annotated[dict[str, Share], Tag("[shares]")],
    Discriminator(_prior_tag),
]


def _over_tag(value: Any) -> str:
    return "[word]" if isinstance(value, str) else "[pools]"


Over = Annotated[
    Annotated[Literal["clusters"], Tag("[word]")]
    | Annotated[list[str], Field(min_length=2), Tag("[pools]")],
    Discriminator(_over_tag),
]


class MixtureQuestion(Designed):
    """Which mixture of pools, or of clusters of their documents? The swarm of runs that tells is designed, and the best
    mixture searched for.
    """

    kind: Literal["mixture"]
    over: Over = Field(
        description="pools that are mixed; clusters: those that Assay finds in their documents"
    )
    clusters: int = Field(
        8, ge=2, le=64, description="over: clusters: how many are looked for"
    )
    pools: list[str] | None = Field(
        None,
        min_length=1,
        description="over: clusters: pools whose documents are clustered; null: all",
    )
    model: str | None = Field(
        None,
        description=(
            "over: clusters: folder of a sentence-transformers model, in place of hashed"
            " words"
        ),
    )
    device: str | None = Field(
        None,
        pattern="^(auto|cpu|cuda)$",
        exclude_if=lambda device: device is None,
        description=(
            "over: clusters: where they are looked for; null or auto: on a GPU where one"
            " core would need longer than a card takes to begin"
        ),
    )
    two_phases: bool = Field(
        False,
        description=(
            "true: a mixture for the stable phase of the schedule and one for its decay,"
            " searched for together"
        ),
    )
    prior: Prior = Field(
        "natural",
        description=(
            "mixture that the proposal is held against and runs lie around; natural:"
            " pools in proportion to their tokens"
        ),
    )
    runs: int = Field(
        24, ge=6, le=4096, description="proxies of each size, repeats among them"
    )
    weights: dict[str, Annotated[float, Field(ge=0)]] | None = Field(
        None,
        min_length=1,
        description="held-out domain -> weight of its loss; null: all alike",
    )
    floors: dict[str, Share] = Field({}, description="pool -> least share")
    caps: dict[str, Share] = Field({}, description="pool -> largest share")
    veto: dict[str, Annotated[float, Field(ge=0)]] = Field(
        {},
        description=(
            "held-out domain -> nats a token by which its loss may lie above that of"
            " the prior"
        ),
    )

    @field_validator("pools")
    @classmethod
    def _pools_differ(cls, pools: list[str] | None) -> list[str] | None:
        return pools and once(pools)

    @field_validator("model")
    @classmethod
    def _model_is_named(cls, model: str | None) -> str | None:
        if model is not None and not model.strip():
            raise ValueError("is empty; name a folder, or leave it out")
        return model

    @model_validator(mode="after")
    def _weights_weigh(self) -> "MixtureQuestion":
        if self.weights is not None and sum(self.weights.values()) <= 0:
            raise ValueError("weights are all 0; give one domain a weight above 0")
        return self

    @model_validator(mode="after")
    def _names_are_pools(self) -> "MixtureQuestion":
        if isinstance(self.prior, dict) and abs(sum(self.prior.values()) - 1) > 1e-6:
            raise ValueError(
                f"prior adds up to {sum(self.prior.values()):g}; shares are of one whole"
            )
        if self.over == CLUSTERS:
            # their names are known when they are found
            if fault := shares_fault(self.floors, self.caps):
                raise ValueError(fault)
            return self
        for key in ("clusters", "pools", "model", "device"):
            if key in self.model_fields_set and getattr(self, key) is not None:
                raise ValueError(f"{key} is for over: clusters; leave it out")
        if fault := unfit(self, self.over):
            raise ValueError(fault)
        return self

    @property
    def n_domains(self) -> int:
        """How many shares are searched for, of both phases where there are two."""
        n_parts = self.clusters if self.over == CLUSTERS else len(self.over)
        return 2 * n_parts if self.two_phases else n_parts

    def fault(self, pools: Mapping[str, Pool], image: bool) -> Fault | None:
        """What other sections do not have of what is asked."""
        clustered = self.over == CLUSTERS
        key, named = (
            ("pools", self.pools or []) if clustered else ("over", [*self.over])
        )
        if unknown := [name for name in named if name not in pools]:
            return key, f"no pool {unknown[0]!r}; pools are {', '.join(pools)}"
        return (
            unheld(self.veto, "veto", pools)
            or unheld(self.weights or {}, "weights", pools)
            or super().fault(pools, image)
        )


def unfit(question: MixtureQuestion, over: Sequence[str]) -> str | None:
    """What is wrong with the prior, floors and caps of a question for what it mixes; None where nothing is."""
    if len(set(over)) < len(over):
        return "over names a pool twice"
    given = {"floors": question.floors, "caps": question.caps}
    if isinstance(question.prior, dict):
        given["prior"] = question.prior
    for key, shares in given.items():
        if unknown := [name for name in shares if name not in over]:
            return f"{key} names {unknown[0]!r}; over has {', '.join(over)}"
    if fault := shares_fault(question.floors, question.caps):
        return fault
    low = {name: question.floors.get(name, 0.0) for name in over}
    high = {name: question.caps.get(name, 1.0) for name in over}
    if sum(high.values()) < 1:
        return "caps add up to less than 1"
    for name in over:
        least = max(low[name], 1 - sum(high.values()) + high[name])
        most = min(high[name], 1 - sum(low.values()) + low[name])
        if most - least < NARROWEST:
            return (
                f"floors and caps leave {name} no share but {least:g}, which tells nothing"
                f" of it; widen them, or take {name} out of over"
            )
    return None


def shares_fault(floors: Mapping[str, float], caps: Mapping[str, float]) -> str | None:
    """What is wrong with floors and caps whatever else is mixed; None where nothing is."""
    for name, floor in floors.items():
        if floor > caps.get(name, 1.0):
            return f"the floor of {name}, {floor:g}, is above its cap"
    if sum(floors.values()) > 1:
        return "floors add up to more than 1"
    return None


class UpsamplingQuestion(Designed):
    """How often is each quality tier used? A few curves are trained, and the best one is searched for."""

    kind: Literal["upsampling"]
    tiers: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        [0.1, 0.3, 0.6],
        min_length=1,
        max_length=8,
        description="where tiers end, as fractions of the tokens, best first",
    )
    most: float = Field(
        7.0, gt=1, le=100, description="times that a document may be used at the target"
    )

    @model_validator(mode="after")
    def _tiers_rise(self) -> "UpsamplingQuestion":
        if self.tiers != sorted(set(self.tiers)):
            raise ValueError(f"tiers {self.tiers} must rise")
        return self


def _tag(value: Any) -> str:
    """The kind that a question names; without one its arms are named."""
    kind = (
        value.get("kind", "arms")
        if isinstance(value, dict)
        else getattr(value, "kind", "arms")
    )
    return f"[{kind}]"


AnyQuestion = Annotated[
    Annotated[Question, Tag("[arms]")]
    | Annotated[MixtureQuestion, Tag("[mixture]")]
    | Annotated[UpsamplingQuestion, Tag("[upsampling]")],
    Discriminator(
        _tag,
        custom_error_type="question_kind",
        custom_error_message="kind must be one of arms, mixture, upsampling",
    ),
]
