"""What an ensemble disagrees about: margins, active learning, dichotomous difficulty.

Question: on which examples are trained models unsure, or wrong? Input: probabilities of several
trained models for every example (models, n, classes), best from models that did not train on it
(out of fold). Output: difficulty (n,), high = keep-hard.
- margin: minus the gap between the two likeliest classes of the mean prediction; needs no labels.
- active learning (ensemble; Chitta et al. 2021; one of the ten metrics of Sorscher et al. 2022):
  `variation` is the share of models that do not vote with the majority, `information` the mutual
  information between model and prediction (BALD, Houlsby et al. 2011), `entropy` that of the mean
  prediction; no labels needed.
- DDD, dichotomous data difficulty (Meding et al. 2022): the share of models that are wrong; 0 is
  "trivial", 1 "impossible". The models should differ in kind; copies of one kind agree on their
  errors.
Cost: the forward passes. Fails: all but DDD call an outlier or a corrupted image informative, since
nobody is sure of it; models that all trained on the example agree about it, so scores in fold tie
at 0; DDD keeps wrong labels first.
"""

import numpy as np

from stages.curation.pruning_metrics.el2n import checked_labels, checked_probabilities
from stages.foundation.errors import InputError

UNCERTAINTIES = ("variation", "information", "entropy")


def margin(probabilities: np.ndarray) -> np.ndarray:
    """Minus the gap between first and second class of the mean prediction (n,); -1 is certain, 0 is torn."""
    mean = np.sort(checked_probabilities(probabilities).mean(axis=0), axis=1)
    return mean[:, -2] - mean[:, -1]


def active_learning(probabilities: np.ndarray, by: str = "information") -> np.ndarray:
    """Uncertainty of an ensemble (n,) by one of UNCERTAINTIES; `information` in nats."""
    probabilities = checked_probabilities(probabilities)
    if by not in UNCERTAINTIES:
        raise InputError(f"no uncertainty {by!r}; known are {', '.join(UNCERTAINTIES)}")
    if by == "variation":
        votes = probabilities.argmax(axis=2)
        counts = np.stack(
            [(votes == cls).sum(axis=0) for cls in range(probabilities.shape[2])]
        )
        return 1.0 - counts.max(axis=0) / len(votes)
    total = _entropy(probabilities.mean(axis=0))
    return (
        total
        if by == "entropy"
        else np.maximum(total - _entropy(probabilities).mean(axis=0), 0.0)
    )


def dichotomous_difficulty(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """DDD: share of the models that get the example wrong (n,)."""
    probabilities = checked_probabilities(probabilities)
    labels = checked_labels(labels, probabilities)
    return (probabilities.argmax(axis=2) != labels).mean(axis=0)


def _entropy(probabilities: np.ndarray) -> np.ndarray:
    return -(probabilities * np.log(np.maximum(probabilities, 1e-300))).sum(axis=-1)
