"""Question: which documents does each arm train on, in each resample of the pool?
Input: duplicate clusters, scores and the packed index. Output: the views (arm, draw, row, weight,
tier), the arms' sizes and data hashes, the questions, and the retention ledger in tokens.
Cost: seconds; no text is copied.
"""

import logging
from pathlib import Path

import polars as pl

from stages.curation.duplicates.clusters import SHORTENED
from stages.curation.names import OWN_SCORES
from stages.curation.rules.rule_list import named_rules
from stages.curation.selecting.arm_views import (
    arm_view,
    counted_policy,
    deduplicated,
    resamples,
    tier_labels,
    view_hash,
)
from stages.curation.selecting.groups import with_groups
from stages.curation.selecting.ledger import Ledger
from stages.foundation import artefacts
from stages.foundation.errors import InputError, ParamsError
from stages.foundation.files import whole_file, write_json
from stages.foundation.sealed import write_sealed
from stages.searched.asked import Asked, asked
from stages.settings.arms import Arm, ArmsParams, tier_names

log = logging.getLogger("assay")
VERIFIED = (
    8  # verify.times: as many times the largest budget are trained after the decision
)
SPARE = 1.1  # ours: an arm that shall not repeat has a tenth more than it reads


def run(params: ArmsParams) -> None:
    """Resample the pool, build every arm and control in every resample, write views and sizes."""
    documents = joined_documents(params)
    require_licences(params, documents)
    ingested = tokens_by_pool(documents)
    topics = topics_of(params)
    with whole_file(artefacts.TOPICS) as temporary:
        topics.write_parquet(temporary)
    made = asked(params, ingested, parts_of(documents, topics))
    params = made.params
    draw_tokens = resample_tokens(params, ingested)
    pools, disjoint = resamples(
        documents, draw_tokens, draws=params.draws, seed=params.seed
    )
    if not disjoint:
        log.info(
            "arms: %d draws of %d tokens overlap: the pool is too small for disjoint"
            " ones",
            params.draws,
            draw_tokens,
        )
    views = []
    for draw, pool in enumerate(pools):
        pool = tier_labels(pool, params.tier_edges)
        for name, arm, control in arms_and_controls(params):
            if draw not in made.draws.get(name, [draw]):
                continue
            own = by_cluster(pool, topics, arm.clusters_of)
            require_documents(arm, own, topics)
            view = arm_view(own, arm, seed=params.seed, control=control)
            views.append(view.with_columns(arm=pl.lit(name), draw=pl.lit(draw)))
    # stages where an arm has some, null of all others
    every = pl.concat(views, how="diagonal")
    staged = ["stage"] if "stage" in every.columns else []
    table = every.select(
        "arm", "draw", "id", "row", "weight", "tier", "pool", "n_tokens", *staged
    )
    with whole_file(artefacts.VIEWS) as temporary:
        table.write_parquet(temporary)
    drawn = [tokens_by_pool(pool) for pool in pools]
    sizes = {
        "pool_tokens": ingested,
        "draw_tokens": {
            name: sum(each.get(name, 0) for each in drawn) / len(drawn)
            for name in ingested
        },
    }
    counts = summary(made, table, disjoint) | sizes | {"licences": licences(every)}
    if made.decays:
        counts["decays"] = made.decays
    write_sealed(artefacts.ARMS, counts)
    with whole_file(artefacts.LEDGER) as temporary:
        retention_ledger(documents).frame().write_csv(temporary)
    write_json(artefacts.ARMS_METRICS, metrics(table))


def topics_of(params: ArmsParams) -> pl.DataFrame:
    """Columns question, id and cluster: of each question over clusters every document of its pools."""
    found = [
        pl.DataFrame(schema=dict.fromkeys(("question", "id", "cluster"), pl.String))
    ]
    for name, question in params.clustered.items():
        # embeddings, which a project without such a question does not depend on
        from stages.pools.topic_clusters import topic_clusters

        folders = sorted(entry.name for entry in Path(artefacts.POOLS).iterdir())
        shards = [
            shard
            for pool in question.pools or folders
            for shard in sorted((Path(artefacts.POOLS) / pool).glob("*.parquet"))
        ]
        table = topic_clusters(
            shards,
            question.clusters,
            seed=params.seed,
            model=question.model,
            taken=folders,
            device=question.device or "auto",
        )
        found.append(table.select(pl.lit(name).alias("question"), "id", "cluster"))
    return pl.concat(found)


def parts_of(
    documents: pl.DataFrame, topics: pl.DataFrame
) -> dict[str, dict[str, dict[str, int]]]:
    """Question -> cluster -> pool -> tokens, copies removed."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    if topics.is_empty():
        return found
    kept = deduplicated(documents, "near").select("id", "pool", "n_tokens")
    sums = (
        topics.join(kept, on="id", how="inner")
        .group_by("question", "cluster", "pool")
        .agg(pl.col("n_tokens").sum())
        .sort("question", "cluster", "pool")
    )
    for question, cluster, pool, n_tokens in sums.iter_rows():
        found.setdefault(question, {}).setdefault(cluster, {})[pool] = n_tokens
    return found


def by_cluster(
    documents: pl.DataFrame, topics: pl.DataFrame, question: str | None
) -> pl.DataFrame:
    """The documents with the cluster that they have in a question as `pool`; as they are without one."""
    if question is None:
        return documents
    own = topics.filter(question=question).select("id", _cluster="cluster")
    return (
        documents.join(own, on="id", how="inner", maintain_order="left")
        .with_columns(pool="_cluster")
        .drop("_cluster")
    )


def require_documents(arm: Arm, own: pl.DataFrame, topics: pl.DataFrame) -> None:
    """Raises ParamsError where a resample has no document of a cluster that there is and that the arm mixes. own: the
    resample by cluster.
    """
    if arm.clusters_of is None:
        return
    found = topics.filter(question=arm.clusters_of)["cluster"].unique()
    lacking = {*(arm.mixture or {})} & {*found} - {*own["pool"]}
    if lacking:
        raise ParamsError(
            f"arms.questions.{arm.clusters_of}.clusters: a resample has no document of"
            f" the cluster {min(lacking)!r}; ask for fewer clusters, or raise"
            " arms.draw_tokens"
        )


def tokens_by_pool(documents: pl.DataFrame) -> dict[str, int]:
    """pool -> tokens, copies removed as a resample counts them."""
    sums = (
        deduplicated(documents, counted_policy(documents))
        .group_by("pool")
        .agg(pl.col("n_tokens").sum())
        .sort("pool")
    )
    return dict(sums.iter_rows())


def resample_tokens(params: ArmsParams, ingested: dict[str, int]) -> int:
    """draw_tokens, or as many as give the proxies the target's repetition, at most the whole pool.

    Of a target that repeats an arm: what the largest budget passes over as often as the target over its pools; else
    what leaves the strictest arm unrepeated. Up to eight times as much, for the runs after the decision, where
    resamples stay disjoint. ingested: pool -> tokens without copies.
    """
    if params.draw_tokens is not None:
        return params.draw_tokens
    assert params.target is not None and params.largest_budget is not None
    keep = min(arm.keep for arm in params.arms.values())
    passes = max(params.target.passes(ingested), keep / SPARE)
    needed, whole = round(params.largest_budget / passes), sum(ingested.values())
    disjoint = min(VERIFIED * needed, whole // params.draws)
    return min(max(needed, disjoint), whole)


def require_licences(params: ArmsParams, documents: pl.DataFrame) -> None:
    """Raises ParamsError where an arm asks for a licence that no document of the pools has."""
    asked = [
        (name, licence)
        for name, arm in params.arms.items()
        for licence in arm.licence or []
    ]
    if not asked:
        return
    if "licence" not in documents.columns:
        raise InputError(
            f"{artefacts.SCORES} has no licences; run the ingest and score stages again"
        )
    known = documents["licence"].unique().drop_nulls().sort().to_list()
    for name, licence in asked:
        if licence not in known:
            raise ParamsError(
                f"arms.arms.{name}.licence: no document has the licence {licence!r};"
                f" licences are {', '.join(known)}"
            )


def licences(views: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Arm -> licence -> different documents used, over all resamples; nothing where licences are not known."""
    if "licence" not in views.columns:
        return {}
    counts = (
        views.group_by("arm", "licence")
        .agg(pl.col("id").n_unique())
        .sort("arm", "licence")
    )
    found: dict[str, dict[str, int]] = {}
    for arm, licence, documents in counts.iter_rows():
        found.setdefault(arm, {})[licence] = documents
    return found


def arms_and_controls(params: ArmsParams) -> list[tuple[str, Arm, str | None]]:
    """(name, arm, kind of control or None) of everything that is trained."""
    arms = [(name, arm, None) for name, arm in params.arms.items()]
    return arms + [
        (name, params.arms[str(control.like)], control.kind)
        for name, control in params.every_control.items()
    ]


def joined_documents(params: ArmsParams) -> pl.DataFrame:
    """Every packed document with its cluster, pool, size and the scores and verdicts that arms name; ordered by id."""
    index = pl.read_parquet(
        artefacts.PACKED_POOLS_INDEX, columns=["id", "n_tokens"]
    ).with_row_index("row")
    clusters = with_groups(pl.read_parquet(artefacts.CLUSTERS))
    documents = (
        index.join(clusters, on="id", validate="1:1")
        .join(_scores(params), on="id", validate="1:1")
        .sort("id")
    )
    shortened = pl.read_parquet(artefacts.LINE_COPIES, columns=["id"])
    if shortened.is_empty():
        return documents
    packed = index.select(
        _id=pl.col("id").str.strip_suffix(SHORTENED),
        line_row=pl.col("row").cast(pl.Int64),
        line_tokens="n_tokens",
        _own="id",
    ).filter(pl.col("_id") != pl.col("_own"))
    rows = shortened.join(
        packed.drop("_own"), left_on="id", right_on="_id", how="left"
    ).with_columns(pl.col("line_row").fill_null(-1))
    return documents.join(
        rows, on="id", how="left", maintain_order="left", validate="1:1"
    )


def _scores(params: ArmsParams) -> pl.DataFrame:
    """The columns of data/score that arms use."""
    there = pl.read_parquet_schema(artefacts.SCORES)
    named = [
        name
        for arm in params.arms.values()
        if not isinstance(arm.rules, bool)
        for name in named_rules(arm.rules)
    ]
    licence = [name for name in ("licence",) if name in there]
    wanted = dict.fromkeys(
        [
            "id",
            "pool",
            "n_chars",
            *licence,
            *OWN_SCORES,
            "rules_pass",
            *(arm.by for arm in params.arms.values()),
            *(arm.curriculum.by for arm in params.arms.values() if arm.curriculum),
            *(f"pass_{name}" for name in named),
        ]
    )
    if lacking := [name for name in wanted if name not in there]:
        raise InputError(
            f"{artefacts.SCORES} has no score {lacking[0]!r}; run the score stage again"
        )
    return pl.read_parquet(artefacts.SCORES, columns=list(wanted))


def retention_ledger(documents: pl.DataFrame) -> Ledger:
    """Every document read, step by step, to the pool without copies; what arms keep of it is in arms.json."""
    read = pl.concat(
        [
            documents.select(
                "id",
                "pool",
                "n_chars",
                "n_tokens",
                reason=pl.lit(None, dtype=pl.String),
            ),
            pl.read_parquet(artefacts.SET_ASIDE).select(
                "id", "pool", "n_chars", "n_tokens", "reason"
            ),
        ]
    ).sort("id")
    ledger = Ledger()
    kept = ledger.add_frames(
        "set aside",
        read.drop("reason"),
        read.filter(pl.col("reason").is_in(["held out", "reference"])),
    )
    kept = ledger.add_frames("decontaminate", kept, read)
    ledger.add_frames("deduplicate", kept, documents.select("id", reason="duplicate"))
    return ledger


def summary(asked: Asked, views: pl.DataFrame, disjoint: bool) -> dict:
    """What the sweep and the decision need: questions, arms, and per view its size and hash."""
    params = asked.params
    controls = {
        name: control.model_dump(
            include={"kind", "like"} | ({"times"} if control.kind == "lr" else set())
        )
        for name, control in params.every_control.items()
    }
    sizes = {
        f"{arm}/{draw}": {
            "documents": len(view),
            "tokens": int(view["n_tokens"].sum()),
            "data_hash": view_hash(view),
        }
        for (arm, draw), view in views.group_by("arm", "draw", maintain_order=True)
    }
    return {
        "questions": asked.questions,
        "arms": {name: arm.model_dump() for name, arm in params.arms.items()},
        "controls": controls,
        "tiers": tier_names(params.tier_edges),
        "draws": params.draws,
        "draws_are_disjoint": disjoint,
        "views": sizes,
    }


def metrics(views: pl.DataFrame) -> dict:
    tokens = views.group_by("arm", "draw", maintain_order=True).agg(
        pl.col("n_tokens").sum()
    )
    mean = tokens.group_by("arm", maintain_order=True).agg(pl.col("n_tokens").mean())
    return {"unique_tokens": {arm: round(value) for arm, value in mean.iter_rows()}}
