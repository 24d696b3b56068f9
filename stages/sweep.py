"""Question: what loss does every arm reach, at every size, budget and resample?
Input: views, packed tokens, held-out domains. Output: one JSON file a finished trunk (kept over reruns),
the runs table, and losses by held-out document. Resumable: a trunk is named by the hash of its spec, its
data and the trainer, so a killed sweep goes on and a changed arm retrains itself alone.
Cost: nearly all of the pipeline; a progress bar says how much is left.
"""

import logging
from typing import Any

import numpy as np
import polars as pl

from stages.foundation import artefacts
<<<<<<< 9cb2e4ccf3cc97ef8dda912f899aedd8b33551a6
from stages.foundation.files import whole_file, write_json
from stages.foundation.stage import Stage
=======
from stages.foundation.errors import ParamsError
from stages.foundation.files import content_hash, read_json, whole_file, write_json
from stages.foundation.stage import Section, Stage
>>>>>>> d65c831eff3125df31384bd2b149bdce9bdaa3ed
from stages.images import are_pooled
from stages.images import sweep as image_sweep
from stages.runs.run_files import (
    curves,
    document_losses,
    finished,
    is_finished,
    runs_table,
)
from stages.settings.sweep import SweepParams
from stages.sweeping.trunks import planned
from stages.sweeping.views import TOKENIZER, proxy_data

log = logging.getLogger("assay")


def run(params: SweepParams) -> None:
    """Train what is missing, then write the tables of what was asked for."""
    if are_pooled():
        return image_sweep.run(params)
    data, trunks = planned(params)
    missing = [trunk for trunk in trunks if not is_finished(trunk)]
    log.info("sweep: %d of %d trunks done", len(trunks) - len(missing), len(trunks))
    if missing:
        from stages.sweeping.train_trunks import train  # loads torch

        train(trunks, proxy_data(data), params.device)
    runs = finished([trunk["trunk_id"] for trunk in trunks])
    table = runs_table(runs)
    with whole_file(artefacts.RUNS) as temporary:
        table.write_parquet(temporary)
    with whole_file(artefacts.HELD_OUT_LOSSES) as temporary:
        document_losses(runs).write_parquet(temporary)
    with whole_file(artefacts.TRAINING_CURVES) as temporary:
        curves(runs).write_parquet(temporary)
    write_json(artefacts.SWEEP_METRICS, metrics(table))


def metrics(table: pl.DataFrame) -> dict[str, Any]:
    """Flat counts and the best loss on each domain; nothing that differs between two equal sweeps."""
    best = (
        table.filter(pl.col("metric").str.starts_with("loss_") & ~pl.col("diverged"))
        .group_by("metric", maintain_order=True)
        .agg(pl.col("value").min())
    )
    return {
        "trunks": table["trunk_id"].n_unique(),
        "diverged": (
            table.filter("diverged")["trunk_id"].n_unique()
        ),  # marked in the runs table; no law or table of bests reads them
        "log10_max_flops": round(float(np.log10(table["flops"].max())), 3),
        **{
            f"best_{metric}_nats": round(value, 4) for metric, value in best.iter_rows()
        },
    }


<<<<<<< 9cb2e4ccf3cc97ef8dda912f899aedd8b33551a6
=======
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

    def data_hash(self, name: str, decay: str | None = None) -> str:
        """Of the tokens that a view trains on, those of its decay if they are others, and those and
        the items it is judged on.
        """
        trained = [self.views[each].fingerprint for each in (name, decay) if each]
        judged = [self.items.fingerprint] if self.items else []
        return content_hash(
            [
                *trained,
                {key: pack.tokens_sha256 for key, pack in self.held_out.items()},
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
    arms = read_json(artefacts.ARMS)
    table = pl.read_parquet(artefacts.VIEWS)
    pools = sorted(table["pool"].unique())
    names = [f"{pool}|{tier}" for pool in pools for tier in arms["tiers"]]
    label = pl.col("pool").replace_strict(
        pools, range(len(pools)), return_dtype=pl.Int64
    ) * len(arms["tiers"]) + pl.col("tier")
    views = {}
    for (arm, draw), part in table.with_columns(label=label).group_by(
        "arm", "draw", maintain_order=True
    ):
        groups = np.zeros(packed.n_documents, np.int64)
        groups[part["row"].to_numpy()] = part["label"].to_numpy()
        name = f"{arm}/{draw}"
        views[name] = View(
            packed,
            part["row"].to_numpy(),
            part["weight"].to_numpy(),
            arm=name,
            groups=groups,
            group_names=names,
        )
    if items:
        from stages.sweeping.item_file import read_items  # loads torch
    return Views(
        packed,
        views,
        held_out,
        arms,
        read_items(items, TOKENIZER, packed.eos_id) if items else None,
    )


def proxy_data(data: Views) -> "ProxyData":  # noqa: F821
    """What the trainer reads."""
    from stages.proxy.heldout.evaluate import HeldOut
    from stages.proxy.training.data import ProxyData

    return ProxyData(
        data.views,
        {name: HeldOut(pack) for name, pack in data.held_out.items()},
        data.items,
    )


def plan(params: SweepParams, data: Views) -> list[dict[str, Any]]:
    """Every trunk: its header and spec. Largest first, so that the last to finish is a small one."""
    code = code_hash()
    trunks = []
    for name in data.views:
        arm, draw = name.rsplit("/", 1)
        control = data.arms["controls"].get(arm)
        epochs = params.budgets_tokens[-1] / data.views[name].n_tokens
        settings = [
            setting
            for setting in params.regularisations
            if epochs >= setting.min_epochs
        ]
        if not settings:
            raise ParamsError(
                f"sweep.regularisations: no setting is left for {name},"
                f" which sees {epochs:.1f} epochs; lower a min_epochs"
            )
        # an arm's twin is trained, tuned and fitted as the arm is
        full = not control or control["kind"] == "same"
        for size in params.sizes if full else params.control_sizes:
            for regularisation in settings if full else settings[:1]:
                for spec in _specs(
                    params, name, size, regularisation, int(draw), control, data
                ):
                    data_hash = data.data_hash(name, spec.decay_arm)
                    header = {
                        "arm": arm,
                        "control": control["kind"] if control else "",
                        "data_hash": data_hash,
                        "code_hash": code,
                    }
                    trunk_id = content_hash(
                        [spec.to_dict() | {"arm": arm}, header["data_hash"], code]
                    )
                    trunks.append({"trunk_id": trunk_id, **header, "spec": spec})
    if not trunks:
        raise ParamsError("sweep plans no run; name arms, sizes and budgets")
    return sorted(
        trunks,
        key=lambda trunk: (
            -trunk["spec"].shape.n_params,
            trunk["arm"],
            trunk["spec"].pool_draw,
        ),
    )


def _specs(
    params: SweepParams,
    view: str,
    size: str,
    regularisation: Regularisation,
    draw: int,
    control: Any,
    data: Views,
) -> list[RunSpec]:
    """The trunk of one cell of the sweep; with simulated epoching one a budget, since each has its
    own part of the arm.
    """
    seed = draw + (CONTROL_SEED if control else 0)
    shape = formed(
        Shape.named(
            size,
            context=params.context,
            vocab_size=data.packed.vocab_size,
            qk_norm=params.qk_norm,
        ),
        params.experts,
    )
    rule, _ = hyperparameters(
        params.tuning,
        shape=shape,
        largest_tokens=params.budgets_tokens[-1],
        lr=params.lr,
        batch_tokens=params.batch_tokens,
    )
    budgets = (
        whole_budgets(params.budgets_tokens, rule["batch_tokens"])
        if params.tuning.sets_batch
        else tuple(params.budgets_tokens)
    )
    decay = params.decay_mix.get(view.rsplit("/", 1)[0])
    if decay and f"{decay}/{draw}" not in data.views:
        raise ParamsError(
            f"sweep.decay_mix names the arm {decay!r}, which arms.arms"
            " lacks; name one of its arms"
        )
    shared = {
        "arm": view,
        "shape": shape,
        "weight_decay": regularisation.weight_decay,
        "dropout": regularisation.dropout,
        "warmup_steps": params.warmup_steps,
        "decay_fraction": params.decay_fraction,
        "schedule": params.schedule,
        "decay_shape": params.decay_shape,
        "z_loss": params.z_loss,
        "documents_apart": params.documents_apart,
        "seed": seed,
        "data_seed": seed,
        "pool_draw": draw,
        "decay_arm": f"{decay}/{draw}" if decay else None,
        **grown(params.growth, rule["batch_tokens"]),
        **rule,
    }
    if params.pool_passes is None:
        return [RunSpec(budgets_tokens=budgets, **shared)]
    parts = [
        pool_share(data.views, draw, budget, params.pool_passes) for budget in budgets
    ]
    unique = [round(part * data.views[view].n_tokens) for part in parts]
    return [
        RunSpec(budgets_tokens=(budget,), unique_tokens=tokens, **shared)
        for budget, tokens in zip(budgets, unique, strict=True)
    ]


>>>>>>> d65c831eff3125df31384bd2b149bdce9bdaa3ed
stage = Stage(
    run=run,
    params=SweepParams,
    agrees=image_sweep.sizes_are_of_the_modality,
    question="What loss does every arm reach, at every size, budget and resample?",
    deps=(
        artefacts.VIEWS,
        artefacts.ARMS,
        artefacts.PACKED_POOLS,
        artefacts.PACKED_HELD_OUT,
    ),
    inputs=lambda params: (params.items, TOKENIZER) if params and params.items else (),
    outs=(
        artefacts.RUNS,
        artefacts.HELD_OUT_LOSSES,
        artefacts.TRAINING_CURVES,
    ),
    resumable=(artefacts.RUN_FILES,),
    metrics=(artefacts.SWEEP_METRICS,),
)
