"""What a trained proxy makes of documents: pooled hidden states (embeddings), EL2N a token,
gradient norms.

Question: where does a document lie for a small transformer of ours, and how hard does it pull at
its weights? Input: a Reader and tokenised documents. Output: embeddings (n, d_model), or
difficulties (n,), high = keep-hard, in the order asked for. Pooling of the last layer: "mean";
"last", the state that has read the whole first window (D4 cuts documents there); "weighted",
position i counts i / sum j (RDS+). EL2N of a document is the mean over its tokens of || softmax -
onehot ||_2; GraNd the norm of the gradient of its mean loss over all weights, on its first window
(the example is the document). Average several readers by taking the mean. Cost: 0.4 M tokens a
CPU-second for embeddings at 25k parameters, 0.3 M for EL2N, 680 documents for GraNd (measured, 512
words). Fails: windows start afresh, so a document longer than the context is a mean of its parts;
and a proxy of this size embeds style and vocabulary, not meaning: a paraphrase in other words is
far away.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from stages.foundation.errors import InputError
from stages.proxy.heldout.evaluate import HeldOut
from stages.proxy.network.device import one_thread
from stages.proxy.network.model import Weights, hidden, linear, token_losses
from stages.proxy.readers.reader import BATCH_TOKENS, BLOCK_DOCUMENTS, Reader
from stages.proxy.tokens.packed import Packed

POOLINGS: dict[
    str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]
] = {  # weight of place p (from 0) of n tokens at a context
    "mean": lambda p, n, context: np.broadcast_to(1 / n, p.shape),
    "last": (
        lambda p, n, context: (p == np.minimum(n, context) - 1).astype(np.float64)
    ),
    "weighted": lambda p, n, context: 2 * (p + 1) / (n * (n + 1)),
}
# weights of all documents whose gradients are held at once (assumed)
GRADIENT_WEIGHTS = 1 << 24


def document_embeddings(
    reader: Reader,
    packed: Packed,
    rows: np.ndarray,
    *,
    pooling: str = "mean",
    device: str = "cpu",
) -> np.ndarray:
    """Pooled last hidden states (n, d_model) float32 of documents `rows`, distinct.

    `train_reader` (reader.py) makes a reader: `document_embeddings(reader, packed, np.arange(packed.n_documents))`.
    """
    if pooling not in POOLINGS:
        raise InputError(f"no pooling {pooling!r}; known are {', '.join(POOLINGS)}")
    weights, found = (
        reader_weights(reader, packed, device),
        np.zeros((len(rows), reader.shape.d_model)),
    )
    with one_thread(), torch.no_grad():
        for inputs, _, document, place, n_tokens in _windows(
            reader, packed, rows=rows, device=device
        ):
            states = hidden(weights.named, reader.shape, inputs[None])[0]
            share = torch.from_numpy(
                np.where(
                    place < n_tokens,
                    POOLINGS[pooling](place, n_tokens, reader.shape.context),
                    0.0,
                )
            ).to(states)
            np.add.at(
                found,
                document,
                torch.einsum("bt,btd->bd", share, states).double().cpu().numpy(),
            )
    return found.astype(np.float32)


def document_el2n(
    reader: Reader, packed: Packed, rows: np.ndarray, *, device: str = "cpu"
) -> np.ndarray:
    """Mean over the tokens of each document of the length of (predicted distribution - onehot) (n,)."""
    weights, total = reader_weights(reader, packed, device), np.zeros(len(rows))
    with one_thread(), torch.no_grad():
        for inputs, targets, document, _, _ in _windows(
            reader, packed, rows=rows, device=device
        ):
            states = hidden(weights.named, reader.shape, inputs[None])
            odds = torch.softmax(linear(states, weights.named["head"])[0].float(), -1)
            own = odds.gather(-1, targets.clamp(min=0)[..., None])[..., 0]
            length = (1 - 2 * own + odds.square().sum(-1)).clamp(min=0).sqrt()
            np.add.at(
                total,
                document,
                length.masked_fill(targets < 0, 0).sum(-1).double().cpu().numpy(),
            )
    return total / packed.n_tokens_each[np.asarray(rows)]


def document_gradients(
    reader: Reader, packed: Packed, rows: np.ndarray, *, device: str = "cpu"
) -> np.ndarray:
    """Norm of the gradient of each document's mean loss over its first window, all weights (n,).

    Documents take the place of runs: the weights are repeated for each, and one backward pass gives
    every gradient apart.
    """
    weights, found = reader_weights(reader, packed, device), np.full(len(rows), np.nan)
    at_once = max(1, GRADIENT_WEIGHTS // weights.flat.shape[1])
    with one_thread():
        for inputs, targets, document, place, _ in _windows(
            reader, packed, rows=rows, device=device
        ):
            first = torch.from_numpy(np.flatnonzero(place[:, 0] == 0)).to(inputs.device)
            for part in first.split(at_once):
                found[document[part.cpu().numpy()]] = _gradient_norms(
                    weights, reader, inputs=inputs[part], targets=targets[part]
                )
    return found


def _gradient_norms(
    weights: Weights, reader: Reader, inputs: torch.Tensor, targets: torch.Tensor
) -> np.ndarray:
    repeated = {
        name: (
            weight.detach()
            .expand(len(inputs), *weight.shape[1:])
            .contiguous()
            .requires_grad_()
        )
        for name, weight in weights.named.items()
    }
    losses = token_losses(
        repeated,
        reader.shape,
        inputs=inputs[:, None],
        targets=targets.clamp(min=0)[:, None],
    )[:, 0]
    real = targets >= 0
    mean = (losses * real).sum(-1) / real.sum(-1)
    gradients = torch.autograd.grad(mean.sum(), list(repeated.values()))
    return (
        torch.stack([gradient.flatten(1).square().sum(1) for gradient in gradients])
        .sum(0)
        .sqrt()
        .cpu()
        .numpy()
    )


def reader_weights(reader: Reader, packed: Packed, device: str) -> Weights:
    """The reader's weights as a stack of one run, held to the vocabulary of the documents."""
    if packed.vocab_size != reader.shape.vocab_size:
        raise InputError(
            f"the documents are packed with {packed.vocab_size} words, the proxy reads"
            f" {reader.shape.vocab_size}; pack them with the tokenizer it was trained"
            " with"
        )
    weights = Weights(reader.shape, [0], device)
    with torch.no_grad():
        weights.flat.copy_(torch.from_numpy(reader.weights)[None])
    return weights


def _windows(
    reader: Reader, packed: Packed, rows: np.ndarray, device: str
) -> Iterator[tuple]:
    """Inputs, targets (B, T) on the device; for each window its document's index in `rows` (B,),
    places in the document (B, T), tokens of it (B, 1).
    """
    rows = np.asarray(rows, np.int64)
    order, context = np.argsort(rows), reader.shape.context
    if len(rows) and (np.diff(rows[order]) == 0).any():
        raise InputError("a document is asked for twice; name each once")
    for first in range(0, len(order), BLOCK_DOCUMENTS):
        part = order[first : first + BLOCK_DOCUMENTS]
        windows_before = np.zeros(len(part), np.int64)
        for inputs, targets, document in HeldOut(packed, rows[part]).batches(
            context, BATCH_TOKENS
        ):
            # windows of a document come in their order
            number = windows_before[document] + _occurrence(document)
            np.add.at(windows_before, document, 1)
            place = number[:, None] * context + np.arange(inputs.shape[1])
            tensors = (
                torch.from_numpy(part_).to(device) for part_ in (inputs, targets)
            )
            yield (
                *tensors,
                part[document],
                place,
                packed.n_tokens_each[rows[part[document]]].astype(np.int64)[:, None],
            )


def _occurrence(values: np.ndarray) -> np.ndarray:
    """How many equal values stand before each (n,)."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    count = np.empty(len(values), np.int64)
    count[order] = np.arange(len(values)) - np.repeat(
        starts, np.diff(np.append(starts, len(values)))
    )
    return count
