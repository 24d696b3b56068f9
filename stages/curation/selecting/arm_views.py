"""Arms as views: a resample of the pool, the part of it that an arm keeps, and how often each
document is used.

A draw is what another crawl of the same size would have given: whole duplicate clusters by hash, so
that draws differ in documents and not only in seeds, and copies come along with what they copy.
Frames hold: id, row (in the packed index), pool, n_tokens, cluster, is_first, duplicate, quality,
difficulty, rules_pass, the scores and `pass_<rule>` that arms name; where the dedup stage looked
for them also semantic_of and group (semantic copies together, and what is reworded with its
source), and line_row, line_tokens (the text without repeated lines; null: it lost none, row -1: all
of it).
"""

import hashlib
from collections.abc import Sequence
from typing import Protocol

import polars as pl

from stages.curation.duplicates.clusters import SHORTENED
from stages.curation.names import OWN_SCORES
from stages.curation.rules.rule_list import named_rules
from stages.curation.selecting.draws import disjoint_draws, draw
from stages.curation.selecting.selection import keep_fraction, tiers
from stages.foundation.errors import ParamsError


class ArmLike(Protocol):
    """What a view needs to know of an arm; the fields are described in stages/settings/arms.py."""

    @property
    def keep(self) -> float: ...

    @property
    def by(self) -> str: ...

    @property
    def take(self) -> str: ...

    @property
    def upweight(self) -> float | None: ...

    @property
    def mixture(self) -> dict[str, float] | None: ...

    @property
    def uses(self) -> dict[float, float] | None: ...

    @property
    def licence(self) -> list[str] | None: ...

    @property
    def dedup(self) -> str: ...

    @property
    def rules(self) -> bool | str | list[str]: ...

    @property
    def replay(self) -> "ReplayLike | None": ...

    @property
    def curriculum(self) -> "CurriculumLike | None": ...


class CurriculumLike(Protocol):
    """Documents in parts of as many tokens, one read after the other."""

    @property
    def by(self) -> str: ...

    @property
    def stages(self) -> int: ...

    @property
    def first(self) -> str: ...


class ReplayLike(Protocol):
    """Data of another arm that are read beside an arm's own."""

    @property
    def share(self) -> float: ...

    @property
    def of(self) -> ArmLike: ...


DEDUP = {
    "none": "every document",
    "exact": "one of each text",
    "words": "one of each sequence of words, whatever the case and punctuation",
    "near": "one of each near-duplicate cluster",
    "bands": "one of what a shared band joins, compared or not (as FineWeb)",
    "semantic": "of the near policy, one of those that say the same",
    "lines": "of the near policy, without lines that another document holds",
}


def resamples(
    documents: pl.DataFrame, draw_tokens: int, *, draws: int, seed: int
) -> tuple[list[pl.DataFrame], bool]:
    """`draws` resamples of `draw_tokens` unique tokens each, and whether they share no document.

    They are disjoint where the pool holds enough; else each is drawn anew, and draws overlap. Whole duplicate
    clusters come in; the pools keep their proportions. Raises ParamsError where the pool is smaller than one draw.
    """
    unit = "group" if "group" in documents.columns else "cluster"
    firsts = deduplicated(documents, counted_policy(documents))
    total = int(firsts["n_tokens"].sum())
    if total < draw_tokens:
        raise ParamsError(
            f"arms.draw_tokens is {draw_tokens}, the pool holds {total}"
            " tokens without duplicates; add text or lower it"
        )
    disjoint = draws * draw_tokens <= total
    if disjoint:
        chosen = disjoint_draws(firsts, draw_tokens, count=draws, seed=seed, unit=unit)
    else:
        chosen = [
            draw(firsts, draw_tokens, seed * 1000 + number, unit=unit)
            for number in range(draws)
        ]
    return [
        documents.join(part.select(unit), on=unit, how="semi").sort("id")
        for part in chosen
    ], disjoint


def counted_policy(documents: pl.DataFrame) -> str:
    """The policy by which a resample counts different tokens: what says the same counts once where it is known."""
    return "semantic" if "semantic_of" in documents.columns else "near"


def deduplicated(documents: pl.DataFrame, policy: str) -> pl.DataFrame:
    """The documents that a policy leaves; by `lines` with the rows and sizes of their shorter texts."""
    if policy == "none":
        return documents
    if policy in ("exact", "words"):
        removed = ["exact"] if policy == "exact" else ["exact", "words"]
        return documents.filter(~pl.col("duplicate").is_in(removed).fill_null(False))
    if policy == "bands":  # ordered by id: the first of what this pool holds stays
        return documents.unique("bands_cluster", keep="first", maintain_order=True)
    firsts = documents.filter("is_first")
    if policy == "semantic":
        return firsts.filter(pl.col("semantic_of").is_null())
    if policy == "lines":
        firsts = firsts.filter(pl.col("line_row").fill_null(0) >= 0)
        shorter = pl.col("id")
        if firsts.schema["id"] == pl.String:  # a number stands for either text
            shorter = (
                pl.when(pl.col("line_row").is_not_null())
                .then(shorter + SHORTENED)
                .otherwise(shorter)
            )
        return firsts.with_columns(
            id=shorter,
            row=pl.coalesce("line_row", "row").cast(pl.UInt32),
            n_tokens=pl.coalesce("line_tokens", "n_tokens"),
        )
    return firsts


def licensed(documents: pl.DataFrame, licences: Sequence[str] | None) -> pl.DataFrame:
    """The documents of some licences; of a cluster of copies the smallest id among them is the first."""
    if licences is None:
        return documents
    return with_firsts(documents.filter(pl.col("licence").is_in(list(licences))))


def with_firsts(documents: pl.DataFrame) -> pl.DataFrame:
    """The documents with `is_first` anew: of each cluster of copies the smallest id that is there."""
    first = pl.col("id") == pl.col("id").min().over("cluster")
    return documents.with_columns(is_first=first)


def tier_labels(resample: pl.DataFrame, edges: list[float]) -> pl.DataFrame:
    """Adds `tier` (0 best): the band of quality, in fractions of the draw's tokens; a copy has that of its cluster."""
    ranked = tiers(resample.filter("is_first"), [*edges, 1.0], score="quality")
    return resample.join(
        ranked.select("cluster", "tier"),
        on="cluster",
        how="left",
        maintain_order="left",
    )


def arm_view(
    resample: pl.DataFrame, arm: ArmLike, *, seed: int, control: str | None = None
) -> pl.DataFrame:
    """The documents of an arm in one draw with `weight`, the mean number of uses a pass; ordered by row. With a
    curriculum also `stage`, the part of a run in which each is read, 0 first.

    control: same and lr (nothing changes), drop_half (a random half of the tokens goes), duplicate_half (a random
    half of the tokens is used twice a pass).
    """
    pool = deduplicated(licensed(resample, arm.licence), arm.dedup)
    if arm.rules is not False:
        pool = pool.filter(
            "rules_pass"
            if arm.rules is True
            else pl.all_horizontal(f"pass_{name}" for name in named_rules(arm.rules))
        )
    pool = pool if arm.mixture is None else named_pools(pool, list(arm.mixture))
    # an extra score may have none for a document too short for one
    missing = "refuse" if arm.by in OWN_SCORES else "last"
    kept = keep_fraction(
        pool, arm.keep, score=arm.by, take=arm.take, seed=seed, missing=missing
    )
    view = kept.with_columns(weight=pl.lit(1.0))
    if arm.upweight is not None:
        view = _upweighted(pool, kept, arm.upweight)
    if arm.mixture is not None:
        view = mixed(kept, arm.mixture)
    if arm.uses is not None:
        view = _used(kept, arm.uses)
    if control in ("drop_half", "duplicate_half"):
        half = keep_fraction(view, 0.5, score=None, take="random", seed=seed + 1)[
            "id"
        ].implode()
        inside = pl.col("id").is_in(half)
        view = (
            view.filter(inside)
            if control == "drop_half"
            else view.with_columns(
                weight=pl.when(inside).then(2.0).otherwise(1.0) * pl.col("weight")
            )
        )
    if arm.replay is not None:
        view = _replayed(view, arm_view(resample, arm.replay.of, seed=seed), arm.replay)
    if arm.curriculum is not None:
        view = staged(view, arm.curriculum)
    return view.sort("row")


def staged(view: pl.DataFrame, curriculum: CurriculumLike) -> pl.DataFrame:
    """The documents with `stage`, from 0: parts of as many tokens of a pass, in the order of a score.

    Equal scores go by id; documents without a score come last.
    """
    ranked = view.sort(
        [curriculum.by, "id"],
        descending=[curriculum.first == "high", False],
        nulls_last=True,
    )
    used = pl.col("weight") * pl.col("n_tokens")
    middle = (used.cum_sum() - used / 2) / used.sum()
    stage = (middle * curriculum.stages).floor().clip(0, curriculum.stages - 1)
    return ranked.with_columns(stage=stage.cast(pl.Int64))


def _upweighted(pool: pl.DataFrame, kept: pl.DataFrame, share: float) -> pl.DataFrame:
    """All of the pool; weights such that the kept part makes up `share` of the training tokens.

    The larger of the two weights is 1 or more, the other 1: a pass holds every document at least once on average.
    """
    inside = pl.col("id").is_in(kept["id"].implode())
    n_kept, n_all = int(kept["n_tokens"].sum()), int(pool["n_tokens"].sum())
    if n_kept == n_all:
        raise ParamsError(
            "arms: an arm with `upweight` keeps the whole draw, so nothing is"
            " left to weigh against; lower its keep"
        )
    ratio = (share / n_kept) / ((1 - share) / (n_all - n_kept))
    high, low = max(ratio, 1.0), max(1 / ratio, 1.0)
    return pool.with_columns(weight=pl.when(inside).then(high).otherwise(low))


def _replayed(
    own: pl.DataFrame, other: pl.DataFrame, replay: ReplayLike
) -> pl.DataFrame:
    """Both views in one; weights such that the other makes up its share of the training tokens, and the own stay.

    A document of both is used as often as by both together.
    """
    n_own, n_other = (
        float((view["weight"] * view["n_tokens"]).sum()) for view in (own, other)
    )
    times = replay.share / (1 - replay.share) * n_own / n_other
    other = other.select(own.columns).with_columns(weight=pl.col("weight") * times)
    both = pl.concat([own, other])
    uses = both.group_by("row").agg(pl.col("weight").sum())
    return (
        both.drop("weight")
        .unique("row", keep="first", maintain_order=True)
        .join(uses, on="row", maintain_order="left")
    )


def named_pools(pool: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """The documents of the pools that a mixture names; each must have some."""
    there = pool["pool"].unique().to_list()
    if missing := [name for name in names if name not in there]:
        raise ParamsError(
            f"arms: an arm's mixture names the pool {missing[0]!r}, the draw has"
            f" documents of {', '.join(sorted(there))}; name one of these"
        )
    return pool.filter(pl.col("pool").is_in(names))


def mixed(kept: pl.DataFrame, shares: dict[str, float]) -> pl.DataFrame:
    """Weights such that each pool makes up its share of the training tokens; the pool that is used
    least has weight 1.
    """
    n_tokens = dict(kept.group_by("pool").agg(pl.col("n_tokens").sum()).iter_rows())
    if empty := [name for name in shares if not n_tokens.get(name)]:
        raise ParamsError(
            f"arms: an arm's mixture asks for {shares[empty[0]]:g} of the pool"
            f" {empty[0]!r}, of which its filter keeps nothing; raise its keep"
        )
    uses = {name: share / n_tokens[name] for name, share in shares.items()}
    least = min(uses.values())
    return kept.with_columns(
        weight=pl.col("pool").replace_strict(
            {name: use / least for name, use in uses.items()}, return_dtype=pl.Float64
        )
    )


def _used(kept: pl.DataFrame, uses: dict[float, float]) -> pl.DataFrame:
    """Weights by the tier of quality that a document lies in; tiers that are used no time go.

    uses: where a tier ends, in fractions of the tokens -> its weight.
    """
    labelled = tiers(kept.drop("tier", strict=False), list(uses), score="quality")
    weight = pl.col("tier").replace_strict(
        range(len(uses)), list(uses.values()), return_dtype=pl.Float64
    )
    found = kept.join(
        labelled.select("id", _weight=weight), on="id", maintain_order="left"
    )
    used = found.filter(pl.col("_weight") > 0)
    return used.with_columns(weight=pl.col("_weight")).drop("_weight")


def view_hash(view: pl.DataFrame) -> str:
    """16 hex characters over the ids and weights of a view, and its stages if it has some, whatever the order."""
    digest = hashlib.blake2b(digest_size=8)
    for id_, weight in view.select("id", "weight").sort("id").iter_rows():
        digest.update(f"{id_}{weight!r}".encode())
    if "stage" in view.columns and view["stage"].null_count() < view.height:
        for stage in view.sort("id")["stage"]:
            digest.update(f"|{stage}".encode())
    return digest.hexdigest()
