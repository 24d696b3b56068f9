"""A fitted law as a frozen record: what the fit file, the decision record and the fit stage hold of one.

Made by record.fit_record. Values stand in the unit of the column `value` of the runs table.
"""

from pydantic import Field

from stages.foundation.record_files import Record


class Note(Record):
    """A warning that a program can branch on."""

    code: str = Field(description="short name that does not change, such as at_bound")
    severity: str = Field(description="info or warning")
    message: str = Field(description="one sentence for a person")


class FittedParameter(Record):
    """One parameter of a law, or of a law and one arm."""

    value: float = Field(description="fitted value, in `unit`")
    low: float | None = Field(
        description="lower end of the interval of coverage `level`, in `unit`; null without refits"
    )
    high: float | None = Field(
        description="upper end of the interval of coverage `level`, in `unit`; null without refits"
    )
    unit: str = Field(
        description="unit of the parameter; `value` stands for that of the fitted column"
    )
    at_bound: bool = Field(description="the fitted value lies at the end of its range")
    identified: bool = Field(
        description="the runs settle the parameter to better than a decade"
    )


Parameters = dict[str, FittedParameter | dict[str, FittedParameter]]


class Starts(Record):
    """How many of the starting points of the fit came to the same end."""

    run: int = Field(description="starting points tried")
    failed: int = Field(description="starting points that ended in no number")
    same_basin: int = Field(description="starting points that reached the best end")


class FittedLaw(Record):
    """A law with its parameters, and how well it was fitted."""

    law: str = Field(description="name of the law, see `assay laws`")
    formula: str = Field(description="the law as a formula")
    source: str = Field(description="paper and equation, or that it is ours")
    arms: list[str] = Field(description="arms that were fitted together")
    by_arm: list[str] = Field(
        description="parameters that are separate for every arm; the others are shared"
    )
    params: Parameters = Field(
        description="parameter -> its values; of one in `by_arm`: arm -> its values"
    )
    objective: float = Field(
        description="least value of what was minimised; no unit, smaller is better"
    )
    objective_name: str = Field(
        description="huber_log, least_squares_log or least_squares"
    )
    delta: float = Field(
        description="residual from which Huber's loss grows linearly, in log value"
    )
    n_points: int = Field(description="runs that were fitted")
    n_clusters: int | None = Field(
        description="clusters that were drawn again; null without refits"
    )
    n_draws: int = Field(
        description="refits of this law behind the intervals of its parameters; 0 for none."
        " Predictions of `auto` rest on the refits of all its laws, as many as were asked for"
    )
    level: float = Field(description="coverage of every interval of the fit, 0 to 1")
    starts: Starts = Field(description="what became of the starting points")
    runner_up_objective: float | None = Field(
        description="objective of the best end elsewhere; null where there is none"
    )
    rms_log: float = Field(description="root mean square of the log residuals")
    condition_number: float = Field(
        description="of the fit's curvature; large: parameters trade against each other"
    )
    warnings: list[Note] = Field(description="what to know before using the fit")


class TitledLaw(FittedLaw):
    """A fitted law with the line that introduces it to a person."""

    title: str = Field(description="what the law says, in a few words")


class RankedLaw(Record):
    """One candidate in the choice of a law, judged on runs that it was not fitted to."""

    law: str = Field(description="name of the law or of its variant")
    share: float = Field(description="its part of the weight of a prediction, 0 to 1")
    n_unknowns: float = Field(
        description="unknowns that the runs settle, not the priors"
    )
    mape: float = Field(description="mean absolute error over the value, a share")
    rmse: float = Field(description="root mean square error, in the unit of the value")
    bias: float = Field(description="mean error over the value, a share")
    typical: float = Field(
        description="absolute log error of a fold, geometric mean over folds; weighs the law"
    )
    reason: str = Field(description="why the law stands where it stands")


class RunsCheck(Record):
    """How a law predicts runs that were not fitted."""

    n: int = Field(description="runs predicted")
    mape: float = Field(description="mean absolute error over the value, a share")
    rmse: float = Field(description="root mean square error, in the unit of the value")
    bias: float = Field(
        description="mean of predicted less measured, in the unit of the value"
    )
    coverage: float | None = Field(
        description="share of the runs inside their intervals; null without refits"
    )


ParameterRow = dict[str, str | bool | float | None]


def parameter_rows(params: Parameters) -> list[ParameterRow]:
    """Parameters of a fit, or of each of its arms, as flat rows of a table."""
    rows: list[ParameterRow] = []
    for name, entry in params.items():
        of_arm = entry if isinstance(entry, dict) else {None: entry}
        for arm, value in of_arm.items():
            shown = name if arm is None else f"{name} [{arm}]"
            rows.append({"parameter": shown, **value.model_dump()})
    return rows
