"""Which trunks the sweep's parameters ask for."""

from typing import Any

from stages.foundation.errors import ParamsError
from stages.foundation.files import content_hash
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec
from stages.runs.trainer_version import code_hash
from stages.settings.hyperparameters import hyperparameters, whole_budgets
from stages.settings.model_forms import formed, grown
from stages.settings.sweep import Regularisation, SweepParams
from stages.sweeping.simulate import pool_share
from stages.sweeping.trials import best_lr, critical_batch, largest_view
from stages.sweeping.views import Views, load_views

CONTROL_SEED = 1_000  # a control starts from other weights and meets its documents in another order


def planned(params: SweepParams) -> tuple[Views, list[dict[str, Any]]]:
    """The data and every trunk that these parameters ask for."""
    data = load_views(params.items)
    for view in data.views.values():
        view.require(params.batch_tokens)
    return data, plan(tried(params, data), data)


def tried(params: SweepParams, data: Views) -> SweepParams:
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
