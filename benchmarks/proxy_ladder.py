"""A ladder of 48 proxies against the same models trained one after another by a plain PyTorch loop,
on CPU.

python benchmarks/proxy_ladder.py [TOKENS [TURNS]]. 4 arms x 3 sizes (6k, 25k, 147k) x 4 seeds,
TOKENS each (default 32,768). The peer is nn.Module, autograd and torch.optim.AdamW at torch's
default number of threads, and again on one thread, which a busy machine hurts less; ours is what
the planner chooses, its probe and the start of its workers included. Both sides must reach equal
held-out losses. Then the planner's packing runs against each of its alternatives in TURNS (default
2), the best turn of each counting, since others only ever add time. Prints a table and, as its last
line, one JSON object.
"""

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from stages.proxy.heldout.evaluate import HeldOut, Scorer
from stages.proxy.network.adamw import BETA1, BETA2, CLIP_NORM
from stages.proxy.network.device import one_thread, usable_cores
from stages.proxy.network.model import NORM_EPS, ROPE_BASE, Weights
from stages.proxy.specs.schedule import segments
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec
from stages.proxy.specs.stack import stacks
from stages.proxy.tokens.order import Stream
from stages.proxy.tokens.packed import write_packed
from stages.proxy.tokens.view import View
from stages.proxy.training.data import ProxyData
from stages.proxy.workforce.kinds import kind_of, measured
from stages.proxy.workforce.planner import packed
from stages.proxy.workforce.probe import CPU_SIZES, rates_together
from stages.proxy.workforce.workers import Workers
from stages.sweeping.known_kinds import LEAST_PROBE_SECONDS, PROBE_SECONDS

VOCAB, SIZES, SEEDS, BATCH_TOKENS = 512, ("6k", "25k", "147k"), 4, 512
SAME_LOSS = 1e-4  # relative; what stacking may round otherwise, as the tests of stages/proxy hold it


def sentences(n_documents: int, seed: int, choices: int):
    """Documents of a small learnable language: the next word is one of `choices` that its word allows."""
    random = np.random.default_rng(seed)
    allowed = np.random.default_rng(choices).integers(1, VOCAB, (VOCAB, choices))
    for number in range(n_documents):
        words, picks = (
            [int(random.integers(1, VOCAB))],
            random.integers(0, choices, 199),
        )
        for pick in picks:
            words.append(int(allowed[words[-1], pick]))
        yield f"{seed}-{number}", np.array(words), 2 * len(words)


def make_data(folder: Path) -> ProxyData:
    """Four arms of one pool, and a held-out set."""
    pool = write_packed(
        folder / "pool", sentences(1000, 1, 8), vocab_size=VOCAB, eos_id=0
    )
    held_out = write_packed(
        folder / "held_out", sentences(20, 2, 8), vocab_size=VOCAB, eos_id=0
    )
    random = np.random.default_rng(0)
    views = {
        f"arm{i}": View(
            pool, np.sort(random.choice(1000, 400, replace=False)), arm=f"arm{i}"
        )
        for i in range(4)
    }
    return ProxyData(views, {"held_out": HeldOut(held_out)})


def ladder(data: ProxyData, n_tokens: int) -> list[RunSpec]:
    return [
        RunSpec(
            arm=arm,
            shape=Shape.named(size, vocab_size=VOCAB),
            budgets_tokens=(n_tokens,),
            batch_tokens=BATCH_TOKENS,
            seed=seed,
            data_seed=seed,
        )
        for size in SIZES
        for arm in data.views
        for seed in range(SEEDS)
    ]


class Block(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        d, self.n_heads = shape.d_model, shape.n_heads
        self.qkv, self.out = (
            nn.Linear(d, 3 * d, bias=False),
            nn.Linear(d, d, bias=False),
        )
        self.up, self.down = (
            nn.Linear(d, 4 * d, bias=False),
            nn.Linear(4 * d, d, bias=False),
        )

    def forward(self, x, turn):
        heads = (
            self.qkv(normed(x))
            .unflatten(-1, (3, self.n_heads, -1))
            .permute(2, 0, 3, 1, 4)
        )
        query, key = rotated(normed(heads[0]), turn), rotated(normed(heads[1]), turn)
        mixed = F.scaled_dot_product_attention(query, key, heads[2], is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).flatten(-2))
        return x + self.down(F.relu(self.up(normed(x))).square())


class PlainModel(nn.Module):
    """The same function as `stages.proxy.network.model`, as a torch user would write it."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.embedding, self.head = (
            nn.Embedding(shape.vocab_size, shape.d_model),
            nn.Linear(shape.d_model, shape.vocab_size, bias=False),
        )
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.n_layers))
        half = shape.head_width // 2
        angle = torch.outer(
            torch.arange(shape.context), ROPE_BASE ** (-torch.arange(half) / half)
        )
        self.register_buffer("turn", torch.stack([angle.cos(), angle.sin()]))

    def forward(self, inputs):
        x = self.embedding(inputs)
        for block in self.blocks:
            x = block(x, self.turn[:, : inputs.shape[-1]])
        return self.head(normed(x))

    def start_from(self, weights: Weights) -> None:
        """Take the initial weights of run 0, so that both sides train the same model."""
        named = {name: weight.detach()[0] for name, weight in weights.named.items()}
        with torch.no_grad():
            for name, weight in self.named_parameters():
                weight.copy_(
                    named[name.removeprefix("blocks.").removesuffix(".weight")]
                )


def normed(x):
    return F.rms_norm(x, (x.shape[-1],), eps=NORM_EPS)


def rotated(x, turn):
    real, imaginary = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack(
        [real * turn[0] - imaginary * turn[1], real * turn[1] + imaginary * turn[0]], -1
    ).flatten(-2)


def train_plainly(spec: RunSpec, data: ProxyData) -> float:
    """One model, one loop; the held-out loss."""
    model = PlainModel(spec.shape)
    model.start_from(Weights(spec.shape, [spec.seed]))
    outer = [*model.embedding.parameters(), *model.head.parameters()]
    optimiser = torch.optim.AdamW(
        [
            {"params": outer, "weight_decay": 0.0},
            {
                "params": list(model.blocks.parameters()),
                "weight_decay": spec.weight_decay,
            },
        ],
        lr=spec.lr,
        betas=(BETA1, BETA2),
    )
    plan = segments(
        spec.budgets_tokens,
        batch_tokens=spec.batch_tokens,
        decay_fraction=spec.decay_fraction,
        warmup_steps=spec.warmup_steps,
    )
    factors = np.concatenate([part.lr_factors for part in plan])
    stream = Stream(data.views[spec.arm], spec.data_seed)
    for step, factor in enumerate(factors):
        inputs, targets = stream.batch(step, spec.batch_tokens, spec.context)
        for group in optimiser.param_groups:
            group["lr"] = spec.lr * factor
        loss = F.cross_entropy(
            model(torch.from_numpy(inputs)).flatten(0, 1),
            torch.from_numpy(targets).flatten(),
        )
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimiser.step()
    return held_out_loss(model, spec, data)


@torch.no_grad()
def held_out_loss(model: PlainModel, spec: RunSpec, data: ProxyData) -> float:
    def losses(inputs, targets):
        return F.cross_entropy(
            model(inputs).flatten(0, 1), targets.flatten(), reduction="none"
        ).view(1, *inputs.shape)

    return (
        Scorer(dict(data.held_out), spec.context, 4096)
        .score(losses, 1)[0]["held_out"]
        .loss_nats
    )


def train_planned(
    specs: list[RunSpec], data: ProxyData
) -> tuple[dict[RunSpec, float], dict]:
    """The ladder as a sweep trains it: workers, probe, plan, training; losses by spec and the plan."""
    n_workers = usable_cores()[0]
    kinds: dict[str, list[RunSpec]] = {}
    for spec in specs:
        kinds.setdefault(kind_of(spec, "cpu"), []).append(spec)
    seconds = max(LEAST_PROBE_SECONDS, PROBE_SECONDS / len(kinds))
    with Workers(data, n_workers, device="cpu") as workers:
        rates = {
            kind: measured(
                alike[0],
                n_workers=n_workers,
                seconds=seconds,
                rates=partial(rates_together, workers),
            )
            for kind, alike in kinds.items()
        }
        plan = packed(specs, rates, n_workers=n_workers, held_out_tokens=4020)
        print("\n".join(plan.lines()), flush=True)
        return trained(plan.groups, workers), plan


def trained(groups: list[list[RunSpec]], workers: Workers) -> dict[RunSpec, float]:
    found = {}
    failures = workers.train(
        groups,
        on_result=lambda result: found.update(
            {result.spec: result.budgets[-1].held_out["held_out"].loss_nats}
        ),
    )
    if failures:
        raise SystemExit(failures[0].message)
    return found


def timed(call):
    """What `call` returns, its wall seconds and CPU seconds, children included."""

    def cpu():
        return sum(
            sum(resource.getrusage(who)[:2])
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )

    wall, busy = time.perf_counter(), cpu()
    value = call()
    return value, time.perf_counter() - wall, cpu() - busy


def against_alternatives(
    specs: list[RunSpec], data: ProxyData, plan, turns: int
) -> dict[str, float]:
    """Best wall seconds of the planner's groups and of each uniform stack, in turns, on workers that have started."""
    ways = {"planner": plan.groups} | {
        f"stack {size}": stacks(specs, size) for size in (*CPU_SIZES, 16)
    }
    best: dict[str, float] = {}
    with Workers(data, plan.n_workers, device="cpu") as workers:
        workers.ask(torch.get_num_threads)
        for turn in range(turns):
            for name, groups in ways.items():
                seconds = timed(lambda groups=groups: trained(groups, workers))[1]
                best[name] = min(seconds, best.get(name, np.inf))
                print(f"turn {turn + 1}, {name}: {seconds:.1f} s", flush=True)
    return best


def machine() -> dict[str, object]:
    """What the figures hold for."""
    with open("/proc/cpuinfo") as file:
        model = next(
            line.split(":")[1].strip() for line in file if line.startswith("model name")
        )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "threads_of_peer": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "tokens",
        nargs="?",
        type=int,
        default=32_768,
        help="tokens that each proxy trains on",
    )
    parser.add_argument(
        "turns",
        nargs="?",
        type=int,
        default=2,
        help="turns of the planner's packing and of each alternative",
    )
    asked = parser.parse_args()
    load, n_tokens, turns = os.getloadavg(), asked.tokens, asked.turns
    with tempfile.TemporaryDirectory() as folder:
        data = make_data(Path(folder))
        specs = ladder(data, n_tokens)
        (ours, plan), ours_s, ours_cpu = timed(lambda: train_planned(specs, data))
        print(f"ours: {ours_s:.1f} s, {ours_cpu:.1f} CPU s", flush=True)
        peer, peer_s, peer_cpu = timed(
            lambda: {spec: train_plainly(spec, data) for spec in specs}
        )
        print(f"plain loop: {peer_s:.1f} s, {peer_cpu:.1f} CPU s", flush=True)
        single_s, single_cpu = peer_s, peer_cpu
        if torch.get_num_threads() > 1:
            with one_thread():
                _, single_s, single_cpu = timed(
                    lambda: [train_plainly(spec, data) for spec in specs]
                )
        ways = against_alternatives(specs, data, plan, turns)
    worst = max(abs(ours[spec] - peer[spec]) / peer[spec] for spec in specs)
    least = min(seconds for name, seconds in ways.items() if name != "planner")
    figures = {
        "runs": len(specs),
        "tokens_each": n_tokens,
        "ours_s": ours_s,
        "peer_s": peer_s,
        "speedup": peer_s / ours_s,
        "peer_one_thread_s": single_s,
        "speedup_over_one_thread": single_s / ours_s,
        "ours_cpu_s": ours_cpu,
        "peer_cpu_s": peer_cpu,
        "peer_one_thread_cpu_s": single_cpu,
        "load_before": load[0],
        "load_after": os.getloadavg()[0],
        "planned_s": plan.seconds,
        "largest_relative_difference_of_loss": worst,
        "seconds_by_packing": ways,
        "planner_over_best": ways["planner"] / least,
    }
    print(f"\n{'':32} {'wall s':>8} {'CPU s':>8}")
    print(f"{'plain loop, one after another':32} {peer_s:8.1f} {peer_cpu:8.1f}")
    print(
        f"{'plain loop, one thread':32} {single_s:8.1f} {single_cpu:8.1f}  "
        f" {single_s / ours_s:.2f} times ours by wall time, {single_cpu / ours_cpu:.2f}"
        " by CPU time"
    )
    print(
        f"{'ours, probe and start included':32} {ours_s:8.1f} {ours_cpu:8.1f}  "
        f" {peer_s / ours_s:.2f} times faster; losses differ by {worst:.1e} at most"
    )
    for name, seconds in ways.items():
        print(
            f"{'  ' + name:32} {seconds:8.1f}            {seconds / least:.2f} of the"
            " best alternative"
        )
    print(json.dumps(figures | {"machine": machine()}))
    if worst > SAME_LOSS:
        sys.exit(
            "the two sides did not train the same models: losses differ by"
            f" {worst:.1e}, more than {SAME_LOSS:.0e}"
        )


if __name__ == "__main__":
    main()
