"""EL2N and GraNd: how far early predictions are from the label, how hard the example pulls at the
weights (Paul et al. 2021).

Question: which examples does a young model get wrong? Input: what several models, early in
training, say of every example (stages/images/difficulty.py makes it). Output: difficulty (n,), high =
keep-hard.
    EL2N_i  = mean over models of || softmax(f(x_i)) - onehot(y_i) ||_2
    GraNd_i = mean over models of || grad_w loss_i ||
The original takes 10 to 20 models after 1 to 5 % of training. Cost: nothing beside the forward or
backward passes. Fails with label noise: a wrong label has the largest EL2N of all, so keep-hard
collects errors; check it against forgetting or memorisation, which know more time.
"""

import numpy as np

from stages.foundation.errors import InputError


def el2n(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """EL2N (n,) of `probabilities` (models, n, classes) and `labels` (n,) in 0 .. classes - 1.

    >>> el2n(np.array([[[0.5, 0.5], [1.0, 0.0]]]), np.array([0, 0]))
    array([0.70710678, 0.        ])
    """
    probabilities = checked_probabilities(probabilities)
    labels = checked_labels(labels, probabilities)
    miss = probabilities.copy()
    miss[:, np.arange(len(labels)), labels] -= 1.0
    return np.linalg.norm(miss, axis=2).mean(axis=0)


def grand(gradient_norms: np.ndarray) -> np.ndarray:
    """GraNd (n,): the mean over models of the gradient norms (models, n)."""
    norms = np.asarray(gradient_norms, np.float64)
    if norms.ndim != 2 or not np.isfinite(norms).all() or (norms < 0).any():
        raise InputError(
            "gradient norms must be finite numbers from 0 of shape (models, examples),"
            f" got shape {norms.shape}"
        )
    return norms.mean(axis=0)


def checked_probabilities(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities (models, n, classes) as float64, each row adding up to 1."""
    probabilities = np.asarray(probabilities, np.float64)
    if probabilities.ndim != 3 or not np.allclose(
        probabilities.sum(axis=2), 1.0, atol=1e-3
    ):
        raise InputError(
            "probabilities must have shape (models, examples, classes) and add up to"
            f" 1, got shape {probabilities.shape}"
        )
    return probabilities


def checked_labels(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Labels (n,), one for each example of `probabilities` and none beyond its classes."""
    labels = np.asarray(labels)
    _, n_examples, n_classes = probabilities.shape
    if labels.shape != (n_examples,) or labels.min() < 0 or labels.max() >= n_classes:
        raise InputError(
            f"{n_examples} examples of {n_classes} classes"
            f" need one label each from 0, got shape {labels.shape}"
        )
    return labels
