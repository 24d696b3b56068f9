"""The GPU benchmark at toy size on CPU, and its counts against the shapes' own."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from stages.proxy.specs.shape import Shape

ROOT = Path(__file__).resolve().parents[2]
_SPEC = importlib.util.spec_from_file_location(
    "roofline", ROOT / "benchmarks/roofline.py"
)
roofline = importlib.util.module_from_spec(_SPEC)
sys.modules["roofline"] = roofline
_SPEC.loader.exec_module(roofline)

SHAPE = Shape(128, 5, 2, 512, 4096)


CHECKOUT = """
import dataclasses, torch
from torch import nn

@dataclasses.dataclass
class GPTConfig:
    block_size: int; vocab_size: int; n_layer: int; n_head: int; n_embd: int; dropout: float; bias: bool

class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embedding = nn.Embedding(config.vocab_size, config.n_embd)
        self.head = nn.Linear(config.n_embd, config.vocab_size, bias=config.bias)

    def forward(self, idx, targets=None):
        logits = self.head(self.embedding(idx))
        return logits, nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""


def test_the_toy_run_prints_its_tables_and_one_json_line(tmp_path):
    (tmp_path / "model.py").write_text(CHECKOUT)
    command = [
        sys.executable,
        str(ROOT / "benchmarks/proxy_gpu.py"),
        "--toy",
        "--seconds",
        "0.1",
        "--peer",
        str(tmp_path),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={"PATH": "", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (
        "highest MFU by the floors" in done.stdout
        and "floors of a step, toy stack" in done.stdout
    )
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["toy"] and set(figures["cases"]) == {"toy stack", "toy large"}
    ways = figures["cases"]["toy stack"]["ways"]
    assert set(ways) == {
        "ours, 4 at once",
        "ours, 4 at once, no graph",
        "ours, one at a time",
        "ours, one at a time, no graph",
        "plain loop, one at a time",
    }
    assert not figures["recorded"] and "no graphs on CPU" in done.stdout
    assert "nanoGPT" in figures["cases"]["toy large"]["ways"]
    assert all(
        row["tokens_per_second"] > 0 and 0 < row["mfu"] < 2 for row in ways.values()
    )


def test_products_add_up_to_the_operations_of_the_shape():
    parts = {part.name: part for part in roofline.step_parts(SHAPE, 1024, 3)}
    weights = sum(
        parts[name].flops
        for name in ("query, key, value", "output map", "MLP up", "MLP down", "head")
    )
    assert weights == 6 * 3 * 1024 * (SHAPE.n_params + SHAPE.vocab_size * SHAPE.d_model)
    attention = SHAPE.flops_per_token - 6 * (
        SHAPE.n_params + SHAPE.vocab_size * SHAPE.d_model
    )
    assert parts["attention"].flops == pytest.approx(
        3 * 1024 * attention * 3.5 / 3
    )  # scores made again


def test_narrow_layers_are_bound_by_memory_and_wide_ones_by_arithmetic():
    peak, bandwidth = roofline.CARDS["H100"]
    wide = Shape(4096, 2, 32, 1024, 50_304)
    up = {
        shape: next(
            part
            for part in roofline.step_parts(shape, 65_536, 1)
            if part.name == "MLP up"
        )
        for shape in (SHAPE, wide)
    }
    assert (
        up[SHAPE].bound(peak, bandwidth) == "memory"
        and up[wide].bound(peak, bandwidth) == "arithmetic"
    )
    assert (
        roofline.highest_mfu(SHAPE, 4096, 64, peak, bandwidth)
        < roofline.highest_mfu(wide, 65_536, 1, peak, bandwidth)
        < 1
    )
    more = roofline.highest_mfu(SHAPE, 8192, 64, peak, bandwidth)
    assert more > roofline.highest_mfu(SHAPE, 4096, 64, peak, bandwidth), (
        "weights are read once for more tokens"
    )
