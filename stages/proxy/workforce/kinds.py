"""Runs of one kind, which train equally fast: what each of them needs, and the rate of every way to train them.

On CPU a rate is measured in a second or two, on a GPU it is expected (`expected.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from stages.foundation.errors import InputError
from stages.proxy.network.accumulate import parts_that_fit
from stages.proxy.network.memory import (
    SAFE_FRACTION,
    available_bytes,
    cuda_activation_bytes,
    runs_that_fit,
    training_bytes,
)
from stages.proxy.specs.spec import RunSpec
from stages.proxy.workforce.probe import Candidate, candidates, measured_rates

# measured: a worker with torch and its data that has trained nothing (226 MB and more)
WORKER_BYTES = 300 * 2**20
# assumed: what CUDA takes of a card for each process on it
CONTEXT_BYTES = 600 * 10**6


@dataclass(frozen=True)
class Kind:
    """What a probe found for one kind of run: `rates` tokens/s by candidate, `most` runs that fit a worker's memory."""

    rates: dict[Candidate, float]
    most: int

    def to_dict(self) -> dict:
        return {
            "most": self.most,
            "rates": [
                [way.stack_size, way.threads, way.dtype, round(rate)]
                for way, rate in self.rates.items()
            ],
        }

    @classmethod
    def from_dict(cls, values: Mapping) -> "Kind":
        return cls(
            {Candidate(*way): float(rate) for *way, rate in values["rates"]},
            values["most"],
        )


def kind_of(spec: RunSpec, device: str) -> str:
    """Runs of one kind train equally fast. Example: `cpu d32 x 2 vocabulary 512 batch 512 x 128`."""
    shape = spec.shape
    dtype = "" if spec.dtype == "auto" else f" {spec.dtype}"
    experts = (
        f" {shape.top_k} of {shape.n_experts} experts of {shape.expert_width}"
        if shape.n_experts
        else ""
    )
    experts += (
        f" in every {shape.expert_every}. layer" if shape.expert_every > 1 else ""
    )
    return (
        f"{device} d{shape.d_model} x {shape.n_layers} vocabulary {shape.vocab_size}"
        f" batch {spec.batch_tokens} x {shape.context}{experts}{dtype}"
    )


def measured(
    spec: RunSpec,
    *,
    n_workers: int,
    n_threads: int = 1,
    device: str = "cpu",
    per_card: int = 1,
    seconds: float = 1.5,
    free_bytes: int | None = None,
    rates: Callable[..., dict[Candidate, float]] = measured_rates,
) -> Kind:
    """Probe one kind of run, to be trained on `n_workers` processes, on a GPU `per_card` at once on each card;
    `rates` as `probe.measured_rates`. InputError where not one fits.
    """
    free = available_bytes(device) if free_bytes is None else free_bytes
    each = (
        share_of_card(free, per_card)
        if device == "cuda"
        else free * SAFE_FRACTION / n_workers - WORKER_BYTES
    )
    most = runs_that_fit(
        spec.shape,
        spec.batch_tokens,
        n_bytes=each,
        device=device,
        dropout=spec.dropout > 0,
        dtype=spec.dtype,
    )
    if (
        not most
        and device == "cuda"
        and group_bytes([spec], device, spec.context) <= each
    ):
        most = 1  # a sequence at a time: `accumulate.py`
    if not most:
        needed = group_bytes([spec], device)
        raise InputError(
            f"one run of d_model {spec.shape.d_model}, batch {spec.batch_tokens} needs"
            f" {needed / 1e9:.2f} GB, a worker has {max(0, each) / 1e9:.2f} GB; lower"
            " batch_tokens, the size or the number of workers"
            + (f" on a card, which is {per_card}" if per_card > 1 else "")
        )
    threads = (1, n_threads) if n_threads > 1 else (1,)
    ways = candidates(spec.shape, device, spec.dtype, largest=most, threads=threads)
    return Kind(
        rates(spec.shape, spec.batch_tokens, ways, seconds=seconds, device=device), most
    )


def alike(rates: Mapping[Candidate, float], way: Candidate) -> dict[Candidate, float]:
    """Rates of the ways that differ from `way` in the size of the stack alone."""
    return {
        other: rate
        for other, rate in rates.items()
        if (other.threads, other.dtype) == (way.threads, way.dtype)
    }


def group_bytes(
    group: Sequence[RunSpec], device: str, batch_tokens: int | None = None
) -> int:
    """Bytes of stacked runs; `batch_tokens` of each at a time, a whole batch by default."""
    spec = group[0]
    return training_bytes(
        spec.shape,
        batch_tokens or spec.batch_tokens,
        n_runs=len(group),
        device=device,
        dropout=any(each.dropout > 0 for each in group),
        dtype=spec.dtype,
    )


def share_of_card(card_bytes: float, per_card: int) -> float:
    """Bytes that a group may plan for where `per_card` processes train on a card; one alone has its context already."""
    context = CONTEXT_BYTES if per_card > 1 else 0
    return card_bytes * SAFE_FRACTION / per_card - context


def parts_in_share(
    group: Sequence[RunSpec], card_bytes: float, per_card: int, compiled: bool
) -> dict[str, object]:
    """Options of `train_group` for a group that does not fit its share of a card whole; else none.

    Alone on a card the engine counts what is free at its first step; here that would be its neighbours' room.
    """
    spec = group[0]
    share = share_of_card(card_bytes, per_card)
    if group_bytes(group, "cuda") <= share:
        return {}
    float32 = spec.dtype == "float32"
    one_each = cuda_activation_bytes(
        spec.shape, len(group) * spec.context, float32, compiled
    )
    kept = group_bytes(group, "cuda", spec.context) - one_each
    at_once, again = parts_that_fit(
        spec.shape,
        len(group),
        n_sequences=spec.batch_tokens // spec.context,
        free_bytes=(share - kept) / SAFE_FRACTION,
        float32=float32,
        compiled=compiled,
    )
    return {"micro_sequences": at_once, "recompute": again}
