"""Proxies on a GPU: 64 stacked beside one at a time, one large proxy beside a plain loop, memory,
and the floors of each.

python benchmarks/proxy_gpu.py [--toy] [--floors CARD] [--peer NANOGPT_FOLDER] [--runs 64]
[--seconds 5] [--quick]

Compares in one run, on random tokens, after compiling: 64 proxies of 1M and of 10M parameters
trained as one batched model, by the trainer of a sweep and fed as there, with the same proxy alone
(compiled) and with a plain loop over one model (compiled, fused AdamW); a 124M proxy at 1,024
tokens of context with that loop, and with a checkout of nanoGPT where --peer names one. Ours with
steps recorded as one CUDA graph, as sweeps
train, and without. For each: tokens/s, model FLOPs over the card's peak (MFU), the highest MFU that
its operations and bytes allow, and peak memory beside the planner's estimate.

--toy does the same with tiny shapes on CPU: it tests the script; its ratios say nothing about a GPU.
--quick leaves out what has to be compiled beside that: one proxy at a time, and steps unrecorded.
--floors H100 prints the operations and bytes of the cases on that card, and trains nothing.
Prints tables and, as its last line, one JSON object.
"""

import argparse
import atexit
import functools
import json
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

import numpy as np
import torch
from plain_gpt import Foreign, PlainGPT, PlainLoop

from stages.proxy.network.device import choose_device
from stages.proxy.network.graphs import UNRECORDED
from stages.proxy.network.graphs import WARM_STEPS as GRAPH_STEPS
from stages.proxy.network.memory import training_bytes
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec
from stages.proxy.tokens.packed import write_packed
from stages.proxy.tokens.view import View
from stages.proxy.training.data import CHUNK_STEPS, ProxyData
from stages.proxy.training.train import Trainer
from stages.proxy.workforce.cards import CARDS, Limits, limits_here, measured_limits
from stages.proxy.workforce.floors import floor_seconds, highest_mfu, step_parts

WARM_STEPS, ROUNDS = 5, 3
MOST_STEPS = 1 << 16  # more than any measurement takes
POOL_TOKENS, DOCUMENT_TOKENS = 1 << 21, 4096
# of the flat buffer: three of a trunk, three of a checkpoint being written
COPIES_OF_A_SWEEP = 6


@dataclass(frozen=True)
class Case:
    """A proxy, its tokens a step, and how many are stacked; `goal` MFU and `times` over one at a
    time are what is asked for.
    """

    name: str
    shape: Shape
    batch_tokens: int
    n_runs: int
    goal: float
    times: float | None
    micro_sequences: int | None = None


def cases(toy: bool, n_runs: int) -> list[Case]:
    if toy:
        return [
            Case("toy stack", Shape(16, 1, 1, 16, 64), 64, min(n_runs, 4), 0.0, None),
            Case("toy large", Shape(32, 2, 1, 32, 64), 128, 1, 0.0, None, 2),
        ]
    return [
        Case(f"{n_runs} x 1M", Shape(192, 2, 3, 512, 4096), 4096, n_runs, 0.12, 8.0),
        Case(f"{n_runs} x 10M", Shape(512, 3, 8, 512, 4096), 4096, n_runs, 0.35, 3.0),
        Case(
            "124M, context 1,024",
            Shape(768, 12, 12, 1024, 50_304),
            65_536,
            1,
            0.45,
            None,
            16,
        ),
    ]


def measured(
    step: Callable[[], None],
    n_tokens: int,
    flops_per_token: int,
    peak: float,
    seconds: float,
    device: torch.device,
) -> dict[str, float]:
    """Tokens/s of the best of a few rounds, MFU and peak memory."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    warm_s = timed(step, WARM_STEPS, device) / WARM_STEPS
    n_steps = max(1, int(seconds / ROUNDS / max(warm_s, 1e-6)))
    fastest = min(timed(step, n_steps, device) for _ in range(ROUNDS)) / n_steps
    rate = n_tokens / fastest
    return {
        "tokens_per_second": rate,
        "mfu": rate * flops_per_token / peak,
        "step_ms": 1e3 * fastest,
        "peak_bytes": (
            torch.cuda.max_memory_allocated() if device.type == "cuda" else None
        ),
    }


def timed(step: Callable[[], None], n_steps: int, device: torch.device) -> float:
    started = time.perf_counter()
    for _ in range(n_steps):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def stacked(
    case: Case,
    n_runs: int,
    device: torch.device,
    dtype: torch.dtype,
    graphs: bool = True,
) -> Callable[[], None]:
    """A step of `n_runs` of ours, by the trainer of a sweep with its feed, which a thread fills on CUDA.

    There a wait of the host inside a step and a step that cannot be recorded are errors.
    """
    spec = RunSpec(
        arm="all",
        shape=case.shape,
        budgets_tokens=(MOST_STEPS * case.batch_tokens,),
        batch_tokens=case.batch_tokens,
        seed=0,
    )
    trainer = Trainer(
        [replace(spec, seed=seed) for seed in range(n_runs)],
        random_pool(case.shape),
        device.type,
        str(dtype).removeprefix("torch."),
        micro_sequences=case.micro_sequences,
        graphs=graphs,
    )
    return partial(one_step, trainer)


def one_step(trainer: Trainer) -> None:
    on_card, taken = trainer.device.type == "cuda", trainer.record.n_steps
    # compiling, recording and a new chunk of the feed may wait
    strict = taken > GRAPH_STEPS + 1 and (taken + 1) % CHUNK_STEPS > 1
    if on_card:
        torch.cuda.set_sync_debug_mode("error" if strict else "default")
    trainer._step(trainer.plan[0])
    if on_card:
        torch.cuda.set_sync_debug_mode("default")
    if failed := [n for n in trainer.record.notes if n.startswith(UNRECORDED)]:
        sys.exit(failed[0])


@functools.cache
def random_pool(shape: Shape) -> ProxyData:
    """A pool of random tokens on disk, read as a sweep reads its own."""
    draw = np.random.default_rng(0)
    folder = Path(tempfile.mkdtemp(prefix="proxy_gpu_")) / "pack"
    documents = (
        (str(number), draw.integers(1, shape.vocab_size, DOCUMENT_TOKENS), 1)
        for number in range(POOL_TOKENS // DOCUMENT_TOKENS)
    )
    pack = write_packed(folder, documents, vocab_size=shape.vocab_size, eos_id=0)
    atexit.register(shutil.rmtree, folder.parent, ignore_errors=True)
    return ProxyData({"all": View(pack, np.arange(pack.n_documents), arm="all")}, {})


def plain(
    case: Case, model: torch.nn.Module, device: torch.device, dtype: torch.dtype
) -> Callable[[], None]:
    n_sequences = case.batch_tokens // case.shape.context
    loop = PlainLoop(
        model, device, dtype, n_sequences // (case.micro_sequences or n_sequences)
    )
    tokens = torch.randint(
        0, case.shape.vocab_size, (2, n_sequences, case.shape.context), device=device
    )
    return lambda: loop.step(tokens[0], tokens[1])


def run_case(
    case: Case,
    peer: Path | None,
    quick: bool,
    seconds: float,
    device: torch.device,
    dtype: torch.dtype,
    peak: float,
) -> dict[str, dict]:
    """Every way of training the case, each built, measured and let go before the next."""
    torch.manual_seed(0)
    ways: dict[str, tuple[int, Callable[[], Callable[[], None]]]] = {}
    for n_runs in dict.fromkeys((case.n_runs,) if quick else (case.n_runs, 1)):
        name = (
            "ours, one at a time"
            if n_runs == 1 < case.n_runs
            else f"ours, {n_runs} at once"
        )
        ways[name] = n_runs, partial(stacked, case, n_runs, device, dtype)
        if not quick:
            ways[f"{name}, no graph"] = (
                n_runs,
                partial(stacked, case, n_runs, device, dtype, graphs=False),
            )
    ways["plain loop, one at a time"] = (
        1,
        lambda: plain(case, PlainGPT(case.shape), device, dtype),
    )
    if peer and case.n_runs == 1:
        ways["nanoGPT"] = (
            1,
            lambda: plain(case, Foreign(peer, case.shape), device, dtype),
        )
    found = {}
    for name, (n_runs, build) in ways.items():
        step = build()
        found[name] = measured(
            step,
            n_runs * case.batch_tokens,
            case.shape.flops_per_token,
            peak,
            seconds,
            device,
        )
        print(f"  {name}: {found[name]['step_ms']:.2f} ms a step", flush=True)
        del step
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return found


def estimate(case: Case, device: str) -> int:
    """Bytes that the planner expects for the case, less the trunk behind a branch and the
    checkpoint, which are not made here.
    """
    tokens = (
        case.micro_sequences or case.batch_tokens // case.shape.context
    ) * case.shape.context
    return (
        training_bytes(case.shape, tokens, case.n_runs, device)
        - COPIES_OF_A_SWEEP * 4 * case.n_runs * case.shape.n_params_total
    )


def card_of(device: torch.device) -> tuple[str, Limits]:
    """Name and limits of this machine's card, or of its processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(), limits_here(device)
    return platform.processor() or platform.machine(), measured_limits(
        device, n=512, copied=1 << 24
    )


def printed(
    shape: Shape, batch_tokens: int, n_runs: int, peak: float, bandwidth: float
) -> str:
    """The table of one case."""
    parts = step_parts(shape, batch_tokens, n_runs)
    lines = [
        f"  {'part':34s}{'GFLOP':>11s}{'MB':>11s}{'FLOP/byte':>11s}{'floor ms':>10s} "
        " bound by"
    ]
    for part in parts:
        lines.append(
            f"  {part.name:34s}{part.flops / 1e9:11.3f}{part.n_bytes / 1e6:11.2f}"
            f"{part.flops / part.n_bytes:11.1f}{1e3 * part.seconds(peak, bandwidth):10.4f}"
            f"  {part.bound(peak, bandwidth)}"
        )
    floor = floor_seconds(parts, peak, bandwidth)
    gflops = sum(p.flops for p in parts) / 1e9
    megabytes = sum(p.n_bytes for p in parts) / 1e6
    highest = highest_mfu(shape, batch_tokens, n_runs, peak, bandwidth)
    lines.append(
        f"  {'all':34s}{gflops:11.3f}{megabytes:11.2f}{'':11s}{1e3 * floor:10.4f}"
        f"  highest MFU {highest:.1%}"
    )
    return "\n".join(lines)


def floors_of(card: str, asked: list[Case]) -> None:
    """The floors of every case on a card of the datasheet."""
    peak, bandwidth = CARDS[card]
    for case in asked:
        print(
            f"\n{case.name} on {card}:"
            f" {case.shape}\n{printed(case.shape, case.batch_tokens, case.n_runs, peak, bandwidth)}"
        )
    highest = {
        case.name: highest_mfu(
            case.shape, case.batch_tokens, case.n_runs, peak, bandwidth
        )
        for case in asked
    }
    print(
        json.dumps(
            {
                "card": card,
                "highest_mfu": highest,
                "goal_mfu": {case.name: case.goal for case in asked},
                "planned_bytes": {case.name: estimate(case, "cuda") for case in asked},
                "machine": {"python": platform.python_version()},
            }
        )
    )


def show(
    case: Case, found: dict[str, dict], highest: float, expected: int, single: str
) -> None:
    print(
        f"\n{case.name}: d_model {case.shape.d_model} x {case.shape.n_layers}, context"
        f" {case.shape.context}, vocabulary {case.shape.vocab_size},"
        f" {case.batch_tokens} tokens a run and step"
    )
    print(
        f"  {'':30s}{'tokens/s':>14s}{'ms a step':>11s}{'MFU':>8s}"
        f"{'against ' + single.split(',')[0]:>22s}{'peak GB':>9s}"
    )
    for name, row in found.items():
        peak = f"{row['peak_bytes'] / 1e9:9.2f}" if row["peak_bytes"] else f"{'-':>9s}"
        ratio = row["tokens_per_second"] / found[single]["tokens_per_second"]
        print(
            f"  {name:30s}{row['tokens_per_second']:14,.0f}{row['step_ms']:11.2f}"
            f"{row['mfu']:8.1%}{ratio:22.2f}{peak}"
        )
    if found[single]["peak_bytes"] is None:
        print("  no graphs on CPU: ours with and without are the same steps")
    print(
        f"  highest MFU by the floors {highest:.1%}; planner expects"
        f" {expected / 1e9:.3f} GB"
    )


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--toy", action="store_true", help="tiny shapes on CPU: tests the script"
    )
    parser.add_argument(
        "--floors",
        choices=sorted(CARDS),
        help="only the floors, of a card that need not be here",
    )
    parser.add_argument("--peer", type=Path, help="a checkout of nanoGPT")
    parser.add_argument(
        "--quick", action="store_true", help="ours, the plain loop and the peer alone"
    )
    parser.add_argument("--runs", type=int, default=64)
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="of each measurement"
    )
    arguments = parser.parse_args(argv)
    if arguments.floors:
        return floors_of(arguments.floors, cases(False, arguments.runs))
    if not arguments.toy and not torch.cuda.is_available():
        sys.exit("no CUDA device here; --toy tests the script on CPU")
    device, dtype, reason = choose_device("cpu" if arguments.toy else "cuda")
    name, (peak, bandwidth) = card_of(device)
    print(f"{reason}\npeak {peak / 1e12:.3g} TFLOP/s, {bandwidth / 1e9:.4g} GB/s")
    results = {}
    for case in cases(arguments.toy, arguments.runs):
        print(
            "\nfloors of a step,"
            f" {case.name}\n{printed(case.shape, case.batch_tokens, case.n_runs, peak, bandwidth)}"
        )
        found = run_case(
            case,
            peer=arguments.peer,
            quick=arguments.quick,
            seconds=arguments.seconds,
            device=device,
            dtype=dtype,
            peak=peak,
        )
        highest, expected = (
            highest_mfu(case.shape, case.batch_tokens, case.n_runs, peak, bandwidth),
            estimate(case, device.type),
        )
        single = (
            "ours, one at a time"
            if case.n_runs > 1 and not arguments.quick
            else "plain loop, one at a time"
        )
        show(case, found, highest, expected, single)
        ours = found[f"ours, {case.n_runs} at once"]
        results[case.name] = {
            "n_params": case.shape.n_params,
            "ways": found,
            "highest_mfu": highest,
            "planned_bytes": expected,
            "goal_mfu": case.goal,
            "goal_times": case.times,
            "times": ours["tokens_per_second"] / found[single]["tokens_per_second"],
        }
    print(
        json.dumps(
            {
                "toy": arguments.toy,
                "cases": results,
                "recorded": device.type == "cuda",
                "peak_flops": peak,
                "bandwidth": bandwidth,
                "machine": {
                    "device": name,
                    "torch": torch.__version__,
                    "python": platform.python_version(),
                },
            }
        )
    )


if __name__ == "__main__":
    main()
