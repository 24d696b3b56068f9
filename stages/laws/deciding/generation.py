"""Compute that goes into making text before anything is trained on it: of a budget, what is left for training?

Question: how many tokens does a budget train on where some of them are generated first? Input: of an arm, for each part
of its data that is generated, the FLOPs of all of it and the training tokens after which all of it is in use. Output:
tokens. A part is paid for as it is read for the first time; repeats cost training alone. Cost: nothing.
"""

from collections.abc import Mapping

import numpy as np

FLOPS, TOKENS = "generation_flops_", "generation_tokens_"


def without_generation(columns: Mapping[str, float]) -> dict[str, float]:
    """The columns of an arm that a law may read."""
    return {
        name: value
        for name, value in columns.items()
        if not name.startswith((FLOPS, TOKENS))
    }


def parts_of(columns: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """FLOPs of each generated part and training tokens after which all of it is in use, (parts,); empty without any."""
    names = [name.removeprefix(FLOPS) for name in columns if name.startswith(FLOPS)]
    found = [(columns[FLOPS + name], columns[TOKENS + name]) for name in names]
    flops, tokens = np.array(found, float).reshape(-1, 2).T
    order = np.argsort(tokens, kind="stable")
    return flops[order], tokens[order]


def generation_flops(columns: Mapping[str, float], n_tokens) -> np.ndarray:
    """FLOPs of generating what a run of so many tokens uses; shaped as n_tokens.

    >>> columns = {"generation_flops_qa": 6e6, "generation_tokens_qa": 1000.0}
    >>> generation_flops(columns, np.array([500.0, 1000.0, 8000.0])).tolist()
    [3000000.0, 6000000.0, 6000000.0]
    """
    flops, tokens = parts_of(columns)
    used = np.minimum(np.asarray(n_tokens, float)[..., None] / tokens, 1.0)
    return (used * flops).sum(axis=-1)


def trained_tokens(columns: Mapping[str, float], budgets, per_token) -> np.ndarray:
    """Tokens that budgets train on, (budgets,), after what they pay for generating. per_token: FLOPs of training on
    one token.

    What n tokens cost is concave in n, the least of the lines that it is made of; so the n of a budget is the largest
    of those of the lines.

    >>> columns = {"generation_flops_qa": 6e6, "generation_tokens_qa": 1000.0}
    >>> trained_tokens(columns, np.array([6e6, 12e6, 18e6]), per_token=6e3).tolist()
    [500.0, 1000.0, 2000.0]
    """
    flops, tokens = parts_of(columns)
    paid = np.concatenate([[0.0], np.cumsum(flops)])  # (lines,), of parts all in use
    rate = np.concatenate([np.cumsum((flops / tokens)[::-1])[::-1], [0.0]])
    budgets, per_token = (np.asarray(each, float) for each in (budgets, per_token))
    left = budgets[..., None] - paid
    return (left / (per_token[..., None] + rate)).max(axis=-1)
