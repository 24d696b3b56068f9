"""Question: what loss does every arm reach, at every size, budget and resample?
Input: views, packed tokens, held-out domains. Output: one JSON file a finished trunk (kept over reruns),
the runs table, and losses by held-out document. Resumable: a trunk is named by the hash of its spec, its
data and the trainer, so a killed sweep goes on and a changed arm retrains itself alone.
Cost: nearly all of the pipeline; a progress bar says how much is left.
"""

import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from stages.errors import ParamsError
from stages.files import content_hash, read_json, whole_file, write_json
from stages.hyperparameters import Tuning, hyperparameters, whole_budgets
from stages.images import are_pooled
from stages.images import sweep as image_sweep
from stages.model_forms import Experts, Growth, fault_in_time, fault_of, formed, grown
from stages.proxy.packed import Packed
from stages.proxy.shape import LADDER, Shape
from stages.proxy.spec import RunSpec
from stages.proxy.view import View
from stages.run_files import (
    code_hash,
    curves,
    document_losses,
    finished,
    is_finished,
    runs_table,
)
from stages.simulate import pool_share
from stages.stage import Section, Stage
from stages.trials import best_lr, critical_batch, largest_view

log = logging.getLogger("assay")
TOKENIZER = "data/pack/tokenizer.json"
CONTROL_SEED = 1_000  # a control starts from other weights and meets its documents in another order


class Regularisation(Section):
    """One setting that every arm is tried at; an arm is judged at its best."""

    weight_decay: float = Field(0.1, ge=0, le=100)
    dropout: float = Field(0.0, ge=0, lt=1)
    min_epochs: float = Field(
        0.0,
        ge=0,
        description="tried only on arms whose largest budget passes this many epochs",
    )


class SweepParams(Section):
    sizes: list[str] = Field(
        min_length=1,
        description="proxies by non-embedding parameters: " + ", ".join(LADDER),
    )
    budgets_tokens: list[int] = Field(
        min_length=1, description="token budgets that branch off each trunk, rising"
    )
    regularisations: list[Regularisation] = Field(min_length=1)
    control_sizes: list[str] = Field(
        min_length=1,
        description=(
            "sizes at which drop_half and duplicate_half are trained; `same` is trained"
            " as its arm is"
        ),
    )
    context: int = Field(128, ge=8, le=65_536, description="tokens of context")
    batch_tokens: int = Field(512, ge=8, description="tokens a step")
    lr: float = Field(0.012, gt=0, le=10, description="peak learning rate")
    warmup_steps: int = Field(30, ge=0)
    decay_fraction: float = Field(
        0.2,
        gt=0,
        le=1,
        description="part of each budget over which the learning rate falls to zero",
    )
    schedule: Literal["wsd", "wsd_s", "cosine", "constant"] = Field(
        "wsd", description="see stages/proxy/schedule.py"
    )
    decay_shape: Literal["linear", "sqrt"] = "linear"
    qk_norm: bool = Field(True, description="queries and keys to unit mean square")
    z_loss: float = Field(
        0.0,
        ge=0,
        le=1,
        description="weight of the squared log of the softmax's sum; 1e-4 is usual",
    )
    tuning: Tuning = Field(
        Tuning(), description="how sizes come to their learning rate and batch"
    )
    decay_mix: dict[str, str] = Field(
        {}, description="curriculum: arm -> the arm whose documents its decays read"
    )
    pool_passes: float | None = Field(
        None,
        gt=0,
        description=(
            "simulated epoching: how often the target run passes over its whole pool;"
            " every budget is then a run of its own on as small a part of each arm as"
            " repeats it so often"
        ),
    )
    device: str = Field("auto", pattern="^(auto|cpu|cuda)$")
    documents_apart: bool = Field(
        False, description="attention stops at document boundaries"
    )
    experts: Experts | None = Field(None, description="null: dense proxies")
    growth: Growth | None = Field(
        None, description="null: every layer is there from the start"
    )
    items: str | None = Field(
        None,
        description=(
            "jsonl of items scored at every budget: {question, choices, answer: index}"
            " or {question, answer: text}"
        ),
    )

    @model_validator(mode="after")
    def _known_sizes(self) -> "SweepParams":
        for name in (*self.sizes, *self.control_sizes):
            if name not in LADDER and not image_sweep.SIZE.fullmatch(name):
                raise ValueError(
                    f"no proxy size {name!r}; choose among {', '.join(LADDER)}; of"
                    " images mlp-32, residual-8 and so on"
                )
        if self.budgets_tokens != sorted(set(self.budgets_tokens)):
            raise ValueError(f"budgets_tokens {self.budgets_tokens} must rise")
        if fault := fault_of(
            [*self.sizes, *self.control_sizes], self.experts, self.growth
        ):
            raise ValueError(fault)
        if (
            self.growth
            and not self.tuning.sets_batch
            and (
                fault := fault_in_time(
                    self.growth,
                    self.budgets_tokens[0],
                    self.batch_tokens,
                    self.decay_fraction,
                    self.schedule,
                )
            )
        ):
            raise ValueError(fault)
        if self.tuning.rule == "power" and self.schedule != "wsd":
            raise ValueError(
                "tuning.rule power is a schedule of its own (value schedule:"
                f" {self.schedule}); leave schedule at wsd"
            )
        return self


def run(params: SweepParams) -> None:
    """Train what is missing, then write the tables of what was asked for."""
    if are_pooled():
        return image_sweep.run(params)
    data, trunks = planned(params)
    missing = [trunk for trunk in trunks if not is_finished(trunk)]
    log.info("sweep: %d of %d trunks done", len(trunks) - len(missing), len(trunks))
    if missing:
        from stages.train_trunks import train  # loads torch

        train(trunks, proxy_data(data), params.device)
    runs = finished([trunk["trunk_id"] for trunk in trunks])
    table = runs_table(runs)
    with whole_file("data/sweep/runs.parquet") as temporary:
        table.write_parquet(temporary)
    with whole_file("data/sweep/heldout_losses.parquet") as temporary:
        document_losses(runs).write_parquet(temporary)
    with whole_file("data/sweep/curves.parquet") as temporary:
        curves(runs).write_parquet(temporary)
    write_json("data/metrics/sweep.json", metrics(table))


def planned(params: SweepParams) -> tuple["Views", list[dict[str, Any]]]:
    """The data and every trunk that these parameters ask for."""
    data = load_views(params.items)
    for view in data.views.values():
        view.require(params.batch_tokens)
    return data, plan(tried(params, data), data)


def tried(params: SweepParams, data: "Views") -> SweepParams:
    """The parameters with what short trials say about learning rate and batch, where they are asked for."""
    tuning, view = params.tuning, largest_view(data)

    def specs(size: str, **changes: float) -> RunSpec:
        return _specs(
            params.model_copy(update=changes),
            view,
            size,
            params.regularisations[0],
            0,
            None,
            data,
        )[-1]

    if tuning.critical_batch:
        params = params.model_copy(
            update={
                "batch_tokens": critical_batch(
                    specs(params.sizes[0]), data, params.device
                )
            }
        )
    if tuning.lrs:
        params = params.model_copy(
            update={
                "lr": best_lr(
                    [specs(str(tuning.base_size), lr=lr) for lr in tuning.lrs],
                    data,
                    params.device,
                )
            }
        )
    return params


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
    packed = Packed.open("data/pack/pools")
    held_out = {
        path.name: Packed.open(path)
        for path in sorted(Path("data/pack/heldout").iterdir())
        if path.is_dir()
    }
    arms = read_json("data/arms/arms.json")
    table = pl.read_parquet("data/arms/views.parquet")
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
        from stages.item_file import read_items  # loads torch
    return Views(
        packed,
        views,
        held_out,
        arms,
        read_items(items, TOKENIZER, packed.eos_id) if items else None,
    )


def proxy_data(data: Views) -> "ProxyData":  # noqa: F821
    """What the trainer reads."""
    from stages.proxy.data import ProxyData
    from stages.proxy.evaluate import HeldOut

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


stage = Stage(
    run=run,
    params=SweepParams,
    agrees=image_sweep.sizes_are_of_the_modality,
    question="What loss does every arm reach, at every size, budget and resample?",
    deps=(
        "data/arms/views.parquet",
        "data/arms/arms.json",
        "data/pack/pools",
        "data/pack/heldout",
    ),
    inputs=lambda params: (params.items, TOKENIZER) if params and params.items else (),
    outs=(
        "data/sweep/runs.parquet",
        "data/sweep/heldout_losses.parquet",
        "data/sweep/curves.parquet",
    ),
    resumable=("data/sweep/runs",),
    metrics=("data/metrics/sweep.json",),
)
