"""What trunks read: the pack, the views of every arm and draw, held-out domains, items."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from stages.foundation import artefacts
from stages.foundation.files import content_hash
from stages.foundation.sealed import AGAIN, read_sealed
from stages.proxy.tokens.packed import Packed
from stages.proxy.tokens.view import View

if TYPE_CHECKING:
    from stages.proxy.training.data import ProxyData

TOKENIZER = artefacts.TOKENIZER


class Views:
    """Everything that trunks read: the pack, views by "arm/draw", held-out domains, and their hashes."""

    def __init__(
        self,
        packed: Packed,
        views: dict[str, View],
        held_out: dict[str, Packed],
        arms: dict[str, Any],
        items: Any = None,
    ) -> None:
        self.packed, self.views, self.held_out, self.arms, self.items = (
            packed,
            views,
            held_out,
            arms,
            items,
        )

    def added(self, table: pl.DataFrame) -> "Views":
        """The same with the views of a table of data/arms/views.parquet's columns beside those that are there."""
        more = views_of(self.packed, table, self.arms["tiers"])
        return Views(
            self.packed,
            views=self.views | more,
            held_out=self.held_out,
            arms=self.arms,
            items=self.items,
        )

    def data_hash(self, name: str, decay: str | None = None, loss: str = "all") -> str:
        """Of the tokens that a view trains on, those of its decay if they are others, and those and
        the items it is judged on; which of them are prompts, where that tells. loss: as of a RunSpec.
        """
        trained = [self.views[each].fingerprint for each in (name, decay) if each]
        if loss == "answer":
            trained.append(self.packed.prompts_sha256)
        judged = [self.items.fingerprint] if self.items else []
        return content_hash(
            [
                *trained,
                {
                    key: pack.tokens_sha256 + pack.prompts_sha256
                    for key, pack in self.held_out.items()
                },
                *judged,
            ]
        )


def load_views(items: str | None = None) -> Views:
    """The views of data/arms over data/pack, and the items of a file."""
    packed = Packed.open(artefacts.PACKED_POOLS)
    held_out = {
        path.name: Packed.open(path)
        for path in sorted(Path(artefacts.PACKED_HELD_OUT).iterdir())
        if path.is_dir()
    }
    arms = read_sealed(artefacts.ARMS, AGAIN)
    if items:
        from stages.sweeping.item_file import read_items  # loads torch
    return Views(
        packed,
        views=views_of(packed, pl.read_parquet(artefacts.VIEWS), arms["tiers"]),
        held_out=held_out,
        arms=arms,
        items=read_items(items, TOKENIZER, packed.eos_id) if items else None,
    )


def views_of(
    packed: Packed, table: pl.DataFrame, tiers: Sequence[str]
) -> dict[str, View]:
    """ "arm/draw" -> its view. table: arm, draw, row, weight, pool and tier (number), one row a document; `stage` where
    arms have a curriculum.
    """
    pools = sorted(table["pool"].unique())
    names = [f"{pool}|{tier}" for pool in pools for tier in tiers]
    label = pl.col("pool").replace_strict(
        pools, range(len(pools)), return_dtype=pl.Int64
    ) * len(tiers) + pl.col("tier")
    views = {}
    for (arm, draw), part in table.with_columns(label=label).group_by(
        "arm", "draw", maintain_order=True
    ):
        groups = np.zeros(packed.n_documents, np.int64)
        groups[part["row"].to_numpy()] = part["label"].to_numpy()
        name = f"{arm}/{draw}"
        staged = "stage" in part.columns and part["stage"].null_count() == 0
        views[name] = View(
            packed,
            part["row"].to_numpy(),
            part["weight"].to_numpy(),
            arm=name,
            groups=groups,
            group_names=names,
            stages=part["stage"].to_numpy() if staged else None,
        )
    return views


def proxy_data(data: Views) -> "ProxyData":
    """What the trainer reads."""
    from stages.proxy.heldout.evaluate import HeldOut
    from stages.proxy.training.data import ProxyData

    return ProxyData(
        data.views,
        {name: HeldOut(pack) for name, pack in data.held_out.items()},
        data.items,
    )
