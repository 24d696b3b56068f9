"""Which trunks the sweep's parameters ask for."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stages.foundation.errors import ParamsError
from stages.foundation.files import content_hash
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec
from stages.proxy.tokens.shrink import shrunk
from stages.runs.study import ADDED_SEED
from stages.runs.trainer_version import code_hash
from stages.settings.hyperparameters import (
    hyperparameters,
    lr_of_batch,
    whole_budgets,
)
from stages.settings.model_forms import formed, grown
from stages.settings.sweep import Regularisation, SweepParams
from stages.sweeping.branches import Making, arms_of_branches, branch_trunks
from stages.sweeping.simulate import drawn_tokens, pool_share
from stages.sweeping.trials import best_lr, critical_batch, largest_view
from stages.sweeping.views import Views, load_views

CONTROL_SEED = 1_000  # a control starts from other weights and meets its documents in another order


def planned(params: SweepParams) -> tuple[Views, list[dict[str, Any]]]:
    """The data and every trunk that these parameters ask for."""
    data = load_views(params.items)
    params = repeating(params, data)
    for view in data.views.values():
        view.require(params.batch_tokens)
    return data, plan(tried(params, data), data)


def repeating(params: SweepParams, data: Views) -> SweepParams:
    """The parameters with the target's passes over its pools in place of `target`; none where no arm would repeat."""
    if params.pool_passes != "target" or params.target is None:
        return params
    passes = params.target.passes(data.arms["pool_tokens"])
    drawn = sum(data.arms["draw_tokens"].values())
    apart = arms_of_branches(data.arms)  # which no target repeats
    sizes = [
        view.n_tokens
        for name, view in data.views.items()
        if name.rsplit("/", 1)[0] not in apart
    ]
    kept = min(sizes, default=drawn) / drawn
    repeats = passes / kept > 1
    return params.model_copy(update={"pool_passes": passes if repeats else None})


def tried(params: SweepParams, data: Views) -> SweepParams:
    """The parameters with what short trials say about learning rate and batch, where they are asked for."""
    tuning = params.tuning
    view = largest_view(data)

    def trial(params: SweepParams, size: str) -> RunSpec:
        setting = params.regularisations[0]
        cell = Cell(view=view, size=size, setting=setting, draw=0, is_control=False)
        return _specs(params, cell, data)[-1]

    if tuning.critical_batch:
        spec = trial(params, params.sizes[0])
        batch = critical_batch(spec, data, params.device)
        lr = lr_of_batch(params.lr, params.batch_tokens, batch)
        params = params.model_copy(update={"batch_tokens": batch, "lr": lr})
    if tuning.lrs:
        size = str(tuning.base_size)
        specs = [trial(params.model_copy(update={"lr": lr}), size) for lr in tuning.lrs]
        lr = best_lr(specs, data, params.device)
        params = params.model_copy(update={"lr": lr})
    return params


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What a trunk is of: a view, a size and a setting."""

    view: str
    size: str
    setting: Regularisation
    draw: int
    is_control: bool
    times_added: int = 0
    lr_times: float = 1.0

    @property
    def arm(self) -> str:
        return self.view.rsplit("/", 1)[0]

    @property
    def seed(self) -> int:
        """Of weights and order: arms of one draw share it, controls differ."""
        of_control = CONTROL_SEED if self.is_control else 0
        return self.draw + of_control + self.times_added * ADDED_SEED


def plan(params: SweepParams, data: Views) -> list[dict[str, Any]]:
    """Every trunk: its header and spec. Largest first, so that the last to finish is a small one."""
    code = code_hash()
    trunks = []
    for view in trained_views(data):
        control = data.arms["controls"].get(view.rsplit("/", 1)[0])
        for cell in _cells(params, view, control=control, data=data):
            for spec in _specs(params, cell, data):
                kind = control["kind"] if control else ""
                trunks.append(
                    trunk_of(spec, cell.arm, control=kind, data=data, code=code)
                )
    for cell, budget in _added_cells(params, data):
        for spec in _specs(params, cell, data, budgets=(budget,)):
            trunks.append(trunk_of(spec, cell.arm, control="", data=data, code=code))
    trunks += branch_trunks(_making(params, data, code))
    if not trunks:
        raise ParamsError("sweep plans no run; name arms, sizes and budgets")
    return sorted(trunks, key=_largest_first)


def _making(params: SweepParams, data: Views, code: str) -> Making:
    """How the runs of a question about branches are made."""

    def spec(
        own: SweepParams,
        *,
        view: str,
        budgets: tuple[int, ...],
        size: str,
        setting: Regularisation,
        draw: int,
        is_twin: bool = False,
    ) -> RunSpec:
        cell = Cell(
            view=view, size=size, setting=setting, draw=draw, is_control=is_twin
        )
        [made] = _specs(own, cell, data, budgets)
        return made

    def named(made: RunSpec, arm: str, control: str) -> dict[str, Any]:
        return trunk_of(made, arm, control=control, data=data, code=code)

    return Making(params, data, spec, named)


def trained_views(data: Views) -> list[str]:
    """The views that have trunks from the start: all but those of branches and those that only decays read."""
    apart = {*data.arms.get("decays", {}).values(), *arms_of_branches(data.arms)}
    return [view for view in data.views if view.rsplit("/", 1)[0] not in apart]


def trunk_of(
    spec: RunSpec, arm: str, *, control: str, data: Views, code: str
) -> dict[str, Any]:
    """A trunk as it is trained: what the head of its run file says, and its spec.

    control: kind of the control, empty for an arm; code: hash of the trainer.
    """
    header = {
        "arm": arm,
        "control": control,
        "data_hash": data.data_hash(spec.arm, spec.decay_arm, spec.loss),
        "code_hash": code,
    }
    trunk_id = content_hash([spec.to_dict() | {"arm": arm}, header["data_hash"], code])
    return {"trunk_id": trunk_id, **header, "spec": spec}


def _largest_first(trunk: dict[str, Any]) -> tuple:
    spec = trunk["spec"]
    return -spec.shape.n_params, trunk["arm"], spec.pool_draw


def _cells(
    params: SweepParams, view: str, control: dict[str, Any] | None, data: Views
) -> list[Cell]:
    """Every size and setting of a view; InputError where no setting is for so many passes."""
    epochs = _epochs(params, view, data)
    settings = [each for each in params.regularisations if epochs >= each.min_epochs]
    if not settings:
        raise ParamsError(
            f"sweep.regularisations: no setting is left for {view},"
            f" which sees {epochs:.1f} epochs; lower a min_epochs"
        )
    sizes = question_sizes(data.arms).get(view.rsplit("/", 1)[0], params.sizes)
    # an arm's twin is trained, tuned and fitted as the arm is; at another learning rate it is tuned as the arm is
    kind = control["kind"] if control else "same"
    full, tuned = kind == "same", kind in ("same", "lr")
    return [
        Cell(
            view=view,
            size=size,
            setting=setting,
            draw=int(view.rsplit("/", 1)[1]),
            is_control=bool(control),
            lr_times=control.get("times", 1.0) if control else 1.0,
        )
        for size in (sizes if full else params.control_sizes)
        for setting in (settings if tuned else settings[:1])
    ]


def question_sizes(arms: dict[str, Any]) -> dict[str, list[str]]:
    """Designed arm -> the sizes that its question asks for, where it asks for some. arms: data/arms/arms.json."""
    return {
        arm: question["sizes"]
        for question in arms.get("questions", {}).values()
        if question.get("sizes")
        for arm in question["arms"]
    }


def _added_cells(params: SweepParams, data: Views) -> Iterator[tuple[Cell, int]]:
    """Each run of sweep.added with its budget, on every resample; ParamsError where its arm is gone."""
    times: Counter = Counter()
    for run in params.added:
        views = [view for view in data.views if view.rsplit("/", 1)[0] == run.arm]
        if not views:
            raise ParamsError(
                f"sweep.added: no arm {run.arm!r}; take its runs out of sweep.added"
            )
        times[run.arm, run.size, run.tokens] += 1
        setting = Regularisation(weight_decay=run.weight_decay, dropout=run.dropout)
        for view in views:
            cell = Cell(
                view=view,
                size=run.size,
                setting=setting,
                draw=int(view.rsplit("/", 1)[1]),
                is_control=False,
                times_added=times[run.arm, run.size, run.tokens],
            )
            yield cell, run.tokens


def _epochs(params: SweepParams, view: str, data: Views) -> float:
    """Passes of a view's largest budget over its data; with simulated epoching of every budget."""
    n_tokens = data.views[view].n_tokens
    if not isinstance(params.pool_passes, float):
        return params.budgets_tokens[-1] / n_tokens
    draw = int(view.rsplit("/", 1)[1])
    return params.pool_passes * drawn_tokens(data.views, draw) / n_tokens


def _specs(
    params: SweepParams, cell: Cell, data: Views, budgets: tuple[int, ...] = ()
) -> list[RunSpec]:
    """The trunk of one cell of the sweep; one a budget with simulated epoching, where each has its own part of
    the arm, and of a view in stages. budgets: in place of those of the sweep.
    """
    dense = Shape.named(
        cell.size,
        context=params.context,
        vocab_size=data.packed.vocab_size,
        qk_norm=params.qk_norm,
    )
    shape = formed(dense, params.experts)
    rule, _ = hyperparameters(
        params.tuning,
        shape=shape,
        largest_tokens=params.budgets_tokens[-1],
        lr=params.lr,
        batch_tokens=params.batch_tokens,
    )
    if cell.lr_times != 1:
        rule = rule | {"lr": rule["lr"] * cell.lr_times}
    shared = {
        "arm": cell.view,
        "shape": shape,
        "weight_decay": cell.setting.weight_decay,
        "dropout": cell.setting.dropout,
        "warmup_steps": params.warmup_steps,
        "decay_fraction": params.decay_fraction,
        "schedule": params.schedule,
        "decay_shape": params.decay_shape,
        "z_loss": params.z_loss,
        "documents_apart": params.documents_apart,
        "seed": cell.seed,
        "data_seed": cell.seed,
        "pool_draw": cell.draw,
        "decay_arm": _decay_arm(params, cell, data),
        **grown(params.growth, rule["batch_tokens"]),
        **rule,
    }
    budgets = budgets or tuple(params.budgets_tokens)
    if params.tuning.sets_batch:
        budgets = whole_budgets(list(budgets), rule["batch_tokens"])
    if not isinstance(params.pool_passes, float):
        whole = data.views[cell.view].stages is None
        together = [budgets] if whole else [(budget,) for budget in budgets]
        return [RunSpec(budgets_tokens=each, **shared) for each in together]
    specs = []
    for budget in budgets:
        part = pool_share(
            data.views,
            cell.draw,
            n_tokens=budget,
            pool_passes=params.pool_passes,
            clipped=params.target is not None,
            least_tokens=rule["batch_tokens"],
        )
        view = data.views[cell.view]
        tokens = round(part * view.n_tokens)
        if (
            view.stages is not None
        ):  # known before any training: a stage of the part may be less than a batch
            shrunk(view, tokens, cell.draw).require(rule["batch_tokens"])
        spec = RunSpec(budgets_tokens=(budget,), unique_tokens=tokens, **shared)
        specs.append(spec)
    return specs


def _decay_arm(params: SweepParams, cell: Cell, data: Views) -> str | None:
    """The view that the decays of the cell's arm read; None where they read on."""
    decay = params.decay_mix.get(cell.arm) or data.arms.get("decays", {}).get(cell.arm)
    if not decay:
        return None
    view = f"{decay}/{cell.draw}"
    if view not in data.views:
        raise ParamsError(
            f"sweep.decay_mix names the arm {decay!r}, which arms.arms"
            " lacks; name one of its arms"
        )
    return view
