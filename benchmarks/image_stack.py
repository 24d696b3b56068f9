"""Stacked image models beside one after another and beside a plain PyTorch loop at its defaults, in
the same run.

python benchmarks/image_stack.py. Digits scaled up to 28 x 28, 300 steps of 32 samples, 16 runs of
each shape. CPU seconds of one thread. Prints a table and, as its last line, one JSON object.
"""

import json
import time

import numpy as np
import torch
from laws_speed import machine

from stages.curation.sample_data.arrays import stacked
from stages.curation.sample_data.image_pools import read_images
from stages.proxy.images.data import ImageData
from stages.proxy.images.spec import ImageShape, ImageSpec
from stages.proxy.images.train import train_images

STEPS, BATCH, RUNS, SIDE = 300, 32, 16, 28
SHAPES = {
    "MLP 16": ("mlp", 16),
    "MLP 64": ("mlp", 64),
    "MLP 256": ("mlp", 256),
    "residual 8": ("residual", 8),
}


def digits() -> ImageData:
    frame = read_images("digits", "")
    pixels, labels = stacked(frame), frame["label"].to_numpy()
    pixels = pixels.repeat(4, axis=2).repeat(4, axis=3)[:, :, :SIDE, :SIDE]
    return ImageData(
        pixels[:1500],
        labels[:1500],
        pixels[1500:],
        labels[1500:],
        {"all": np.arange(1500)},
    )


def specs(kind: str, width: int) -> list[ImageSpec]:
    shape = ImageShape(kind, width, 1, 1, SIDE, SIDE, 10)
    return [
        ImageSpec(
            arm="all",
            shape=shape,
            budgets_samples=(STEPS * BATCH,),
            batch_samples=BATCH,
            lr=0.005,
            seed=run,
            data_seed=run,
        )
        for run in range(RUNS)
    ]


def plain_mlp(data: ImageData, width: int, seed: int) -> float:
    """torch.nn, AdamW and cross-entropy as a tutorial has them; the test error."""
    torch.manual_seed(seed)
    model = torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(SIDE**2, width),
        torch.nn.ReLU(),
        torch.nn.Linear(width, 10),
    )
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.005)
    pixels, labels = (
        torch.from_numpy(data.scaled(data.pixels)),
        torch.from_numpy(data.labels.copy()),
    )
    for _ in range(STEPS):
        rows = torch.randint(len(labels), (BATCH,))
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(pixels[rows]), labels[rows]).backward()
        optimiser.step()
    with torch.no_grad():
        return float(
            (
                model(torch.from_numpy(data.scaled(data.held_out_pixels)))
                .argmax(1)
                .numpy()
                != data.held_out_labels
            ).mean()
        )


def timed(function) -> tuple[float, float]:
    start = time.process_time()
    error = function()
    return error, time.process_time() - start


def main() -> None:
    torch.set_num_threads(1)
    data, results = digits(), {}
    train_images(specs("mlp", 4)[:1], data)  # warms up
    plain_mlp(data, 4, 0)
    print(
        f"{'16 runs of 300 steps':14s}{'n_params':>10s}{'stacked':>10s}{'one by one':>12s}{'plain':>8s}{'ratio':>16s}"
        "   test error stacked, plain"
    )
    for name, (kind, width) in SHAPES.items():
        mine = specs(kind, width)
        error, together = timed(
            lambda mine=mine: float(
                np.mean([run.budgets[0].error for run in train_images(mine, data)])
            )
        )
        _, alone = timed(
            lambda mine=mine: [train_images([spec], data) for spec in mine[:4]] and 0.0
        )
        alone *= RUNS / 4
        theirs, plain = (
            timed(
                lambda width=width: float(
                    np.mean([plain_mlp(data, width, run) for run in range(4)])
                )
            )
            if kind == "mlp"
            else (None, None)
        )
        plain = plain and plain * RUNS / 4
        results[name] = {
            "n_params": mine[0].shape.n_params,
            "stacked": together,
            "one_by_one": alone,
            "plain": plain,
            "error": error,
            "plain_error": theirs,
        }
        ratios = f"{alone / together:.1f}" + (
            f" and {plain / together:.1f}" if plain else ""
        )
        print(
            f"{name:20s}{mine[0].shape.n_params:10d}{together:10.2f}{alone:12.2f}"
            + (f"{plain:8.2f}" if plain else f"{'-':>8s}")
            + f"{ratios:>16s}   {error:.3f}"
            + (f", {theirs:.3f}" if plain else ""),
            flush=True,
        )
    print(
        json.dumps(
            {
                "runs": RUNS,
                "steps": STEPS,
                "batch": BATCH,
                "timed_alone": 4,
                "shapes": results,
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
