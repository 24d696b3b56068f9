"""The section `fit`: what decides, which laws are candidates, how they are refitted and checked."""

from difflib import get_close_matches
from typing import Any, Literal

from pydantic import Field, PositiveFloat, field_validator, model_validator

from stages.foundation.section import Section

AUTO = "auto"
ITEM_METRICS = ("correct_nats", "correct_bpb", "brier")  # of sweep.items


class FitParams(Section):
    seed: int = Field(1, ge=0)
    domain: str | None = Field(
        None, description="held-out domain whose loss decides; null: the first by name"
    )
    metric: Literal["loss", "error", "bpb", "correct_nats", "correct_bpb", "brier"] = (
        Field(
            "loss",
            description=(
                "what decides: the loss, of text bits a byte (bpb), of images the share"
                " that is classified wrongly (error), or of scored items, named by"
                " `domain`, correct_nats, correct_bpb or brier"
            ),
        )
    )
    judges: dict[str, PositiveFloat] = Field(
        {},
        description=(
            "several judges in place of one domain: held-out domain (or correct_bpb_ and"
            " the name of items) -> weight; their mean in bits a byte decides"
        ),
    )
    least_signal_to_noise: float = Field(
        1.0,
        ge=0,
        description=(
            "a judge whose arms differ by less than so many times the noise of one run"
            " is left out, with the reason; 0 keeps all"
        ),
    )
    laws: list[str] = Field(
        ["auto"],
        min_length=1,
        description=(
            "candidates, by name (see `assay laws`); auto: every law that the runs can"
            " tell apart"
        ),
    )
    draws: int = Field(400, ge=50, le=20_000, description="bootstrap refits")
    starts: int = Field(32, ge=8, le=10_000, description="starting points of a law")
    held_out_rungs: int = Field(
        1,
        ge=1,
        description="largest compute budgets that the check leaves out and predicts",
    )
    leave_out_early: bool = Field(
        True,
        description=(
            "of five token budgets or more, leave out those before the power law"
            " begins, with the reason"
        ),
    )

    @model_validator(mode="after")
    def _one_way(self) -> "FitParams":
        if self.judges and (self.domain is not None or self.metric != "loss"):
            raise ValueError(
                "judges take the place of domain and metric; leave those out"
            )
        return self

    @field_validator("laws")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        if {*names} == {AUTO}:
            return names
        # numpy and every law, for which a project that names none does not wait
        from stages.laws import LAWS
        from stages.laws.repetition.half_life import OVER_TIERS

        known = [AUTO, *LAWS, OVER_TIERS]
        for name in names:
            if name not in known:
                near = " or ".join(get_close_matches(name, known, 3))
                raise ValueError(
                    f"no law {name!r}; {f'did you mean {near}? ' if near else ''}"
                    f"{AUTO} lets all compete, `assay laws` lists them"
                )
        return names


def is_measured(params: dict[str, Any]) -> tuple[list[str], str] | None:
    """Where the section names what no run is judged by: the keys and the fault."""
    section: FitParams = params["fit"]
    image = params["ingest"].modality == "image"
    measured = ["loss", "error"] if image else ["loss", "bpb"]
    if params["sweep"].items is not None and not image:
        measured += ITEM_METRICS
    if section.metric not in measured:
        return ["fit", "metric"], (
            f"{section.metric} is measured of"
            f" {'images' if section.metric == 'error' else 'text'}"
            f"{', of the items of sweep.items' if section.metric in ITEM_METRICS else ''};"
            f" here there are {', '.join(measured)}"
        )
    if image and section.judges:
        return ["fit", "judges"], "are for text; name a domain for images"
    held = [name for name, pool in params["ingest"].pools.items() if pool.heldout]
    if (
        not image
        and section.metric in ("loss", "bpb")
        and section.domain not in (None, *held)
    ):
        return ["fit", "domain"], _not_held(section.domain, held)
    of_items = "correct_bpb" in measured
    for judge in section.judges:
        if judge.removeprefix("bpb_") in held or judge in held:
            continue
        if not of_items or not judge.startswith("correct_bpb_"):
            return ["fit", "judges", judge], _not_held(judge, held)
    return None


def _not_held(name: str | None, held: list[str]) -> str:
    return f"no held-out domain {name!r}; there are {', '.join(held)}"
