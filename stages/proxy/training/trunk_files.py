"""Trunks as safetensors files: the weights that branches go on from, with the optimiser's moments.

A trunk of the sweep is written when it ends, whole or not at all, and is the export of that proxy: any program that
knows safetensors reads it (checkpoint_file.py says what is in it). Read back, a run goes on bit for bit. Cost: 12
bytes a parameter.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from stages.foundation.errors import InputError
from stages.foundation.files import whole_file
from stages.proxy.specs.checkpoint_file import MOMENTS, read_header
from stages.proxy.specs.layout import weight_sizes
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec

KEPT = ("flat", *MOMENTS)  # of a state, as `AdamW.state` has it
FORMAT = "1"


def save_trunk(
    path: Path,
    spec: RunSpec,
    state: Mapping[str, torch.Tensor],
    n_steps: int,
    said: Mapping[str, str] | None = None,
) -> None:
    """Write one run. state: `flat`, `first`, `second` (P,); said: further metadata."""
    from safetensors.torch import save

    tensors = {}
    for what in KEPT:
        prefix = "" if what == "flat" else f"{what}."
        parts = state[what].detach().float().cpu().split(_lengths(spec.shape))
        for (name, size), part in zip(
            weight_sizes(spec.shape).items(), parts, strict=True
        ):
            tensors[prefix + name] = part.view(size).clone()
    metadata = {
        "assay": FORMAT,
        "shape": json.dumps(dataclasses.asdict(spec.shape)),
        "n_tokens": str(spec.budgets_tokens[-1]),
        "n_steps": str(n_steps),
        "run": spec.key,
        "tensors_sha256": _digest(tensors),
        **(said or {}),
    }
    with whole_file(path) as temporary:
        temporary.write_bytes(save(tensors, metadata))


def trunks_state(specs: Sequence[RunSpec], trunks: Mapping[str, Path]) -> dict:
    """The state of the optimiser (`AdamW.state`) that these branches begin with, runs in order.

    Raises InputError where a file is missing, damaged or of another model.
    """
    shape, found = specs[0].shape, {}
    names = [spec.branch.trunk for spec in specs if spec.branch]
    for name in dict.fromkeys(names):
        if name not in trunks:
            raise InputError(f"no weights of the trunk {name}; run the sweep again")
        found[name] = load_trunk(trunks[name], shape)
    state: dict = {
        what: torch.stack([found[name][what] for name in names]) for what in KEPT
    }
    steps = {found[name]["n_steps"] for name in names}
    if len(steps) > 1:
        raise InputError(
            f"trunks of {', '.join(map(str, sorted(steps)))} steps in one group; train"
            " their branches apart"
        )
    return state | {"n_steps": steps.pop()}


def load_trunk(path: Path, shape: Shape) -> dict:
    """`flat`, `first`, `second` (P,) fp32 and `n_steps` of one file; moments are 0 where it has none."""
    from safetensors.torch import load_file

    header = read_header(path)
    header.require(shape)
    tensors = load_file(path)
    said = header.metadata.get("tensors_sha256")
    if said is not None and said != _digest(tensors):
        raise InputError(
            f"{path} is damaged: its tensors are not those that were written; delete it"
            " to train the trunk again"
        )
    state: dict = {}
    for what in KEPT:
        prefix = "" if what == "flat" else f"{what}."
        parts = [
            tensors[prefix + name].float().reshape(-1)
            if prefix + name in tensors
            else torch.zeros(rows * columns)
            for name, (rows, columns) in weight_sizes(shape).items()
        ]
        state[what] = torch.cat(parts)
    finite = all(bool(torch.isfinite(state[what]).all()) for what in KEPT)
    if not finite and "run" not in header.metadata:  # a trunk of ours has diverged
        raise InputError(
            f"{path} holds numbers that are not finite; its run diverged: give another"
        )
    return state | {"n_steps": header.n_steps if header.has_moments else 0}


def _lengths(shape: Shape) -> list[int]:
    return [rows * columns for rows, columns in weight_sizes(shape).values()]


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """One hash of names and bytes, whatever the order."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()
