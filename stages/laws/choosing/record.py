"""A fit as plain JSON values: the fit file of the command line and the law part of a decision record.

`fit_record` is for people; `to_state` and `from_state` carry a fit with its draws through a file, so that a
comparison or a plan needs no second fit (1,000 draws of 10 unknowns: about 200 kB of JSON).
"""

from collections.abc import Callable
from dataclasses import asdict, fields, replace

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.choosing.averaged import Mixture, Prediction
from stages.laws.choosing.bootstrap import Bootstrap
from stages.laws.choosing.choose import Score
from stages.laws.choosing.discrepancy import Reach
from stages.laws.choosing.errors import Errors
from stages.laws.choosing.misfit import Misfit
from stages.laws.fitting.fit import Fit
from stages.laws.fitting.solver import Problem
from stages.laws.interface.cost import SIX, Cost
from stages.laws.interface.fitted import FittedParameter, RankedLaw, TitledLaw
from stages.laws.interface.law import Law, Parameter
from stages.laws.interface.layout import Layout


def fit_record(
    fit: Fit, boot: Bootstrap | None = None, level: float = 0.9
) -> TitledLaw:
    """Everything about a fit that a reader or another program needs.

    A parameter separate by arm has {arm: ...} in place of one entry. low and high are None without a bootstrap.
    level: coverage of the intervals, 0 to 1.
    """
    limits = boot.params(level) if boot else {}
    return TitledLaw(
        law=fit.law.name,
        formula=fit.law.formula,
        source=fit.law.source,
        arms=list(fit.arms),
        by_arm=list(fit.by_arm),
        params={p.name: _entries(fit, p, limits) for p in fit.law.parameters},
        objective=fit.objective,
        objective_name=fit.problem.objective,
        delta=fit.problem.delta,
        n_points=fit.n_points,
        n_clusters=boot.n_clusters if boot else None,
        n_draws=boot.n_draws if boot else 0,
        level=level,
        starts=fit.starts,
        runner_up_objective=fit.runner_up,
        rms_log=fit.rms_log,
        condition_number=fit.condition_number,
        warnings=fit.warnings + (boot.warnings if boot else []),
        title=fit.law.title,
    )


def ranked_law(score: Score) -> RankedLaw:
    """A candidate's score without the errors run by run."""
    return RankedLaw(**{name: getattr(score, name) for name in RankedLaw.model_fields})


def _entries(
    fit: Fit, parameter: Parameter, limits: dict
) -> FittedParameter | dict[str, FittedParameter]:
    """One entry, or one an arm where the parameter is separate by arm."""
    if parameter.name not in fit.by_arm:
        return _parameter(fit, parameter, limits=limits, arm=None)
    return {arm: _parameter(fit, parameter, limits=limits, arm=arm) for arm in fit.arms}


def _parameter(
    fit: Fit, parameter: Parameter, limits: dict, arm: str | None
) -> FittedParameter:
    def of(field: dict):
        value = field[parameter.name]
        return value[arm] if arm is not None else value

    low, high = of(limits) if limits else (None, None)
    return FittedParameter(
        value=of(fit.params),
        low=low,
        high=high,
        unit=parameter.unit,
        at_bound=of(fit.at_bound),
        identified=of(fit.identified),
    )


def prediction_state(boot: Prediction) -> dict:
    """All that predictions are drawn from as JSON values, to be read by prediction_of."""
    if isinstance(boot, Bootstrap):
        return to_state(boot)
    return {
        "law": boot.fit.law.name,
        "members": [to_state(member) for member in boot.members],
        "shares": boot.shares.tolist(),
        "member": boot.member.tolist(),
        "refit": boot.refit.tolist(),
        "errors": _errors_state(boot.errors),
        "seed": boot.seed,
    }


def prediction_of(state: dict, named: Callable[[str], Law]) -> Prediction:
    """Inverse of prediction_state; named: the law of a name, such as get_law."""
    if "members" not in state:
        return from_state(state, named(state["law"]))
    return Mixture(
        tuple(from_state(each, named(each["law"])) for each in state["members"]),
        shares=np.array(state["shares"]),
        member=np.array(state["member"]),
        refit=np.array(state["refit"]),
        errors=_errors_of(state["errors"]),
        seed=state["seed"],
    )


def _errors_state(errors: Errors) -> dict:
    misfit = {
        field.name: np.asarray(getattr(errors.misfit, field.name)).tolist()
        for field in fields(errors.misfit)
    }
    return {
        "scale": errors.scale,
        "own_scale": errors.own_scale,
        "limits": dict(errors.reach.limits),
        "misfit": misfit,
        "noise": errors.noise.tolist(),
    }


def _errors_of(state: dict) -> Errors:
    stored = state["misfit"]
    return Errors(
        scale=state["scale"],
        own_scale=state["own_scale"],
        reach=Reach(state["limits"]),
        misfit=Misfit(
            axes=tuple(stored["axes"]),
            at=np.array(stored["at"]).reshape(-1, len(stored["axes"])),
            arm=np.array(stored["arm"], str),
            residual=np.array(stored["residual"]),
            n_runs=np.array(stored["n_runs"]),
            signal=stored["signal"],
            own_share=stored["own_share"],
            noise=stored["noise"],
        ),
        noise=np.array(state["noise"]),
    )


FIT_FIELDS = (
    "arms",
    "by_arm",
    "arm_column",
    "params",
    "objective",
    "n_points",
    "starts",
    "runner_up",
    "rms_log",
    "condition_number",
    "at_bound",
    "identified",
    "warnings",
)


def to_state(boot: Bootstrap) -> dict:
    """All of a fit and its draws as JSON values, to be read by from_state."""
    fit, problem, layout = boot.fit, boot.fit.problem, boot.fit.problem.layout
    return {
        "law": fit.law.name,
        "fit": {name: getattr(fit, name) for name in FIT_FIELDS},
        "cost": asdict(fit.cost),
        "theta": fit.theta.tolist(),
        "frozen": fit.frozen.tolist(),
        "layout": {
            "arms": layout.arms,
            "by_arm": layout.by_arm,
            "value_scale": layout.value_scale,
            "centres": dict(layout.centres),
        },
        "data": {
            "columns": {
                name: column.tolist() for name, column in problem.columns.items()
            },
            "arm_index": problem.arm_index.tolist(),
            "observed": problem.observed.tolist(),
            "objective": problem.objective,
            "delta": problem.delta,
        },
        "draws": {
            "theta": boot.theta.tolist(),
            "n_clusters": boot.n_clusters,
            "stretch": boot.stretch,
            "warnings": boot.warnings,
        },
    }


def _cost_from(state: dict | None) -> Cost:
    """The cost of a stored fit; 6ND where the file is older than costs."""
    if state is None:
        return SIX
    lists = {name: tuple(state[name]) for name in ("sizes", "factors")}
    return Cost(**lists, spread=state["spread"], unit=state["unit"])


def from_state(state: dict, law: Law) -> Bootstrap:
    """Inverse of to_state; `law` is get_law(state["law"]), or half_life(pools) for a mixture."""
    if law.name != state["law"]:
        raise InputError(
            f"the file holds a fit of '{state['law']}', not of '{law.name}'"
        )
    parts, data, draws = state["layout"], state["data"], state["draws"]
    centres = {
        name: tuple(map(tuple, pairs)) for name, pairs in parts["centres"].items()
    }
    layout = Layout(
        law,
        arms=tuple(parts["arms"]),
        by_arm=tuple(parts["by_arm"]),
        value_scale=parts["value_scale"],
        centres=centres,
    )
    columns = {name: np.array(column) for name, column in data["columns"].items()}
    problem = Problem(
        layout,
        columns=columns,
        arm_index=np.array(data["arm_index"]),
        observed=np.array(data["observed"]),
        objective=data["objective"],
        delta=data["delta"],
    )
    fit = Fit(
        law=law,
        theta=np.array(state["theta"]),
        frozen=np.array(state["frozen"]),
        problem=problem,
        cost=_cost_from(state.get("cost")),
        **state["fit"],
    )
    fit = replace(fit, arms=tuple(fit.arms), by_arm=tuple(fit.by_arm))
    return Bootstrap(
        fit,
        theta=np.array(draws["theta"]),
        n_clusters=draws["n_clusters"],
        stretch=draws["stretch"],
        warnings=draws["warnings"],
    )
