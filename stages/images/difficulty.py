"""Question: how hard is every image of a pool, by each of the published pruning metrics? Input: a
pool and held-out images (ImageData), a model recipe (ImageSpec). Output: a difficulty an image,
high = keep-hard. Models are trained here, scores are computed in stages/curation; `image_arms`
turns a score into arms of equal count. Cost: `models` trainings of the recipe, but one for
prototypes; see METRICS.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from stages.curation.pruning_metrics.el2n import el2n, grand
from stages.curation.pruning_metrics.ensembles import (
    active_learning,
    dichotomous_difficulty,
    margin,
)
from stages.curation.pruning_metrics.forgetting import forgetting
from stages.curation.pruning_metrics.memorisation import (
    influence,
    influence_max,
    influence_sum_abs,
    memorisation,
    random_subsets,
)
from stages.curation.pruning_metrics.prototypes import (
    class_prototype_distance,
    prototype_distance,
)
from stages.curation.selecting.class_balance import FLOOR, keep_balanced
from stages.foundation.errors import InputError

if TYPE_CHECKING:
    from stages.proxy.images.data import ImageData
    from stages.proxy.images.spec import ImageSpec

# of the steps: when EL2N and GraNd look (Paul et al. 2021 look at 5 to 10 %)
EARLY = 0.1
ARMS = {"keep_hard": "high", "keep_easy": "low", "middle": "middle", "random": "random"}
CHECKS = 20  # of a training, for forgetting (assumed)


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """How models are trained for scores: `spec` is the recipe, `others` further recipes of other
    kinds (DDD wants them).
    """

    spec: "ImageSpec"
    models: int = 10  # cited: Paul et al. 2021 average 10
    subset_models: int = 200  # assumed; Feldman & Zhang 2020 train 2,000
    subset_share: float = 0.7  # cited: Feldman & Zhang 2020
    prototypes: int = 10
    others: Sequence["ImageSpec"] = ()
    seed: int = 0

    @property
    def n_steps(self) -> int:
        return max(self.spec.budgets_samples) // self.spec.batch_samples

    @property
    def seeds(self) -> range:
        return range(self.seed, self.seed + self.models)


class Observed:
    """What models know of a pool, trained when a metric first asks and shared by all that ask for the same."""

    def __init__(self, data: "ImageData", how: Scoring):
        self.data, self.how = data, how

    @cached_property
    def early_probabilities(self) -> np.ndarray:
        """(models, n, classes) at `EARLY` of the steps."""
        return self._early(gradients=False)

    @cached_property
    def early_gradients(self) -> np.ndarray:
        """Gradient norms (models, n) at `EARLY` of the steps."""
        return self._early(gradients=True)

    def _early(self, gradients: bool) -> np.ndarray:
        from stages.proxy.images.observe import early

        return early(
            self.data,
            self.how.spec,
            seeds=self.how.seeds,
            at_step=max(1, round(EARLY * self.how.n_steps)),
            gradients=gradients,
        )

    @cached_property
    def correct_over_time(self) -> np.ndarray:
        """(models, checks, n) bool."""
        from stages.proxy.images.observe import correct_over_time

        return correct_over_time(
            self.data,
            self.how.spec,
            seeds=self.how.seeds,
            every_steps=max(1, self.how.n_steps // CHECKS),
        )

    @cached_property
    def out_of_fold(self) -> np.ndarray:
        """(pairs x recipes, n, classes) of models that did not see the example."""
        from stages.proxy.images.observe import out_of_fold

        how = self.how
        return np.concatenate(
            [
                out_of_fold(
                    self.data, spec, n_pairs=max(1, how.models // 2), seed=how.seed
                )
                for spec in (how.spec, *how.others)
            ]
        )

    @cached_property
    def subsets(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """included (models, n), right on the pool (models, n), right on the held-out images (models, m)."""
        from stages.proxy.images.observe import subset_results

        included = random_subsets(
            len(self.data.labels),
            self.how.subset_models,
            share=self.how.subset_share,
            seed=self.how.seed,
        )
        return included, *subset_results(self.data, self.how.spec, included)

    @cached_property
    def influence(self) -> np.ndarray:
        """(n, m) of every pool image on every held-out one."""
        included, _, held_out = self.subsets
        return influence(held_out, included)

    @cached_property
    def features(self) -> np.ndarray:
        """Embeddings (n, features): the last layer of one model trained on the pool."""
        from stages.proxy.images.observe import pool_features

        return pool_features(self.data, self.how.spec)

    def prototypes(self) -> np.ndarray:
        """Distance to the nearest centre; as the features were trained with labels, a wrong label is felt a little."""
        names = [f"{row:09d}" for row in range(len(self.data.labels))]
        return prototype_distance(
            self.features, names, self.how.prototypes, seed=self.how.seed
        )


METRICS: dict[str, Callable[[Observed], np.ndarray]] = {
    "el2n": lambda seen: el2n(seen.early_probabilities, seen.data.labels),
    "grand": lambda seen: grand(seen.early_gradients),
    "forgetting": lambda seen: forgetting(seen.correct_over_time),
    "margin": lambda seen: margin(seen.out_of_fold),
    "active_learning": lambda seen: active_learning(seen.out_of_fold),
    "ddd": lambda seen: dichotomous_difficulty(seen.out_of_fold, seen.data.labels),
    "memorisation": lambda seen: memorisation(seen.subsets[1], seen.subsets[0]),
    "influence_max": lambda seen: influence_max(seen.influence),
    "influence_sum_abs": lambda seen: influence_sum_abs(seen.influence),
    "class_prototypes": lambda seen: class_prototype_distance(
        seen.features, seen.data.labels
    ),
    "prototypes": Observed.prototypes,
    "random": (
        lambda seen: np.random.default_rng(seen.how.seed).random(len(seen.data.labels))
    ),
}


def image_difficulty(
    metrics: Sequence[str], data: "ImageData", how: Scoring
) -> dict[str, np.ndarray]:
    """Difficulty of every pool image (n,) by each of the METRICS asked for; `random` is always among them.

    It trains models: `image_difficulty(["el2n", "forgetting"], data, Scoring(spec=spec))["el2n"]`.
    """
    if unknown := [name for name in metrics if name not in METRICS]:
        raise InputError(
            f"no pruning metric {unknown[0]!r}; known are {', '.join(METRICS)}"
        )
    seen = Observed(data, how)
    return {name: METRICS[name](seen) for name in dict.fromkeys([*metrics, "random"])}


def image_arms(
    data: "ImageData",
    difficulty: np.ndarray,
    fraction: float,
    *,
    floor: float = FLOOR,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Arms of equal count, as rows of the pool: keep-hard, keep-easy, middle and random, no class
    below `floor` of its even share.

    >>> from types import SimpleNamespace
    >>> data = SimpleNamespace(labels=np.array([0, 0, 0, 1, 1, 1]))
    >>> arms = image_arms(data, np.array([6, 5, 4, 3, 2, 1]), 0.5)
    >>> {arm: rows.tolist() for arm, rows in arms.items() if arm != "random"}
    {'keep_hard': [0, 1, 3], 'keep_easy': [2, 4, 5], 'middle': [1, 2, 3]}
    """
    names = [f"{row:09d}" for row in range(len(data.labels))]
    frame = pl.DataFrame(
        {
            "id": names,
            "row": np.arange(len(names)),
            "score": difficulty,
            "label": data.labels,
            "n_samples": np.ones(len(names), np.int64),
        }
    )
    return {
        arm: (
            keep_balanced(
                frame, fraction, floor=floor, take=take, size="n_samples", seed=seed
            )["row"].to_numpy()
        )
        for arm, take in ARMS.items()
    }
