"""Tokenised documents on disk: one memory-mapped file of tokens and an index, written once, read by every arm.

A folder holds `tokens.bin` (documents back to back, each ending in EOS), `index.parquet` (one row a document:
id, start, n_tokens with EOS, n_bytes of the UTF-8 text) and `meta.json`. Tokens are uint16 up to 65,536
words, else uint32. Where documents have a prompt, which may be read and not scored, the index also says how many
tokens and bytes of each it is; no other pack has these columns. Cost: opening reads the index (16 bytes a document),
never the tokens; the hash of the tokens is recorded when they are written and checked only by `Packed.verify`, because
hashing reads everything.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.foundation.errors import InputError
from stages.foundation.files import room_for

TOKENS, INDEX, META = "tokens.bin", "index.parquet", "meta.json"
UINT16_WORDS = 1 << 16
PROMPTS = ("n_prompt", "n_prompt_bytes")  # columns of the index
META_KEYS = {
    "dtype",
    "vocab_size",
    "eos_id",
    "n_documents",
    "n_tokens",
    "tokens_sha256",
}


@dataclass(frozen=True)
class Prompt:
    """How much of a document, from its beginning, may be read and not scored."""

    n_tokens: int
    n_bytes: int


Document = tuple[str, np.ndarray, int] | tuple[str, np.ndarray, int, Prompt]


@dataclass(frozen=True, eq=False)
class Packed:
    """Tokenised documents of one folder. `tokens` (n_tokens,), `start`, `n_tokens_each`, `n_bytes` (documents,).

    Example: `pool = Packed.open("data/packed/pool"); first = pool.document(0)`.
    """

    folder: Path
    tokens: np.ndarray
    start: np.ndarray
    n_tokens_each: np.ndarray
    n_bytes: np.ndarray
    vocab_size: int
    eos_id: int
    tokens_sha256: str
    # tokens and bytes of each document's prompt (documents,); None where no document has one
    n_prompt_each: np.ndarray | None = None
    n_prompt_bytes: np.ndarray | None = None
    prompts_sha256: str = ""

    @classmethod
    def open(cls, folder: Path | str) -> "Packed":
        folder = Path(folder).absolute()
        meta = _read_meta(folder)
        tokens = _map_tokens(folder, meta)
        asked = "prompts_sha256" in meta
        wanted = ["start", "n_tokens", "n_bytes", *(PROMPTS if asked else ())]
        columns = _read_index(folder, wanted)
        start, n_tokens, n_bytes = (
            columns[name].to_numpy() for name in ("start", "n_tokens", "n_bytes")
        )
        if len(start) != meta["n_documents"] or int(n_tokens.sum()) != meta["n_tokens"]:
            raise InputError(
                f"{folder / INDEX} lists {len(start)} documents and"
                f" {int(n_tokens.sum())} tokens, {META} says {meta['n_documents']} and"
                f" {meta['n_tokens']}; pack the documents again"
            )
        return cls(
            folder,
            tokens,
            start,
            n_tokens,
            n_bytes,
            meta["vocab_size"],
            meta["eos_id"],
            meta["tokens_sha256"],
            n_prompt_each=columns[PROMPTS[0]].to_numpy() if asked else None,
            n_prompt_bytes=columns[PROMPTS[1]].to_numpy() if asked else None,
            prompts_sha256=meta.get("prompts_sha256", ""),
        )

    @property
    def n_documents(self) -> int:
        return len(self.start)

    @property
    def n_tokens(self) -> int:
        return len(self.tokens)

    @property
    def n_scored_each(self) -> np.ndarray:
        """Tokens of each document but its prompt (documents,), EOS included."""
        if self.n_prompt_each is None:
            return self.n_tokens_each
        return self.n_tokens_each - self.n_prompt_each

    @property
    def n_scored_bytes(self) -> np.ndarray:
        """UTF-8 bytes of each document but its prompt (documents,)."""
        if self.n_prompt_bytes is None:
            return self.n_bytes
        return self.n_bytes - self.n_prompt_bytes

    def is_scored(self, where: np.ndarray) -> np.ndarray:
        """Whether tokens at positions `where` (n,) are of no prompt (n,)."""
        if self.n_prompt_each is None:
            return np.ones(len(where), bool)
        document = np.searchsorted(self.start, where, side="right") - 1
        return where >= (self.start + self.n_prompt_each)[document]

    @cached_property
    def ids(self) -> np.ndarray:
        """Document ids (documents,), read on first use."""
        return _read_index(self.folder, ["id"])["id"].to_numpy(zero_copy_only=False)

    def document(self, row: int) -> np.ndarray:
        """Tokens of one document, EOS included."""
        start = int(self.start[row])
        return self.tokens[start : start + int(self.n_tokens_each[row])]

    def verify(self) -> None:
        """Read all tokens and hold them to the recorded hash."""
        found = hashlib.sha256(self.tokens.data).hexdigest()
        if found != self.tokens_sha256:
            raise InputError(
                f"{self.folder / TOKENS} has sha256 {found[:12]}, {META} says"
                f" {self.tokens_sha256[:12]}; pack the documents again"
            )

    def __reduce__(self):
        # a worker maps the file again instead of receiving its bytes
        return Packed.open, (self.folder,)


def write_packed(
    folder: Path | str,
    documents: Iterable[Document],
    *,
    vocab_size: int,
    eos_id: int,
) -> Packed:
    """Write `(id, tokens, n_bytes)` documents and open the result; EOS is added where a document does not end in it.
    A fourth entry says which prompt a document begins with.

    The folder appears complete or not at all (temp + rename); one that exists is replaced.
    Example: `write_packed("data/packed/pool", [("a", np.array([5, 6]), 11)], vocab_size=512, eos_id=0)`.
    """
    folder = Path(folder).absolute()
    if not 0 <= eos_id < vocab_size:
        raise InputError(
            f"eos_id {eos_id} is outside the vocabulary of {vocab_size}; give the"
            " tokenizer's own end token"
        )
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with room_for(folder):
            partial.mkdir(parents=True)
            _write_files(partial, documents, vocab_size=vocab_size, eos_id=eos_id)
            _replace_folder(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Packed.open(folder)


def _write_files(folder: Path, documents, vocab_size: int, eos_id: int) -> None:
    dtype = np.dtype(np.uint16 if vocab_size <= UINT16_WORDS else np.uint32)
    ids, lengths, sizes, digest = [], [], [], hashlib.sha256()
    prompts: list[Prompt] = []
    with open(folder / TOKENS, "wb") as file:
        for name, tokens, n_bytes, *prompt in documents:
            block = (
                _checked(name, tokens, vocab_size=vocab_size, eos_id=eos_id)
                .astype(dtype)
                .tobytes()
            )
            digest.update(block)
            file.write(block)
            ids.append(str(name))
            lengths.append(len(block) // dtype.itemsize)
            sizes.append(n_bytes)
            prompts.append(_prompt(name, prompt, lengths[-1]))
    if not ids:
        raise InputError(
            f"no documents to pack into {folder.parent}; the input is empty or"
            " everything was filtered out"
        )
    asked = _prompt_columns(prompts)
    _write_index(
        folder, ids, lengths=np.array(lengths, np.int64), sizes=sizes, more=asked
    )
    meta = {
        "dtype": dtype.name,
        "vocab_size": vocab_size,
        "eos_id": eos_id,
        "n_documents": len(ids),
        "n_tokens": int(sum(lengths)),
        "tokens_sha256": digest.hexdigest(),
    }
    if asked:
        numbers = np.array([prompt.n_tokens for prompt in prompts], "<i8")
        meta["prompts_sha256"] = hashlib.sha256(numbers.tobytes()).hexdigest()
    (folder / META).write_text(json.dumps(meta, indent=1) + "\n")


def _checked(name: str, tokens: np.ndarray, vocab_size: int, eos_id: int) -> np.ndarray:
    tokens = np.asarray(tokens, dtype=np.int64).ravel()
    if tokens.size and not 0 <= tokens.min() <= tokens.max() < vocab_size:
        raise InputError(
            f"document {name!r} has tokens from {tokens.min()} to {tokens.max()}, the"
            f" vocabulary has {vocab_size} words; pack with the tokenizer that made the"
            " tokens"
        )
    return tokens if tokens.size and tokens[-1] == eos_id else np.append(tokens, eos_id)


def _prompt(name: str, prompt: list[Prompt], n_tokens: int) -> Prompt:
    """The prompt of a document, empty without one; something of the document is always scored."""
    if not prompt:
        return Prompt(0, 0)
    [found] = prompt
    if not 0 <= found.n_tokens < n_tokens:
        raise InputError(
            f"document {name!r} has a prompt of {found.n_tokens} of its {n_tokens}"
            " tokens; give a prompt that leaves something to score"
        )
    return found


def _prompt_columns(prompts: list[Prompt]) -> dict[str, pa.Array]:
    """The columns of PROMPTS; none where no document has a prompt."""
    if not any(prompt.n_tokens for prompt in prompts):
        return {}
    numbers = ([p.n_tokens for p in prompts], [p.n_bytes for p in prompts])
    return {
        name: pa.array(values, pa.int32())
        for name, values in zip(PROMPTS, numbers, strict=True)
    }


def _write_index(
    folder: Path,
    ids: list[str],
    *,
    lengths: np.ndarray,
    sizes: list[int],
    more: dict[str, pa.Array],
) -> None:
    table = pa.table(
        {
            "id": pa.array(ids, pa.string()),
            "start": pa.array(np.cumsum(lengths) - lengths, pa.int64()),
            "n_tokens": pa.array(lengths, pa.int32()),
            "n_bytes": pa.array(sizes, pa.int32()),
            **more,
        }
    )
    pq.write_table(table, folder / INDEX)


def _replace_folder(partial: Path, folder: Path) -> None:
    """Rename `partial` to `folder`; a folder in the way is moved aside first, since rename needs an empty target."""
    if folder.exists():
        old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        partial.rename(folder)
        shutil.rmtree(old)
    else:
        partial.rename(folder)


def _read_meta(folder: Path) -> dict:
    try:
        meta = json.loads((folder / META).read_text())
    except FileNotFoundError:
        raise InputError(
            f"{folder} has no {META}; it is no packed folder or packing did not finish:"
            " pack the documents again"
        ) from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"{folder / META} is not JSON ({error}); pack the documents again"
        ) from None
    if not META_KEYS <= meta.keys():
        raise InputError(
            f"{folder / META} lacks {sorted(META_KEYS - meta.keys())}; pack the"
            " documents again"
        )
    return meta


def _map_tokens(folder: Path, meta: dict) -> np.ndarray:
    path, dtype = folder / TOKENS, np.dtype(meta["dtype"])
    expected = meta["n_tokens"] * dtype.itemsize
    found = path.stat().st_size if path.exists() else None
    if found != expected:
        seen = "is missing" if found is None else f"has {found} bytes"
        raise InputError(
            f"{path} {seen}, {META} promises {expected} bytes; pack the documents again"
        )
    return np.memmap(path, dtype=dtype, mode="r", shape=(meta["n_tokens"],))


def _read_index(folder: Path, columns: list[str]) -> pa.Table:
    try:
        # not by read_table, which imports pandas where it is there: half a second of every process
        with pq.ParquetFile(folder / INDEX) as file:
            return file.read(columns=columns).select(columns)
    except (FileNotFoundError, KeyError, pa.ArrowInvalid) as error:
        raise InputError(
            f"{folder / INDEX} cannot be read ({str(error).splitlines()[0]}); pack the"
            " documents again"
        ) from None
