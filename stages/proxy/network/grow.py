"""Growth in depth: train a shallow model, copy its layers into a deep one, go on (Du et al. 2024,
Stacking your transformers).

The layers of the deep model are those of the shallow one over and over: 0 1 0 1 for two into four.
Moments of the optimiser move with their weights. With "copy" the function jumps, and the run's
record says by how much; with "identity" every added layer starts by adding nothing, so the function
is kept exactly, but its two output maps must be learnt from zero. Tokens of the shallow model count
at the shallow model's cost.
"""

from dataclasses import replace

import torch

from stages.proxy.network.model import Weights
from stages.proxy.specs.layout import weight_sizes
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec

SILENT = ("out", "down")  # the maps that write to the residual stream


def first_shape(spec: RunSpec) -> Shape:
    """The model that training starts with."""
    return (
        replace(spec.shape, n_layers=spec.grown_from) if spec.grown_from else spec.shape
    )


@torch.no_grad()
def stack_layers(
    shallow: torch.Tensor,
    shallow_shape: Shape,
    deep: torch.Tensor,
    deep_shape: Shape,
    silent: bool,
) -> None:
    """Fill the flat buffer of a deep model (R, P_deep) from that of a shallow one (R, P_shallow);
    `silent`: added layers add nothing.
    """
    source, target = _columns(shallow_shape), _columns(deep_shape)
    for name, columns in target.items():
        layer, _, kind = name.partition(".")
        origin = f"{int(layer) % shallow_shape.n_layers}.{kind}" if kind else name
        deep[:, columns] = shallow[:, source[origin]]
        if silent and kind in SILENT and int(layer) >= shallow_shape.n_layers:
            deep[:, columns] = 0.0


def stack_state(state: dict, shallow: Weights, deep: Weights, silent: bool) -> dict:
    """The state of an optimiser of the shallow model (`AdamW.state`) as one of the deep model."""
    grown = {"n_steps": state["n_steps"]}
    for name in ("flat", "first", "second"):
        grown[name] = state[name].new_empty(len(state[name]), deep.shape.n_params_total)
        stack_layers(
            state[name],
            shallow.shape,
            deep=grown[name],
            deep_shape=deep.shape,
            silent=silent,
        )
    return grown


def _columns(shape: Shape) -> dict[str, slice]:
    found, start = {}, 0
    for name, (rows, columns) in weight_sizes(shape).items():
        found[name] = slice(start, start + rows * columns)
        start += rows * columns
    return found
