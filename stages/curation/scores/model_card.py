"""A trained curation model on disk: its arrays, and a card that says what it is and what it was
trained on.

A folder holds `card.json` (kind, settings, training data by hash, what was measured) and
`arrays.npz`, whose hash the card records, so a model and its card cannot part. Written whole or not
at all. Cost: the size of the arrays.
"""

import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import xxhash

from stages.curation.scores.settings import MODEL_FILES
from stages.foundation.errors import InputError
from stages.foundation.files import file_hash, read_json, whole_folder, write_json

FORMAT = 1


def save_model(
    folder: Path | str, kind: str, card: dict[str, Any], arrays: dict[str, np.ndarray]
) -> None:
    """Write a model of a kind; one that is there is replaced."""
    with whole_folder(folder, holds=MODEL_FILES) as temporary:
        np.savez(temporary / "arrays.npz", allow_pickle=False, **arrays)
        header = {
            "kind": kind,
            "format": FORMAT,
            "arrays_hash": file_hash(temporary / "arrays.npz"),
        }
        write_json(temporary / "card.json", header | card)


def read_card(folder: Path | str) -> dict[str, Any]:
    """The card of a saved model, of any kind."""
    try:
        card = read_json(Path(folder) / "card.json")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder} holds no readable card.json ({str(error).splitlines()[0]}); give"
            " the folder a model was saved in"
        ) from None
    if not isinstance(card, dict) or "kind" not in card:
        raise InputError(
            f"{Path(folder) / 'card.json'} names no kind of model; give the folder a"
            " model was saved in"
        )
    return card


def load_model(
    folder: Path | str, kind: str
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The card and the arrays. Raises InputError where the folder holds no such model or another one."""
    folder, card = Path(folder), read_card(folder)
    if card["kind"] != kind or card.get("format") != FORMAT:
        raise InputError(
            f"{folder / 'card.json'} is of {card['kind']!r}, format"
            f" {card.get('format')}, wanted {kind!r}, format {FORMAT}; give the right"
            " folder or train again"
        )
    try:
        found = file_hash(folder / "arrays.npz")
        with open(folder / "arrays.npz", "rb") as file:
            arrays = dict(np.load(file))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{folder / 'arrays.npz'} cannot be read ({str(error).splitlines()[0]});"
            " train again"
        ) from None
    if found != card["arrays_hash"]:
        raise InputError(
            f"{folder / 'arrays.npz'} has hash {found}, its card says"
            f" {card['arrays_hash']}; train again"
        )
    return card, arrays


def training_data(frames: pl.DataFrame | Iterable[pl.DataFrame]) -> dict[str, Any]:
    """What a card says of documents: counts, pools and a hash of ids and texts; a stream must come in id order."""
    digest, documents, characters = xxhash.xxh3_128(), 0, 0
    pools: Counter[str] = Counter()
    for frame in [frames.sort("id")] if isinstance(frames, pl.DataFrame) else frames:
        for id_, text in frame.select("id", "text").iter_rows():
            digest.update(f"{id_}\0{text}\0".encode())
        pools.update(dict(frame.group_by("pool").len().iter_rows()))
        documents, characters = (
            documents + frame.height,
            characters + int(frame["n_chars"].sum()),
        )
    return {
        "documents": documents,
        "characters": characters,
        "pools": dict(sorted(pools.items())),
        "hash": digest.hexdigest(),
    }
