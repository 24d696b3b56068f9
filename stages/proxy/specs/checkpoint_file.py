"""What a safetensors file of a proxy says before its weights are read: names and sizes, and how far it was trained.

The layout is the network's own (layout.py): one tensor a weight, rows and columns as there, any floating type. Files
that Assay writes also hold the optimiser's two moments as `first.NAME` and `second.NAME`, and say in their metadata
shape, tokens, steps, the hash of the tensors and that of the tokenizer. A file without moments or metadata will do.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stages.foundation.errors import InputError
from stages.proxy.specs.layout import weight_sizes
from stages.proxy.specs.shape import LADDER, Shape

MOMENTS = ("first", "second")
FLOATS = ("F64", "F32", "F16", "BF16")  # safetensors' own words


@dataclass(frozen=True)
class CheckpointFile:
    """The header of one file. tensors: name -> (type, sizes)."""

    path: Path
    tensors: Mapping[str, tuple[str, tuple[int, ...]]]
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_moments(self) -> bool:
        """Whether the optimiser's state comes with the weights."""
        return any(name.startswith("first.") for name in self.tensors)

    @property
    def n_tokens(self) -> int | None:
        """Tokens that the weights were trained on; None where the file does not say."""
        return self._number("n_tokens")

    @property
    def n_steps(self) -> int:
        """Steps of the optimiser behind the moments."""
        return self._number("n_steps") or 0

    def _number(self, key: str) -> int | None:
        text = self.metadata.get(key)
        if text is None:
            return None
        if not text.isdecimal():
            raise InputError(
                f"{self.path}: its metadata say {key} {text[:20]!r}, which is no whole"
                " number; mend or leave it out"
            )
        return int(text)

    def size(self) -> str:
        """The rung of the ladder that has its width and depth. InputError where there is none."""
        embedding = self.tensors.get("embedding")
        if embedding is None or len(embedding[1]) != 2:
            raise InputError(
                f"{self.path}: no matrix `embedding`; tensors are to be named embedding,"
                f" 0.qkv and so on, there are {_some(self.tensors)}"
            )
        width = embedding[1][1]
        layers = {name.partition(".")[0] for name in self.tensors if "." in name}
        depth = sum(layer.isdecimal() for layer in layers)
        for name, rung in LADDER.items():
            if rung == (width, depth):
                return name
        known = ", ".join(f"{name} {rung}" for name, rung in LADDER.items())
        raise InputError(
            f"{self.path}: no proxy has width {width} and {depth} layers; those of"
            f" (width, layers) are {known}"
        )

    def require(self, shape: Shape) -> None:
        """Raises InputError naming the first tensor that a model of this shape does not have so."""
        wanted = weight_sizes(shape)
        if self.has_moments:
            wanted |= {
                f"{moment}.{name}": size
                for moment in MOMENTS
                for name, size in weight_sizes(shape).items()
            }
        for name, size in wanted.items():
            if name not in self.tensors:
                raise InputError(
                    f"{self.path}: no tensor {name!r}, which is to be {size[0]} x"
                    f" {size[1]} ({_spoken(shape)}); it has {_some(self.tensors)}"
                )
            kind, found = self.tensors[name]
            if found != size:
                raise InputError(
                    f"{self.path}: {name} is {' x '.join(map(str, found))}, the model"
                    f" wants {size[0]} x {size[1]} ({_spoken(shape)}); {_cure(name)}"
                )
            if kind not in FLOATS:
                raise InputError(
                    f"{self.path}: {name} is of type {kind}; give one of"
                    f" {', '.join(FLOATS)}"
                )
        if unknown := [name for name in self.tensors if name not in wanted]:
            raise InputError(
                f"{self.path}: a tensor {unknown[0]!r} that the model does not have"
                f" ({_spoken(shape)}); take it out"
            )
        self._require_shape(shape)

    def _require_shape(self, shape: Shape) -> None:
        """What tensors do not show: the heads, and whether queries and keys are normed."""
        said = json.loads(self.metadata.get("shape", "{}"))
        for name in ("n_heads", "qk_norm"):
            wanted = getattr(shape, name)
            if said.get(name, wanted) != wanted:
                raise InputError(
                    f"{self.path}: was trained with {name} {said[name]}, the model has"
                    f" {wanted}; change the sweep's model, or give another file"
                )


def read_header(path: Path | str) -> CheckpointFile:
    """Names and sizes of a safetensors file; no weight is read. InputError where it is none."""
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a checkpoint in safetensors")
    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {
                name: (piece.get_dtype(), tuple(piece.get_shape()))
                for name in file.keys()
                for piece in [file.get_slice(name)]
            }
            return CheckpointFile(path, tensors, file.metadata() or {})
    except SafetensorError as error:
        raise InputError(
            f"{path}: not a whole safetensors file ({str(error).splitlines()[0]}); give"
            " a checkpoint in that format"
        ) from None


def _spoken(shape: Shape) -> str:
    return (
        f"width {shape.d_model}, {shape.n_layers} layers, vocabulary {shape.vocab_size}"
    )


def _some(tensors: Mapping[str, object]) -> str:
    names = list(tensors)
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{', '.join(names[:4]) or 'none'}{more}"


def _cure(name: str) -> str:
    if name.rpartition(".")[2] in ("embedding", "head"):
        return "pack with the tokenizer that it was trained with (pack.tokenizer)"
    return "give a checkpoint of the network's own layout"
