"""What an arm takes of the whole pools, and how often: rows of the packed index with copies.

Question: which documents are written, and how many times? Input: an arm and a number of tokens, or none. Output:
arrays in reading order, and the groups (pool, tier, weight, licence) of one number of uses. Uses are weights scaled
to the tokens; whole passes write every document of a group, the part of a pass that is left a subset in the order of
hash(seed, id), to within half a document. Cost: that of whole_pool.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from stages.curation.selecting.arm_views import arm_view, with_firsts
from stages.foundation.errors import InputError
from stages.handing_over.choosing.whole_pool import clusters_of, whole_pool
from stages.settings.arms import Arm, tier_names
from stages.settings.pools import UNKNOWN

NAMED = ("cluster_name", "licence")  # codes, which are ordered by their words
MOST_COPIES = 1_000_000  # of a document; more is a slip in --tokens
GROUP = ("pool", "cluster_name", "tier", "weight", "licence")


@dataclass(frozen=True)
class Group:
    """Documents of one pool, tier, weight and licence. documents, tokens: different ones, before any repeats."""

    pool: str
    cluster: str  # of a mixture over clusters, else empty
    tier: str
    weight: float
    licence: str
    documents: int
    tokens: int
    uses: float  # mean number of times that a document is written


@dataclass(frozen=True, eq=False)
class ArmDocuments:
    """The documents of an arm in reading order: all arrays (documents,).

    row: in the packed index. id: as a number. group: index into `groups`. copies: times that it is written.
    """

    row: np.ndarray
    id: np.ndarray
    group: np.ndarray
    copies: np.ndarray
    n_tokens: np.ndarray
    n_bytes: np.ndarray
    groups: list[Group]

    @property
    def n_written(self) -> int:
        """Documents written, repeats included."""
        return int(self.copies.sum())

    def total(self, sizes: np.ndarray) -> int:
        """Sum over all that is written. sizes (documents,)."""
        return int((sizes.astype(np.int64) * self.copies).sum())


def arm_documents(
    name: str,
    arm: Arm,
    packed: pl.DataFrame,
    *,
    edges: list[float],
    seed: int,
    tokens: float | None,
    repeated: bool = False,
    ratios: Mapping[str, float],
    removed: np.ndarray | None = None,
    most_uses: Mapping[str, float] | None = None,
    stage: int | None = None,
) -> ArmDocuments:
    """The arm over all documents of `packed` (which need no ids) but those `removed` (ids as numbers).

    edges: kept fractions between tiers. tokens: to be written in all; None writes each document once or, `repeated`,
    as often as its weight says. ratios: pool -> what `tokens` counts for each token of the pack. most_uses: part of a
    mixture -> passes above which weights are not written where no tokens are given. stage: of a curriculum, from 0;
    None: all of the arm. Raises InputError where nothing is left, the tokens are too few for a document, or a part has
    too many passes.
    """
    view = _view(arm, edges=edges, seed=seed, removed=removed, stage=stage)
    if view.is_empty():
        raise InputError(f"the arm {name} keeps no document; loosen its selection")
    groups, view = _grouped(view)
    uses = groups["weight"].to_numpy() if repeated else np.ones(groups.height)
    if tokens is not None:
        ratio = groups["pool"].cast(pl.String).replace_strict(dict(ratios))
        per_pass = float((groups["weight"] * groups["n_tokens"] * ratio).sum())
        uses = groups["weight"].to_numpy() * tokens / per_pass
    elif repeated and most_uses is not None:
        _require_few_passes(name, groups, uses, most_uses=most_uses)
    view = with_copies(view, uses, seed).sort("row")
    if view.is_empty():
        raise InputError(
            f"{_said(tokens)}: fewer than one document of the arm {name}; give more"
        )
    tiers = tier_names(edges)
    return ArmDocuments(
        row=view["row"].to_numpy(),
        id=view["id"].to_numpy(),
        group=view["group"].to_numpy(),
        copies=view["copies"].to_numpy(),
        n_tokens=view["n_tokens"].to_numpy(),
        n_bytes=packed["n_bytes"].gather(view["row"]).to_numpy(),
        groups=[
            Group(
                pool=row["pool"],
                cluster=row["cluster_name"],
                tier=tiers[row["tier"]],
                weight=row["weight"],
                licence=row["licence"],
                documents=row["len"],
                tokens=row["n_tokens"],
                uses=float(uses[row["group"]]),
            )
            for row in groups.iter_rows(named=True)
        ],
    )


def _view(
    arm: Arm,
    *,
    edges: list[float],
    seed: int,
    removed: np.ndarray | None,
    stage: int | None,
) -> pl.DataFrame:
    """The arm's documents, of one stage where one is asked for: id, row, n_tokens and GROUP."""
    pool = whole_pool(arm)
    if removed is not None and len(removed):
        pool = pool.filter(~pl.col("id").is_in(pl.Series(removed).implode()))
        pool = with_firsts(pool)
    pool = pool.with_columns(tier=tiers_of(pool, edges))
    if arm.licence is None and (arm.replay is None or arm.replay.of.licence is None):
        # who asks for some looks at clusters again
        pool = pool.drop("cluster")
    pool = by_cluster(pool, arm.clusters_of)
    view = with_source(arm_view(pool, arm, seed=seed), arm.clusters_of)
    if stage is not None:
        view = view.filter(pl.col("stage") == stage)
    if "licence" not in view.columns:
        view = view.with_columns(licence=pl.lit(UNKNOWN, pl.Categorical))
    return view.select("id", "row", "n_tokens", *GROUP)


def _grouped(view: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(groups: GROUP, len and n_tokens in the order of their words; the view with `group` in place of GROUP)."""
    order = [pl.col(name).cast(pl.String) if name in NAMED else name for name in GROUP]
    groups = (
        view.group_by(GROUP)
        .agg(pl.len(), pl.col("n_tokens").cast(pl.Int64).sum())
        .sort(*order)
        .with_row_index("group")
    )
    numbers = groups.select("group", *GROUP)
    return groups, view.join(numbers, on=GROUP, how="left").drop(GROUP)


def _require_few_passes(
    name: str, groups: pl.DataFrame, uses: np.ndarray, *, most_uses: Mapping[str, float]
) -> None:
    """InputError where the least used part, written once, makes another one be written too often."""
    clusters, pools = (groups[key].cast(pl.String) for key in ("cluster_name", "pool"))
    parts = [cluster or pool for cluster, pool in zip(clusters, pools, strict=True)]
    most = np.array([most_uses[part] for part in parts])
    at = int(np.argmax(uses / most))
    if uses[at] <= most[at]:
        return
    tokens = float((uses * groups["n_tokens"].to_numpy()).sum() * most[at] / uses[at])
    raise InputError(
        f"the {name.replace('_', ' ')} would be written with {uses[at]:.3g} passes of"
        f" {parts[at]}, for it reads {parts[int(np.argmin(uses))]} that much less, and"
        f" {most[at]:.3g} are the most that is known of; say how much to write, up to"
        f" --tokens {tokens:.3g}"
    )


def by_cluster(pool: pl.DataFrame, question: str | None) -> pl.DataFrame:
    """The documents that a question has clusters of, with the cluster as `pool` and the pool as `source`."""
    if question is None:
        return pool
    topics = clusters_of(question)
    own = pool.join(topics, on="id", how="inner", maintain_order="left")
    return own.rename({"pool": "source"}).rename({"cluster_name": "pool"})


def with_source(view: pl.DataFrame, question: str | None) -> pl.DataFrame:
    """A view with its pool as `pool` again and, as `cluster_name`, the cluster; empty where it has none."""
    if question is None:
        return view.with_columns(cluster_name=pl.lit("", pl.Categorical))
    return view.rename({"pool": "cluster_name"}).rename({"source": "pool"})


def _said(tokens: float | None) -> str:
    """What a person gave or left out."""
    return "no --tokens" if tokens is None else f"--tokens {tokens:g}"


def tiers_of(pool: pl.DataFrame, edges: list[float]) -> pl.Series:
    """The tier of every document (documents,), as `tier_labels` gives it, in a third of its memory."""
    first = pool["is_first"].to_numpy()
    ids, quality = pool["id"].to_numpy()[first], pool["quality"].to_numpy()[first]
    size = pool["n_tokens"].to_numpy()[first].astype(np.int64)
    order = np.lexsort((ids, -quality))
    before = np.cumsum(size[order]) - size[order]
    tier = np.empty(len(order), dtype=np.int32)
    tier[order] = sum((before >= edge * size.sum()).astype(np.int32) for edge in edges)
    if first.all():
        return pl.Series(tier)
    # a copy has the tier of the first of its cluster
    clusters = pool["cluster"].to_numpy()
    known = clusters[first]
    place = np.argsort(known)
    return pl.Series(tier[place[np.searchsorted(known, clusters, sorter=place)]])


def with_copies(view: pl.DataFrame, uses: np.ndarray, seed: int) -> pl.DataFrame:
    """Adds `copies`; documents that are written no time go. view: id (number), group, n_tokens. uses (groups,)."""
    if uses.max() > MOST_COPIES:
        raise InputError(
            f"--tokens: a document would be written {uses.max():.3g} times, more than"
            f" {MOST_COPIES:,}; give fewer tokens"
        )
    order = pl.Series("_order", mixed(view["id"].to_numpy(), seed))
    view = view.with_columns(order).sort("group", "_order", "id")
    size = pl.col("n_tokens").cast(pl.Int64)
    middle = (size.cum_sum() - size / 2).over("group") / size.sum().over("group")
    whole = np.floor(uses)
    of_group = pl.DataFrame({"_whole": whole.astype(np.uint32), "_part": uses - whole})
    view = view.with_columns(_place=middle).drop("_order")
    view = view.hstack(of_group[view["group"]])
    one_more = (pl.col("_place") < pl.col("_part")).cast(pl.UInt32)
    view = view.with_columns(copies=pl.col("_whole") + one_more)
    return view.filter(pl.col("copies") > 0).drop("_place", "_whole", "_part")


def mixed(numbers: np.ndarray, seed: int) -> np.ndarray:
    """A hash of every number (documents,) as unsigned 64 bits: the finaliser of splitmix64 (Steele et al. 2014).

    >>> mixed(np.array([0, 1], dtype=np.uint64), 0).tolist() == mixed(np.array([0, 1], dtype=np.uint64), 0).tolist()
    True
    """
    step = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        value = numbers.astype(np.uint64) + step * np.uint64(seed + 1)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return value ^ (value >> np.uint64(31))
