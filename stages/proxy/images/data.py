"""Images of a group of runs: the pool, the held-out images, the arms as rows of the pool, and the
order in which a run reads them.

Every epoch is a new permutation, a function of (seed, epoch), so nothing needs to be saved to
resume or to repeat a run. Pixels are scaled by the mean and deviation of the whole pool, the same
for all arms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from stages.foundation.errors import InputError


@dataclass(frozen=True, eq=False)
class ImageData:
    """`pixels` (n, C, H, W), `labels` (n,) from 0; `held_out` the same for scoring; `arms` name -> rows of the pool.

    Example: `ImageData(pixels, labels, held_pixels, held_labels, {"all": np.arange(len(labels))})`.
    """

    pixels: np.ndarray
    labels: np.ndarray
    held_out_pixels: np.ndarray
    held_out_labels: np.ndarray
    arms: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self):
        for pixels, labels in (
            (self.pixels, self.labels),
            (self.held_out_pixels, self.held_out_labels),
        ):
            if (
                pixels.ndim != 4
                or np.shape(labels) != (len(pixels),)
                or not len(pixels)
                or np.min(labels) < 0
            ):
                raise InputError(
                    "images need shape (n, channels, height, width) and a label from 0"
                    f" each, got {pixels.shape} and {np.shape(labels)}"
                )

    @cached_property
    def scale(self) -> tuple[float, float]:
        """Mean and deviation of all pixels of the pool."""
        pixels = self.pixels.astype(np.float64)
        return float(pixels.mean()), float(pixels.std()) or 1.0

    def scaled(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels as the models see them, float32."""
        mean, deviation = self.scale
        return ((pixels - np.float32(mean)) / np.float32(deviation)).astype(np.float32)

    def rows(self, arm: str) -> np.ndarray:
        """Rows of the pool that an arm holds (each once), sorted, so that their order in the arm does not matter."""
        if arm not in self.arms:
            raise InputError(
                f"no arm {arm!r} in the images; it has"
                f" {', '.join(map(repr, list(self.arms)[:8]))}"
            )
        rows = np.unique(np.asarray(self.arms[arm], np.int64))
        if not len(rows) or rows[0] < 0 or rows[-1] >= len(self.labels):
            raise InputError(
                f"arm {arm!r} has {len(rows)} rows outside or none of 0 to"
                f" {len(self.labels) - 1}; select rows of the pool"
            )
        return rows

    def with_arms(self, arms: Mapping[str, np.ndarray]) -> "ImageData":
        """The same images under other arms."""
        return ImageData(
            self.pixels,
            labels=self.labels,
            held_out_pixels=self.held_out_pixels,
            held_out_labels=self.held_out_labels,
            arms=dict(arms),
        )


class Order:
    """The endless stream of rows that one run reads."""

    def __init__(self, rows: np.ndarray, seed: int):
        self.rows, self.seed = rows, seed
        self._epoch, self._permuted = -1, rows

    def at(self, first: int, n: int) -> np.ndarray:
        """Rows `first` to `first + n - 1` of the stream (n,) int64."""
        parts = []
        while n > 0:
            epoch, offset = divmod(first, len(self.rows))
            part = self._permutation(epoch)[offset : offset + n]
            parts.append(part)
            first, n = first + len(part), n - len(part)
        return np.concatenate(parts)

    def _permutation(self, epoch: int) -> np.ndarray:
        if epoch != self._epoch:
            self._epoch, self._permuted = (
                epoch,
                np.random.default_rng([self.seed, epoch]).permutation(self.rows),
            )
        return self._permuted


def batches(
    orders: Sequence[Order], step: int, batch_samples: int, n_steps: int
) -> np.ndarray:
    """Rows of `n_steps` batches from `step` on (steps, R, B)."""
    streams = [
        order.at(step * batch_samples, n_steps * batch_samples).reshape(
            n_steps, batch_samples
        )
        for order in orders
    ]
    return np.stack(streams, axis=1)
