"""The `arms` section of params.yaml: the data sets that compete, their controls and the questions."""

import itertools
from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.foundation.section import Name, Section
from stages.settings.questions import (
    CLUSTERS,
    AnyQuestion,
    MixtureQuestion,
    Question,
    UpsamplingQuestion,
)
from stages.target.target import Target


class Replay(Section):
    """Data of another arm that are read beside an arm's own."""

    share: float = Field(gt=0, lt=1, description="of the training tokens")
    of: "Arm" = Field(description="the other arm")


class Curriculum(Section):
    """An order of an arm's documents: parts by a score, one after the other, within every run."""

    by: str = Field(
        "difficulty", description="the score that orders documents, as `by` of an arm"
    )
    stages: int = Field(4, ge=2, le=64, description="parts of as many tokens each")
    first: Literal["low", "high"] = Field(
        "low", description="which end of the score is read first"
    )


class Arm(Section):
    """A data set to compare: a part of the draw, and how often its documents are used."""

    keep: float = Field(
        1.0, gt=0, le=1, description="fraction of the draw's tokens kept"
    )
    by: str = Field(
        "quality",
        description=(
            "what orders documents: quality, difficulty, a name under score.extra or a"
            " measure of a document rule"
        ),
    )
    take: Literal["high", "low", "middle", "random"] = Field(
        "high",
        description="which end of the score is kept; high difficulty is keep-hard",
    )
    upweight: float | None = Field(
        None,
        gt=0,
        lt=1,
        description=(
            "share of training tokens for the kept part; the rest of the draw gets what"
            " is left"
        ),
    )
    mixture: dict[str, float] | None = Field(
        None,
        min_length=1,
        description="share of training tokens by pool; pools not named are left out",
    )
    clusters_of: str | None = Field(
        None,
        exclude_if=lambda question: question is None,
        description="question whose clusters the mixture names in place of pools",
    )
    uses: dict[float, Annotated[float, Field(ge=0)]] | None = Field(
        None,
        min_length=1,
        exclude_if=lambda uses: uses is None,
        description=(
            "how often documents are used, by where their tier of quality ends: {0.1: 4,"
            " 0.5: 1, 1.0: 0} uses the best tenth four times and drops the worse half"
        ),
    )
    dedup: Literal["none", "exact", "words", "near", "bands", "semantic", "lines"] = (
        Field(
            "near", description="policy; of a cluster of copies the smallest id stays"
        )
    )
    licence: list[str] | None = Field(
        None,
        min_length=1,
        description="use only documents of these licences (ingest.pools.NAME.licence)",
    )
    replay: Replay | None = Field(
        None,
        exclude_if=lambda replay: replay is None,
        description=(
            "data of another arm read beside its own; arms of a question with a branch"
            " have it from there"
        ),
    )
    curriculum: Curriculum | None = Field(
        None,
        exclude_if=lambda curriculum: curriculum is None,
        description=(
            "documents are read in stages by a score; every budget is then a run of its"
            " own"
        ),
    )
    rules: bool | str | list[str] = Field(
        False,
        description=(
            "drop documents that fail a document rule: true for all that score judges,"
            " or rules and rule sets by name"
        ),
    )

    @model_validator(mode="after")
    def _shares_are_shares(self) -> "Arm":
        if self.mixture is not None:
            if (
                min(self.mixture.values()) <= 0
                or abs(sum(self.mixture.values()) - 1) > 1e-6
            ):
                seen = ", ".join(
                    f"{pool}: {share:g}" for pool, share in self.mixture.items()
                )
                raise ValueError(
                    f"mixture needs shares above 0 that sum to 1, got {seen} (sum"
                    f" {sum(self.mixture.values()):g})"
                )
            if self.upweight is not None:
                raise ValueError(
                    "an arm has a mixture or an upweight, not both; make two arms"
                )
        return self

    @model_validator(mode="after")
    def _clusters_are_mixed(self) -> "Arm":
        if self.clusters_of is not None and self.mixture is None:
            raise ValueError("clusters_of says what a mixture names; give a mixture")
        return self

    @model_validator(mode="after")
    def _replay_is_in_no_order(self) -> "Arm":
        if self.curriculum is not None and self.replay is not None:
            raise ValueError(
                "an arm has a curriculum or a replay, not both; make two arms"
            )
        return self

    @model_validator(mode="after")
    def _uses_cover_the_pool(self) -> "Arm":
        if self.uses is None:
            return self
        ends = list(self.uses)
        if ends != sorted(ends) or ends[0] <= 0 or ends[-1] != 1:
            raise ValueError(
                f"uses must name ends of tiers that rise from above 0 to 1, got {ends}"
            )
        if not any(self.uses.values()):
            raise ValueError("uses are all 0; use one tier at least")
        if self.mixture or self.upweight or self.keep < 1:
            raise ValueError(
                "an arm has uses, or keep, upweight and mixture; make two arms"
            )
        return self


class Control(Section):
    """A comparison whose answer is known, to size the noise: `like` names the arm it is made from.

    Of kind lr it asks whether the winner stays so at a lower learning rate; without `like` it is made of every arm.
    """

    like: str | None = None
    kind: Literal["same", "drop_half", "duplicate_half", "lr"]
    times: float = Field(
        0.3, gt=0, lt=1, description="the usual learning rate, where kind is lr"
    )


class ArmsParams(Section):
    seed: int = Field(1, ge=0)
    draws: int = Field(4, ge=2, le=64, description="independent resamples of the pool")
    draw_tokens: int | None = Field(
        262_144,
        ge=100,
        description=(
            "tokens (or images) of one resample, duplicates removed, before any arm"
            " takes its part; null: as many as the target's repetition asks for"
        ),
    )
    largest_budget: int | None = Field(
        None,
        ge=1,
        description="taken from sweep.budgets_tokens where there is a target",
    )
    target: Target | None = Field(None, description="taken from the section `target`")
    questions: dict[Name, AnyQuestion] = Field(min_length=1)
    always: dict[Name, Arm] = Field(
        {},
        description=(
            "arms that take part in every question; with a target and no question of"
            " one's own, unless said: unfiltered: {} and junk, as many of the worst"
            " tokens as the strictest arm keeps"
        ),
    )
    arms: dict[Name, Arm] = {}
    controls: dict[Name, Control] = {}

    @model_validator(mode="after")
    def _names_exist(self) -> "ArmsParams":
        for name, question in self.questions.items():
            if not isinstance(question, Question):
                continue
            if missing := [arm for arm in question.arms if arm not in self.arms]:
                raise ValueError(
                    f"question {name!r} names the arm {missing[0]!r}; arms are"
                    f" {', '.join(self.arms) or 'not given'}"
                )
            if question.branch and question.branch.base not in self.arms:
                raise ValueError(
                    f"question {name!r} has a trunk of the arm"
                    f" {question.branch.base!r}; arms are {', '.join(self.arms)}"
                )
        self._names_differ()
        for name, arm in self.arms.items():
            if arm.clusters_of is not None and arm.clusters_of not in self.clustered:
                raise ValueError(
                    f"arm {name!r}: clusters_of names {arm.clusters_of!r}, which is no"
                    " mixture question with over: clusters"
                )
        for name, control in self.every_control.items():
            if control.like not in self.arms or name in self.arms:
                raise ValueError(
                    f"control {name!r} needs a name of its own and `like` one of"
                    f" {', '.join(self.arms) or 'the arms, of which there are none'}"
                )
        if self.draw_tokens is None and None in (self.target, self.largest_budget):
            raise ValueError("draw_tokens: null needs a section `target`")
        return self

    @model_validator(mode="after")
    def _tiers_have_names(self) -> "ArmsParams":
        names = tier_names(self.tier_edges)
        curves = [
            q for q in self.questions.values() if isinstance(q, UpsamplingQuestion)
        ]
        if curves and len(set(names)) < len(names):
            ends = ", ".join(f"{end:g}" for end in self.tier_edges)
            raise ValueError(
                f"tiers and kept fractions {ends} lie within one per cent; give fewer"
            )
        return self

    def _names_differ(self) -> None:
        """ValueError where one name would be of two data sets."""
        for name, arm in self.always.items():
            if self.arms.get(name, arm) != arm:
                raise ValueError(
                    f"always and arms have {name!r} with other settings; give one of"
                    " them another name"
                )
        for name, control in self.controls.items():
            if control.kind != "lr" or control.like is not None:
                continue
            if not self.arms:
                raise ValueError(
                    f"control {name!r} is made of the arms, and there are none; take it out"
                )
            made = [f"{name}_{arm}" for arm in self.arms]
            if twice := [each for each in made if each in self.controls]:
                raise ValueError(
                    f"the control {name!r} makes {twice[0]!r}, which is a control too;"
                    " give one of them another name"
                )

    @property
    def clustered(self) -> dict[str, MixtureQuestion]:
        """The questions that mix clusters."""
        return {
            name: question
            for name, question in self.questions.items()
            if isinstance(question, MixtureQuestion) and question.over == CLUSTERS
        }

    @property
    def every_control(self) -> dict[str, Control]:
        """Each control by its name; one of all arms is one of each, NAME_ARM."""
        found: dict[str, Control] = {}
        for name, control in self.controls.items():
            if control.kind == "lr" and control.like is None:
                found |= {
                    f"{name}_{arm}": control.model_copy(update={"like": arm})
                    for arm in self.arms
                }
            else:
                found[name] = control
        return found

    @property
    def tier_edges(self) -> list[float]:
        """Kept fractions by high quality: the tiers whose utility the pool-mixing law fits apart."""
        edges = {
            arm.keep
            for arm in self.arms.values()
            if arm.by == "quality" and arm.take == "high"
        }
        edges |= {end for arm in self.arms.values() for end in arm.uses or {}}
        for question in self.questions.values():
            if isinstance(question, UpsamplingQuestion):
                edges |= set(question.tiers)
        return sorted(edges - {1.0})


def tier_names(edges: list[float]) -> list[str]:
    """`q000_005` for the best 5 % of tokens, and so on, best first."""
    bounds = [0, *edges, 1]
    return [
        f"q{round(100 * low):03d}_{round(100 * high):03d}"
        for low, high in itertools.pairwise(bounds)
    ]
