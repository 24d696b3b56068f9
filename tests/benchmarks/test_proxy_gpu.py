"""The GPU benchmark at toy size on CPU."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
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
