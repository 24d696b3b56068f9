"""One large proxy whose weights, gradients and moments are spread over all devices (FSDP2,
`torch.distributed.fsdp.fully_shard`).

The function is `model.py`'s: a layer is a module whose weights are gathered for its forward and its
backward pass and let go again; embedding and head are gathered for a whole step. The update is
torch's AdamW on the local shards with the factors of `adamw.py`, so losses differ from one device's
by the order of sums (fp32: 1e-4 relative, tested). One run at a time. Cost a step: weights of a
layer gathered twice, in the precision of the products, its gradients reduced once in fp32. Bytes a
parameter and device, n devices: 16 / n, 12 / n more behind an open branch (`ranks.py`: 18 and 12),
and one layer whole. States of files are whole, (1, P) as in `adamw.py`, so a run goes on with any
number of devices, or with one.
"""

import functools
from collections.abc import Iterator, Sequence
from contextlib import nullcontext

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.utils.checkpoint import checkpoint

from stages.foundation.errors import InputError
from stages.proxy.network import model
from stages.proxy.network.adamw import BETA1, BETA2, CLIP_NORM, EPS
from stages.proxy.network.answers import n_scored
from stages.proxy.network.model import initial_parts
from stages.proxy.specs.layout import weight_sizes
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec
from stages.proxy.specs.transfer import Factors, kind_of_weight
from stages.proxy.training.ranks import own_part

# what a state holds of every weight: itself and its two moments
KEPT = ("flat", "first", "second")


@functools.cache
def _compiled_layer():
    return torch.compile(model.one_layer, dynamic=False)


class _Layer(nn.Module):
    """The weights of one layer, each (rows, columns)."""

    def __init__(self, sizes: dict[str, tuple[int, int]]):
        super().__init__()
        for kind, size in sizes.items():
            self.register_parameter(kind, nn.Parameter(torch.empty(size)))

    def forward(self, x, shape, turn, keep, mask, recompute):
        weights = {
            f"0.{kind}": weight[None]
            for kind, weight in self.named_parameters(recurse=False)
        }
        # held-out batches differ in shape, experts in rows
        whole_batch = x.is_cuda and torch.is_grad_enabled() and not shape.n_experts
        run = _compiled_layer() if whole_batch else model.one_layer
        if recompute:
            return checkpoint(
                run,
                x,
                weights,
                0,
                shape,
                turn,
                keep,
                mask,
                use_reentrant=False,
                preserve_rng_state=False,
            )
        return run(x, weights, 0, shape, turn, keep, mask)


class ShardedWeights(nn.Module):
    """The model of one run as modules whose parameters are shards; `named` gathers whole weights, one at a time."""

    def __init__(
        self,
        shape: Shape,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ):
        super().__init__()
        self.shape, self.sizes, self.place = (
            shape,
            weight_sizes(shape),
            torch.device(device),
        )
        with torch.device("meta"):
            self.embedding, self.head = (
                nn.Parameter(torch.empty(self.sizes[name]))
                for name in ("embedding", "head")
            )
            self.layers = nn.ModuleList(
                _Layer(
                    {
                        name.partition(".")[2]: size
                        for name, size in self.sizes.items()
                        if name.startswith(f"{layer}.")
                    }
                )
                for layer in range(shape.n_layers)
            )
        mesh = init_device_mesh(self.place.type, (dist.get_world_size(),))
        half = dtype if dtype != torch.float32 else None
        precision = MixedPrecisionPolicy(
            param_dtype=half, reduce_dtype=torch.float32, cast_forward_inputs=False
        )
        for layer in self.layers:
            fully_shard(layer, mesh=mesh, mp_policy=precision)
        fully_shard(
            self, mesh=mesh, mp_policy=MixedPrecisionPolicy(cast_forward_inputs=False)
        )
        for module in (self, *self.layers):
            _sum_gradients(module)
        self.to_empty(device=self.place)
        found = {
            name.removeprefix("layers."): weight
            for name, weight in self.named_parameters()
        }
        # in storage order
        self.shards: dict[str, DTensor] = {name: found[name] for name in self.sizes}

    def forward(self, inputs, targets, keep, turn, z_loss, eos_id, recompute):
        """Losses (1, B, T), and what is added to their mean (1,) or 0.0."""

        def run_layer(x, _, layer, shape, turn, keep, mask):
            # the sites of layer 0 are 1 and 2
            own = None if keep is None else keep[2 * layer : 2 * layer + 3]
            return self.layers[layer](x, shape, turn, own, mask, recompute)

        outer = {"embedding": self.embedding[None], "head": self.head[None]}
        losses, more = model.losses_and_more(
            outer,
            self.shape,
            inputs,
            targets,
            keep,
            turn,
            z_loss,
            eos_id,
            run_layer=run_layer,
        )
        # not a view, on which an operation in place would lose FSDP's hook
        return (losses.clone(), more)

    @property
    def named(self) -> dict[str, torch.Tensor]:
        """Every weight whole, (1, rows, columns): for samples drawn at a budget. All processes ask together."""
        return {
            name: weight.full_tensor()[None] for name, weight in self.shards.items()
        }

    @torch.no_grad()
    def fill(self, parts: Iterator[torch.Tensor]) -> None:
        """Take weights in storage order, one whole weight in memory at a time."""
        for weight, part in zip(self.shards.values(), parts, strict=True):
            _take(weight, part)


def _sum_gradients(module: FSDPModule) -> None:
    """Each process gives its share of the loss, so gradients add up; nothing is divided."""
    module.set_gradient_divide_factor(1.0)
    module.set_force_sum_reduction_for_comms(True)


def _take(shard: DTensor, whole: torch.Tensor) -> None:
    """Copy this process's part of a weight (rows * columns, any device) that every process holds."""
    part = distribute_tensor(
        whole.detach().reshape(shard.shape).to(shard.device),
        shard.device_mesh,
        shard.placements,
        src_data_rank=None,
    )
    shard.to_local().copy_(part.to_local())


class ShardedAdamW:
    """The update of `adamw.AdamW` on shards: groups of weights with learning rate and decay of their own."""

    def __init__(
        self,
        weights: ShardedWeights,
        lr: float,
        weight_decay: float,
        transfer: dict[str, Factors] | None = None,
    ):
        self.weights, self.n_steps, self.lr = weights, 0, lr
        groups = [
            self._group(name, weight, lr, weight_decay, transfer)
            for name, weight in weights.shards.items()
        ]
        on_gpu = weights.place.type == "cuda"
        self.torch = torch.optim.AdamW(
            groups, betas=(BETA1, BETA2), eps=EPS, fused=on_gpu, foreach=not on_gpu
        )
        step = {"dtype": torch.float32, "device": weights.place if on_gpu else "cpu"}
        for weight in weights.shards.values():
            self.torch.state[weight] = {
                "step": torch.zeros((), **step),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }

    @staticmethod
    def _group(
        name: str,
        weight: DTensor,
        lr: float,
        weight_decay: float,
        transfer: dict[str, Factors] | None,
    ) -> dict:
        part = transfer[kind_of_weight(name)] if transfer else Factors()
        decay = 0.0 if name in ("embedding", "head") else weight_decay * part.decay
        return {
            "params": [weight],
            "lr": lr * part.lr,
            "peak": lr * part.lr,
            "weight_decay": decay,
        }

    def step(self, lr_factor: float) -> None:
        """One update from the gradients at `lr_factor` times the learning rate, and the gradients are let go."""
        self.n_steps += 1
        for group in self.torch.param_groups:
            group["lr"] = group["peak"] * lr_factor
        torch.nn.utils.clip_grad_norm_(self.weights.shards.values(), CLIP_NORM)
        self.torch.step()
        self.torch.zero_grad(set_to_none=True)

    def _kept(self, what: str) -> list[DTensor]:
        key = {"first": "exp_avg", "second": "exp_avg_sq"}.get(what)
        return [
            self.torch.state[weight][key] if key else weight
            for weight in self.weights.shards.values()
        ]

    @torch.no_grad()
    def state(self) -> dict:
        """This process's shards: what a trunk needs to go on after a branch."""
        return {
            what: [each.to_local().clone() for each in self._kept(what)]
            for what in KEPT
        } | {"n_steps": self.n_steps}

    @torch.no_grad()
    def whole(self, state: dict | None, keep: bool = True) -> dict | None:
        """A state as `adamw.AdamW.state` has it, (1, P) on CPU; all processes ask together, and one
        that does not keep it gets None.
        """
        if state is None or isinstance(state["flat"], torch.Tensor):
            return state
        found = {"n_steps": state["n_steps"]}
        for what in KEPT:
            parts = []
            for shard, like in zip(
                state[what], self.weights.shards.values(), strict=True
            ):
                gathered = _like(shard, like).full_tensor()
                parts += [gathered.flatten().cpu()] if keep else []
            found[what] = torch.cat(parts)[None] if keep else None
        return found if keep else None

    @torch.no_grad()
    def load(self, state: dict) -> None:
        """Take a state of either form."""
        sizes = [rows * columns for rows, columns in self.weights.sizes.values()]
        for what in KEPT:
            whole = isinstance(state[what], torch.Tensor)
            parts = state[what][0].split(sizes) if whole else state[what]
            for own, part in zip(self._kept(what), parts, strict=True):
                _take(own, part) if whole else own.to_local().copy_(part)
        self.n_steps = state["n_steps"]
        for each in self.torch.state.values():
            each["step"].fill_(self.n_steps)


def _like(shard: torch.Tensor, weight: DTensor) -> DTensor:
    return DTensor.from_local(
        shard,
        weight.device_mesh,
        weight.placements,
        run_check=False,
        shape=weight.shape,
        stride=weight.stride(),
    )


class ShardedEngine:
    """Losses and gradients of this process's part of every batch; options as in `engine.AutogradEngine`."""

    def __init__(
        self,
        weights: ShardedWeights,
        dtype: torch.dtype = torch.float32,
        z_loss: float = 0.0,
        *,
        eos_id: int | None = None,
        micro_sequences: int | None = None,
        recompute: bool = False,
        answer_only: bool = False,
    ):
        self.answer_only = answer_only
        self.weights, self.dtype, self.z_loss, self.eos_id = (
            weights,
            dtype,
            z_loss,
            eos_id,
        )
        self.micro_sequences, self.recompute = micro_sequences, recompute
        self._turns: dict[int, model.Turn] = {}

    def step_loss(
        self,
        inputs: torch.Tensor,
        targets: torch.Tensor,
        keep: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Mean loss (1,) over the whole batch (1, B, T); gradients are left in the shards."""
        self.weights.zero_grad()
        own, n = own_part(inputs.shape[1]), inputs.shape[1]
        n_whole = n_scored(targets) if self.answer_only else None
        inputs, targets, keep = (
            inputs[:, own],
            targets[:, own],
            None if keep is None else keep[:, :, own],
        )
        size, total = (
            self.micro_sequences or inputs.shape[1],
            torch.zeros(1, device=inputs.device),
        )
        for first in range(0, inputs.shape[1], size):
            part = slice(first, first + size)
            with self._precision():
                losses, more = self.weights(
                    inputs[:, part],
                    targets[:, part],
                    None if keep is None else keep[:, :, part],
                    self._turn(inputs),
                    self.z_loss,
                    self.eos_id,
                    self.recompute,
                )
            share = losses.shape[1] / n
            if n_whole is None:
                mean = losses.mean((1, 2)) * share
            else:
                mean = losses.sum((1, 2)) / n_whole
            (mean + more * share).sum().backward()
            total += mean.detach()
        dist.all_reduce(total)
        return total

    @torch.no_grad()
    def token_losses(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Losses (1, B, T) on inputs and targets (B, T), the same in every process."""
        with self._precision():
            losses, _ = self.weights(
                inputs[None], targets[None], None, self._turn(inputs), 0.0, None, False
            )
        self.weights.reshard()  # embedding and head, which wait for a backward pass
        return losses

    def _turn(self, inputs: torch.Tensor) -> model.Turn:
        n_positions = inputs.shape[-1]
        if n_positions not in self._turns:
            self._turns[n_positions] = model.rotary(
                self.weights.shape,
                n_positions,
                torch.empty(0, device=self.weights.place),
            )
        return self._turns[n_positions]

    def _precision(self):
        return (
            torch.autocast(self.weights.place.type, self.dtype)
            if self.dtype != torch.float32
            else nullcontext()
        )


def sharded_parts(
    shape: Shape,
    specs: Sequence[RunSpec],
    device: torch.device,
    transfer: dict[str, Factors] | None,
    options: dict,
) -> tuple[ShardedWeights, ShardedAdamW, ShardedEngine]:
    """What a trainer of one run is built from; options as in `AutogradEngine`."""
    if len(specs) > 1:
        raise InputError(
            f"{len(specs)} runs in one group cannot be sharded; train them one at a"
            " time"
        )
    weights = ShardedWeights(shape, device, options["dtype"])
    weights.fill(initial_parts(weights.sizes, specs[0].seed, transfer))
    return (
        weights,
        ShardedAdamW(
            weights,
            lr=specs[0].lr,
            weight_decay=specs[0].weight_decay,
            transfer=transfer,
        ),
        ShardedEngine(weights, **options),
    )
