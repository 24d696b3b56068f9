"""What a run file must hold: its schema, its ranges, and that name, spec and numbers agree.

A file that carries a hash is what was written. One of an older version has none, so it is held to its own
arithmetic: the name is the hash of spec, data and trainer, FLOPs follow from the spec, a loss is the mean of its
documents.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stages.foundation.errors import InputError
from stages.foundation.files import content_hash
from stages.foundation.sealed import SEAL, readable, require_seal
from stages.proxy.specs.spec import RunSpec

CURE = "delete it and `assay run` trains it again"
CLOSE = 1e-6  # assumed: beyond any order of summation, far below a changed digit that matters


class Part(BaseModel):
    """A part of a run file: an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Domain(Part):
    """Losses on one held-out domain; nan where a run diverged."""

    loss_nats: float
    standard_error_nats: float  # nan for a single document
    bits_per_byte: float
    n_tokens: int = Field(gt=0)
    n_documents: int = Field(gt=0)
    document_loss_nats: list[float]


class Counts(Part):
    """What a budget of either modality counts."""

    epochs: float = Field(gt=0, allow_inf_nan=False)
    flops: float = Field(gt=0, allow_inf_nan=False)
    flops_exact: float = Field(gt=0, allow_inf_nan=False)
    seconds: float = Field(ge=0, allow_inf_nan=False)
    diverged: bool


class TextBudget(Counts):
    budget_tokens: int = Field(gt=0)
    n_tokens_seen: int = Field(gt=0)
    n_tokens_unique: int = Field(gt=0)
    shares: dict[str, float]
    unique: dict[str, int]
    held_out: dict[str, Domain] = Field(min_length=1)
    items: dict[str, tuple[float, float]] = {}


class ImageBudget(Counts):
    n_samples_seen: int = Field(gt=0)
    n_samples_unique: int = Field(gt=0)
    error: dict[str, list[float]] = Field(min_length=1)
    loss: dict[str, list[float]] = Field(min_length=1)


class TextResult(Part):
    spec: dict[str, Any]
    budgets: list[TextBudget] = Field(min_length=1)
    curve: dict[str, list[float]]
    diverged: bool
    device: str
    seconds: float = Field(ge=0, allow_inf_nan=False)
    stack_size: int = Field(gt=0)
    notes: list[str]


class ImageResult(Part):
    spec: dict[str, Any]
    n_params: int = Field(gt=0)
    device: str
    budgets: list[ImageBudget] = Field(min_length=1)


class Head(Part):
    trunk_id: str
    arm: str
    control: str
    data_hash: str
    code_hash: str
    content_hash: str | None = None


class TextRun(Head):
    result: TextResult


class ImageRun(Head):
    pool_draw: int = Field(ge=0)
    modality: Literal["image"]
    result: ImageResult


def read_run(file: Path) -> dict[str, Any]:
    """A run file that is sound, its hash included where it has one. Raises InputError in one line."""
    run = readable(file, CURE)
    sealed = require_seal(file, run, CURE)
    is_image = isinstance(run, dict) and "modality" in run
    try:
        (ImageRun if is_image else TextRun).model_validate(run)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise damaged(file, f"{where}: {first['msg']}") from None
    for fault in _faults(run, file.stem, is_image=is_image):
        raise damaged(file, fault)
    if not sealed:
        for fault in _disagreements(run, is_image=is_image):
            raise damaged(file, fault)
    return run


def damaged(file: Path, why: str) -> InputError:
    """The one line about a bad run file."""
    return InputError(f"{file} is damaged ({why[:160]}); {CURE}")


def _faults(run: dict[str, Any], name: str, *, is_image: bool) -> Iterator[str]:
    """What is out of range, or of another run."""
    if run["trunk_id"] != name:
        yield f"it holds the run {run['trunk_id']}"
    for number, budget in enumerate(run["result"]["budgets"]):
        if budget["diverged"]:
            continue
        for where, value in _losses(budget, is_image=is_image):
            enough = value >= 0 if is_image else value > 0
            if not (enough and math.isfinite(value)):
                yield f"budgets.{number}.{where} is {value}, of a run that converged"


def _losses(budget: dict[str, Any], *, is_image: bool) -> Iterator[tuple[str, float]]:
    """Where a measured value stands in a budget, and the value."""
    if is_image:
        for kind in ("error", "loss"):
            for domain, each in budget[kind].items():
                yield from ((f"{kind}.{domain}", float(value)) for value in each)
        return
    for domain, score in budget["held_out"].items():
        for key in ("loss_nats", "bits_per_byte"):
            yield f"held_out.{domain}.{key}", float(score[key])


def _disagreements(run: dict[str, Any], *, is_image: bool) -> Iterator[str]:
    """Where the parts of a file without a hash do not agree."""
    spec, head = run["result"]["spec"], {**run}
    for key in ("trunk_id", "result", "modality", SEAL):
        head.pop(key, None)
    own_name = [spec, head]
    if not is_image:
        named = {**spec, "arm": run["arm"]}
        own_name = [named, run["data_hash"], run["code_hash"]]
    if content_hash(own_name) != run["trunk_id"]:
        yield "its spec, data or trainer are not those of its name"
    if not is_image:
        yield from _wrong_sums(run["result"])


def _wrong_sums(result: dict[str, Any]) -> Iterator[str]:
    """FLOPs that do not follow from the spec, losses that are not the mean of their documents."""
    spec = RunSpec.from_dict(result["spec"])
    if [each["budget_tokens"] for each in result["budgets"]] != [*spec.budgets_tokens]:
        yield "its budgets are not those of its spec"
    for budget in result["budgets"]:
        if not _close(budget["flops"], spec.flops(budget["budget_tokens"])):
            yield f"FLOPs {budget['flops']:g} do not follow from its spec"
        for domain, score in budget["held_out"].items():
            mean = sum(score["document_loss_nats"]) / score["n_tokens"]
            if not budget["diverged"] and not _close(score["loss_nats"], mean):
                yield f"the loss on {domain} is not the mean of its documents"


def _close(found: float, expected: float) -> bool:
    return math.isclose(found, expected, rel_tol=CLOSE)
