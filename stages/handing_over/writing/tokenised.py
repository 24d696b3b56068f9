"""The tokenizer that token formats use: the pipeline's own, or one in a file, and the token that ends a document."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from stages.curation.reading.row_groups import batches
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.foundation.files import file_hash
from stages.pools.tokens import EOS
from stages.proxy.tokens.packed import UINT16_WORDS

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# ends of documents, by those who made the tokenizers; the first that is there is taken
END_MARKS = (EOS, "<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|eos|>")
BATCH_DOCUMENTS = 512
# read to learn how many tokens a pool has: to about 2 % (assumed)
RATIO_SHARDS, RATIO_DOCUMENTS = 8, 256


@dataclass(frozen=True, eq=False)
class TokenizerFile:
    """A tokenizer with the end mark that it was given. own: it is the one that the pack stage trained."""

    path: Path
    tokenizer: "Tokenizer"
    eos: str
    eos_id: int
    own: bool

    @property
    def vocab_size(self) -> int:
        """Tokens, added ones included: one more than the largest id."""
        return max(self.tokenizer.get_vocab(with_added_tokens=True).values()) + 1

    @property
    def dtype(self) -> np.dtype:
        """Unsigned integers that hold every token."""
        return np.dtype(np.uint16 if self.vocab_size <= UINT16_WORDS else np.uint32)

    @property
    def hash(self) -> str:
        return file_hash(self.path)

    def encode(self, texts: pl.Series) -> tuple[pl.Series, np.ndarray]:
        """(the tokens of every text with the end mark as bytes, their number). texts (documents,)."""
        blocks, counts = [], []
        for batch in texts.to_frame("text").iter_slices(BATCH_DOCUMENTS):
            for encoding in self.tokenizer.encode_batch_fast(
                batch["text"].to_list(), add_special_tokens=False
            ):
                ids = np.array([*encoding.ids, self.eos_id], dtype=self.dtype)
                blocks.append(ids.tobytes())
                counts.append(len(ids))
        return pl.Series(blocks, dtype=pl.Binary), np.array(counts, dtype=np.uint32)


def open_tokenizer(path: Path | None, eos: str | None) -> TokenizerFile:
    """The pipeline's tokenizer, or the one of a file as the `tokenizers` package saves it.

    Raises InputError where the file is none, or has no token that ends a document.
    """
    from tokenizers import Tokenizer

    file = Path(artefacts.TOKENIZER) if path is None else path
    if not file.is_file():
        raise InputError(f"{file}: no such file; give a tokenizer.json")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the package raises nothing narrower
        line = " ".join(str(error).split())[:120]
        raise InputError(
            f"{file}: cannot be read as a tokenizer ({line}); give a tokenizer.json"
        ) from None
    asked = [eos] if eos else END_MARKS
    found = {mark: tokenizer.token_to_id(mark) for mark in asked}
    marks = [(mark, number) for mark, number in found.items() if number is not None]
    if not marks:
        said = f"no token {eos!r}" if eos else "none of the usual end marks"
        raise InputError(
            f"{file}: has {said}; name the token that ends a document with --eos TOKEN"
        )
    mark, eos_id = marks[0]
    own = path is None or file_hash(file) == _own_hash()
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return TokenizerFile(file, tokenizer, mark, eos_id, own and mark == EOS)


def _own_hash() -> str | None:
    own = Path(artefacts.TOKENIZER)
    return file_hash(own) if own.is_file() else None


def token_ratios(tokenizer: TokenizerFile, packed: pl.DataFrame) -> dict[str, float]:
    """Pool -> tokens of the tokenizer for each token of the pack, from the first documents of some shards of each.

    packed: rows of the pack in order, with n_tokens. All 1 for the pipeline's own tokenizer.
    """
    ratios, row = {}, 0
    for folder in sorted(Path(artefacts.POOLS).iterdir()):
        files = sorted(folder.glob("*.parquet"))
        wanted = set(files[:: max(1, len(files) // RATIO_SHARDS)][:RATIO_SHARDS])
        own = counted = 0
        for file in files:
            if file in wanted and not tokenizer.own:
                head = next(batches(file, ["text"]))[:RATIO_DOCUMENTS]
                own += int(packed["n_tokens"][row : row + head.height].sum())
                counted += int(tokenizer.encode(head["text"])[1].sum())
            row += pq.read_metadata(file).num_rows
        ratios[folder.name] = counted / own if own else 1.0
    return ratios
