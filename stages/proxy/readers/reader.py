"""A proxy that is trained to read: the loss it gives to documents, and the weights kept so that it
can read again.

Question: how hard is each document for a small transformer of ours? Input: tokenised documents to
learn from and to score. Output: summed nats and tokens of each document, every document on its own
(see evaluate.py). High = hard. It is the proxy of the sweeps, trained by the same trainer at one
budget; the trainer does not know of this folder, so changing it retrains no sweep. Score only
documents it has not trained on, or the score measures memory. Cost: training as any proxy; scoring
a forward pass, 0.5 M tokens a CPU-second for 25k parameters (measured). Fails on documents much
longer than the context: each window starts afresh, which raises the loss of all long documents.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from stages.foundation.errors import InputError
from stages.foundation.files import file_hash, read_json, whole_folder, write_json
from stages.proxy.heldout.evaluate import HeldOut, Scorer
from stages.proxy.network.device import one_thread
from stages.proxy.network.engine import build_engine
from stages.proxy.network.model import Weights
from stages.proxy.specs.shape import Shape, whole_batches
from stages.proxy.specs.spec import RunSpec
from stages.proxy.tokens.packed import Packed
from stages.proxy.tokens.view import View
from stages.proxy.training.data import ProxyData
from stages.proxy.training.train import Trainer

KIND, FORMAT = "proxy reader", 1
BATCH_TOKENS = 4096  # measured on CPU, as for held-out losses
BLOCK_DOCUMENTS = 2000  # assumed: documents held as tensors at once


@dataclass(frozen=True, eq=False)
class Reader:
    """A trained proxy: `weights` (P,) float32 in the order of layout.weight_sizes, and the card of its training."""

    shape: Shape
    weights: np.ndarray
    card: dict

    def document_nats(
        self, packed: Packed, rows: np.ndarray, device: str = "cpu"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Summed loss in nats and tokens, EOS included, of documents `rows` (n,), distinct, in the order given."""
        if packed.vocab_size != self.shape.vocab_size:
            raise InputError(
                f"the documents are packed with {packed.vocab_size} words, the proxy"
                f" reads {self.shape.vocab_size}; pack them with the tokenizer it was"
                " trained with"
            )
        rows = np.asarray(rows, dtype=np.int64)
        weights = Weights(self.shape, [0], device)
        with torch.no_grad():
            weights.flat.copy_(torch.from_numpy(self.weights)[None])
        engine, order, nats = (
            build_engine(weights),
            np.argsort(rows),
            np.zeros(len(rows)),
        )
        with one_thread():
            for part in _parts(order):
                scorer = Scorer(
                    {"all": HeldOut(packed, rows[part])},
                    context=self.shape.context,
                    batch_tokens=BATCH_TOKENS,
                    device=device,
                )
                nats[part] = scorer.score(engine.token_losses, 1)[0][
                    "all"
                ].document_loss_nats
        return nats, packed.n_tokens_each[rows].astype(np.int64)

    def save(self, folder: Path | str) -> None:
        """Write weights and card, whole or not at all."""
        with whole_folder(folder, holds=("card.json", "weights.npy")) as temporary:
            np.save(temporary / "weights.npy", self.weights)
            shape = {
                name: getattr(self.shape, name)
                for name in ("d_model", "n_layers", "n_heads", "context", "vocab_size")
            }
            header = {
                "kind": KIND,
                "format": FORMAT,
                "shape": shape,
                "weights_hash": file_hash(temporary / "weights.npy"),
            }
            write_json(temporary / "card.json", header | self.card)


def _parts(order: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, len(order), BLOCK_DOCUMENTS):
        yield order[first : first + BLOCK_DOCUMENTS]


def load_reader(folder: Path | str) -> Reader:
    """A reader saved before. Raises InputError where the folder holds none, or its weights are not
    those of its card.
    """
    folder = Path(folder)
    try:
        card = read_json(folder / "card.json")
        weights = np.load(folder / "weights.npy")
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"{folder} holds no readable proxy ({str(error).splitlines()[0]}); give the"
            " folder one was saved in"
        ) from None
    if (
        card.get("kind") != KIND
        or card.get("format") != FORMAT
        or card["weights_hash"] != file_hash(folder / "weights.npy")
    ):
        raise InputError(
            f"{folder} holds {card.get('kind')!r}, format {card.get('format')}, or"
            " weights that are not its card's; train again"
        )
    own = {
        key: value
        for key, value in card.items()
        if key not in ("kind", "format", "shape", "weights_hash")
    }
    return Reader(Shape(**card["shape"]), weights, own)


def train_reader(
    packed: Packed,
    rows: np.ndarray,
    *,
    size: str = "25k",
    tokens: int = 262_144,
    context: int = 128,
    seed: int = 0,
    device: str = "cpu",
    **settings,
) -> Reader:
    """Train a proxy of the ladder on documents `rows`; `settings` are fields of RunSpec (lr,
    weight_decay, batch_tokens...). On a GPU in float32, since documents are ordered by what it says.

    >>> from stages.proxy.tokens.packed import write_packed
    >>> documents = [(f"d{i}", np.tile([1, 2, 3, 4], 16), 64) for i in range(64)]
    >>> packed = write_packed("pool", documents, vocab_size=8, eos_id=0)
    >>> reader = train_reader(packed, np.arange(48), size="6k", tokens=16_384, context=16)
    >>> nats, n_tokens = reader.document_nats(packed, np.arange(48, 64))
    >>> bool(nats.mean() / n_tokens.mean() < np.log(8))
    True
    """
    shape = Shape.named(size, context=context, vocab_size=packed.vocab_size)
    batch = settings.pop("batch_tokens", RunSpec.batch_tokens)
    if device != "cpu":
        settings.setdefault("dtype", "float32")
    spec = RunSpec(
        arm="read",
        shape=shape,
        budgets_tokens=(whole_batches(tokens, batch),),
        batch_tokens=batch,
        seed=seed,
        data_seed=seed,
        **settings,
    )
    view = View(packed, rows, arm="read")
    with one_thread():
        trainer = Trainer([spec], ProxyData({"read": view}, {}), device)
        trainer.run()
    weights = trainer.weights.flat[0].detach().float().cpu().numpy().copy()
    if not np.isfinite(weights).all():
        raise InputError(f"the proxy of {size} diverged at lr {spec.lr}; lower it")
    card = {
        "spec": spec.to_dict(),
        "trained_on": {
            "documents": len(view.rows),
            "tokens": view.n_tokens,
            "hash": view.fingerprint,
        },
    }
    return Reader(shape, weights, card)
