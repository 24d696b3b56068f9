"""One large proxy on several devices: every process trains its part of each batch, gradients are
summed (data parallel).

Weights, optimiser, schedule and checkpoints are those of `train.py`, the same in every process; a
step differs from one device's by the order of a sum. Processes are started by torchrun:
`train_on_ranks` from a stage, `rank_main.py` in each. Cost: one all-reduce of the gradient a step,
4 bytes a parameter. Every device holds 18 bytes a parameter, 42 while a branch is open and a
checkpoint is written (in float32 16 and 40); where that does not fit, the run is sharded (`sharded.py`: 16 and 28, over
the devices).
"""

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.distributed as dist

from stages.foundation.errors import InputError
from stages.proxy.network.engine import AutogradEngine
from stages.proxy.network.memory import SAFE_FRACTION, training_bytes
from stages.proxy.network.model import Weights
from stages.proxy.specs.spec import RunResult, RunSpec
from stages.proxy.training.checkpoint import Checkpoint
from stages.proxy.training.data import ProxyData

# the folder that holds the package `stages`
ROOT = Path(__file__).absolute().parents[3]
LARGE_PARAMS = 300_000_000  # assumed: from here on one run is worth all devices


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return dist.get_rank() == 0


def ranked_engine(weights: Weights, dtype: torch.dtype, **options) -> "RankEngine":
    """The engine of one of several processes; options as in `AutogradEngine`."""
    return RankEngine(
        AutogradEngine(weights, dtype, compiled=weights.flat.is_cuda, **options)
    )


class RankEngine:
    """An engine that trains this process's part of every batch and scores held-out batches whole."""

    def __init__(self, engine: AutogradEngine):
        self.engine, self.weights = engine, engine.weights

    def step_loss(
        self,
        inputs: torch.Tensor,
        targets: torch.Tensor,
        keep: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Mean loss of each run (R,) over the whole batch (R, B, T); the gradient of all parts in `weights.grad`."""
        part = own_part(inputs.shape[1])
        loss = self.engine.summed_loss(
            inputs[:, part],
            targets[:, part],
            None if keep is None else keep[:, :, part],
            targets,
        )
        dist.all_reduce(self.weights.grad)
        dist.all_reduce(loss)
        return loss

    def token_losses(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return self.engine.token_losses(inputs, targets)


def own_part(n_sequences: int) -> slice:
    """The sequences of a step that this process trains."""
    rank, n_ranks = dist.get_rank(), dist.get_world_size()
    if n_sequences % n_ranks:
        raise InputError(
            f"{n_sequences} sequences a step do not divide among {n_ranks} processes;"
            " change batch_tokens"
        )
    return slice(rank * (n_sequences // n_ranks), (rank + 1) * (n_sequences // n_ranks))


class AgreedCheckpoint:
    """A checkpoint of which every process holds a part: the clock of the first says when, all give
    their parts, it writes.
    """

    def __init__(self, store: Checkpoint):
        self.store = store

    def due(self) -> bool:
        says = torch.tensor([self.store.due()])  # on CPU: no device waits
        dist.broadcast(says, 0)
        return bool(says)

    def save(self, state: dict) -> str:
        return self.store.save(state) if is_first() else ""


def replicas_fit(spec: RunSpec, card_bytes: float) -> bool:
    """Whether a card holds all of a run, a sequence at a time, so that its weights need not be sharded."""
    return (
        training_bytes(
            spec.shape,
            spec.context,
            n_runs=1,
            device="cuda",
            dropout=spec.dropout > 0,
            dtype=spec.dtype,
        )
        <= SAFE_FRACTION * card_bytes
    )


def train_on_ranks(
    specs: Sequence[RunSpec],
    data: ProxyData,
    n_ranks: int,
    *,
    device: str = "cuda",
    checkpoint: Path | str | None = None,
    sharded: bool = False,
    **options,
) -> list[RunResult]:
    """Train a group on `n_ranks` processes of this machine; options go to `train_group`
    (micro_sequences, recompute, ...).

    `sharded`: weights, gradients and moments of one run are spread over the devices (`sharded.py`).
    Raises RuntimeError with the last line of the first process that failed. Example: `[result] =
    train_on_ranks([spec], data, torch.cuda.device_count(), micro_sequences=8, recompute=True)`.
    """
    with tempfile.TemporaryDirectory(prefix="assay-ranks-") as folder:
        job, answer = Path(folder) / "job.pickle", Path(folder) / "answer.pickle"
        spread = (
            f"weights and moments {'spread over' if sharded else 'copied to'} {n_ranks}"
            " devices"
        )
        options |= {
            "device": device,
            "checkpoint": checkpoint,
            "sharded": sharded,
            "notes": (*options.get("notes", ()), spread),
        }
        job.write_bytes(pickle.dumps((list(specs), data, options, answer)))
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        command = [
            "-m",
            "torch.distributed.run",
            "--standalone",
            f"--nproc-per-node={n_ranks}",
            "-m",
            "stages.proxy.training.rank_main",
            str(job),
        ]
        done = subprocess.run(
            [sys.executable, *command],
            env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        if done.returncode or not answer.exists():
            reported = (
                [line for line in done.stderr.splitlines() if "rank failed:" in line]
                or done.stderr.strip().splitlines()[-1:]
                or ["no output"]
            )
            raise RuntimeError(
                f"training on {n_ranks} processes failed:"
                f" {reported[0].partition('rank failed: ')[2] or reported[0]}"
            )
        return pickle.loads(answer.read_bytes())
