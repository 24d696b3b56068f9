"""The peer of the proxy benchmarks: one GPT of the usual kind, in modules, trained by a plain loop
as tutorials do it.

Same shape and arithmetic as a proxy (RMSNorm, rotary positions, QK-norm, relu squared, untied
head), one model at a time, `torch.compile`, autocast, fused AdamW over the list of parameters.
"""

import importlib.util
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from stages.proxy.specs.shape import MLP_RATIO, Shape


class Block(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        d, self.n_heads = shape.d_model, shape.n_heads
        self.qkv, self.out = (
            nn.Linear(d, 3 * d, bias=False),
            nn.Linear(d, d, bias=False),
        )
        self.up, self.down = (
            nn.Linear(d, MLP_RATIO * d, bias=False),
            nn.Linear(MLP_RATIO * d, d, bias=False),
        )

    def forward(
        self, x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor
    ) -> torch.Tensor:
        query, key, value = (
            part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for part in self.qkv(norm(x)).chunk(3, -1)
        )
        query, key = (
            rotated(norm(query), cosine, sine),
            rotated(norm(key), cosine, sine),
        )
        mixed = F.scaled_dot_product_attention(
            query.to(value.dtype), key.to(value.dtype), value, is_causal=True
        )
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.down(F.relu(self.up(norm(x))).square())


class PlainGPT(nn.Module):
    """`forward(inputs, targets)` is the mean loss, as nanoGPT's second output."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.embedding = nn.Embedding(shape.vocab_size, shape.d_model)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.n_layers))
        self.head = nn.Linear(shape.d_model, shape.vocab_size, bias=False)
        speed = 10_000.0 ** (
            -torch.arange(shape.head_width // 2) / (shape.head_width // 2)
        )
        angle = torch.outer(torch.arange(shape.context), speed)
        self.register_buffer("cosine", angle.cos(), persistent=False)
        self.register_buffer("sine", angle.sin(), persistent=False)

    def forward(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        x = self.embedding(inputs)
        for block in self.blocks:
            x = block(x, self.cosine, self.sine)
        logits = self.head(norm(x))
        return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


def norm(x: torch.Tensor) -> torch.Tensor:
    return F.rms_norm(x, (x.shape[-1],), eps=1e-6)


def rotated(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, -1)
    return torch.cat(
        [first * cosine - second * sine, first * sine + second * cosine], -1
    )


class Foreign(nn.Module):
    """A model of a checkout of nanoGPT (a folder with model.py that defines GPT and GPTConfig), seen as `PlainGPT`."""

    def __init__(self, folder: Path, shape: Shape):
        super().__init__()
        found = importlib.util.spec_from_file_location(
            "peer_model", folder / "model.py"
        )
        module = importlib.util.module_from_spec(found)
        sys.modules[found.name] = module  # torch.compile looks its classes up there
        found.loader.exec_module(module)
        self.model = module.GPT(
            module.GPTConfig(
                block_size=shape.context,
                vocab_size=shape.vocab_size,
                n_layer=shape.n_layers,
                n_head=shape.n_heads,
                n_embd=shape.d_model,
                dropout=0.0,
                bias=False,
            )
        )

    def forward(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return self.model(inputs, targets)[1]


class PlainLoop:
    """One model in training: `step(inputs, targets)` with (B, T) tokens."""

    def __init__(
        self,
        model: nn.Module,
        device: torch.device,
        dtype: torch.dtype,
        micro_batches: int = 1,
    ):
        self.model, self.device, self.dtype, self.micro_batches = (
            model.to(device),
            device,
            dtype,
            micro_batches,
        )
        self.run = torch.compile(self.model) if device.type == "cuda" else self.model
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(),
            lr=1e-3,
            weight_decay=0.1,
            betas=(0.9, 0.95),
            fused=device.type == "cuda",
        )

    def step(self, inputs: torch.Tensor, targets: torch.Tensor) -> None:
        for x, y in zip(
            inputs.chunk(self.micro_batches),
            targets.chunk(self.micro_batches),
            strict=True,
        ):
            with torch.autocast(
                self.device.type, self.dtype, enabled=self.dtype != torch.float32
            ):
                loss = self.run(x, y) / self.micro_batches
            loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
