"""Which laws a table can be given to, and the rows that they read: what `--law auto` and `assay fit
auto` start from.
"""

import numpy as np
import polars as pl

from stages.foundation.errors import InputError
from stages.laws import LAWS, Law
from stages.laws.choosing.eligible import eligible_laws, runs_repeat, table_kind
from stages.laws.interface.cost import SIX, Cost
from stages.laws.interface.table import note
from stages.run_columns.named_law import law_for, varying_shares
from stages.run_columns.positive import positive_numbers
from stages.runs.schema import COLUMNS
from stages.runs.table import as_words

N_STARTS = 32  # measured: 64 and more reach the same ends on the published tables
MIXTURE_LAW = "chinchilla_mix"  # ours: the one law of sizes, tokens and shares
SHOWN_COLUMNS = 6
SHOWN_VALUES = 4
# of the runs table, text that names no data set; `schedule` is read by a law of curves
OTHER_LABELS = {*COLUMNS, "schedule"} - {"arm"}
NAMED_NUMBERS = ("n_params", "n_tokens_seen", "flops", "lr", "batch_tokens")


def numeric_rows(
    table: pl.DataFrame, name: str, *, observed: bool = True, cost: Cost = SIX
) -> dict[str, np.ndarray]:
    """The numeric columns that any law reads, and flops where sizes and tokens give it, as arrays (rows,).

    cost: of the table that was fitted, from which FLOPs of other rows are derived.
    """
    known = {variable for law in LAWS.values() for variable in law.variable_names}
    named = known - {"schedule"}  # may be text; its law is fitted by name alone
    wanted = [
        c for c in table.columns if c in named or c.startswith(("share_", "unique_"))
    ]
    rows = positive_numbers(table, [*wanted, *(["value"] if observed else [])], name)
    if "flops" not in rows and {"n_params", "n_tokens_seen"} <= set(rows):
        rows["flops"] = cost.flops(rows["n_params"], rows["n_tokens_seen"])
    return rows


def one_metric(
    table: pl.DataFrame, name: str
) -> tuple[pl.DataFrame, list[dict[str, str]]]:
    """The rows of one metric: those of the only loss where the table holds several, with a coded
    warning; InputError where no rule says which.

    A runs table of the pipeline has a row for each metric of a run, and values of two are no curve.
    """
    if "metric" not in table.columns or table["metric"].n_unique() < 2:
        return table, []
    words = as_words(table["metric"], name)
    metrics = words.drop_nulls().unique().sort().to_list()
    losses = [metric for metric in metrics if metric.startswith("loss")]
    shown = ", ".join(metrics[:SHOWN_COLUMNS])
    more = ", ..." if len(metrics) > SHOWN_COLUMNS else ""
    said = f"the values are of {len(metrics)} metrics ({shown}{more})"
    example = (losses or metrics)[0]
    cure = f"""choose one with --where "metric = '{example}'\""""
    if len(losses) != 1:
        raise InputError(f"{name}: {said}; {cure}")
    kept = table.filter(words == example)
    return kept, [
        note(
            "one_metric",
            "warning",
            f"{said}: the {len(kept)} rows of {example!r} are used; {cure}",
        )
    ]


def candidates(
    law: str, rows: dict[str, np.ndarray], *, mixtures: bool = False
) -> list[Law]:
    """The named law, or for `auto` every law that names such a table as one to be tried on and
    whose variables the table has.

    mixtures: also the law of sizes, tokens and shares, where shares differ between runs (of arms they
    are what tells them apart, so a comparison leaves it out).
    """
    if law != "auto":
        named = law_for(law, rows)
        missing = [name for name in named.variable_names if name not in rows]
        if missing:
            raise InputError(
                f"law '{law}' reads {missing[0]!r} and the table has no column"
                f" {missing[0]!r}; map one with --map {missing[0]}=COLUMN"
            )
        return [named]
    possible = eligible_laws(rows)
    sized = table_kind(rows) in ("sizes and tokens", "repeats")
    if mixtures and sized and len(varying_shares(rows)) > 1:
        possible.append(law_for(MIXTURE_LAW, rows))
    return possible


def unread_notes(law: Law, rows: dict[str, np.ndarray]) -> list[dict[str, str]]:
    """Coded warnings where the runs differ in what another law reads and this one does not: model
    size, or the shares of a mixture.
    """
    unread = [name for name in varying_shares(rows) if name not in law.variable_names]
    notes = []
    sized = {"n_params", "flops"} & set(law.variable_names)
    if not sized and np.ptp(rows.get("n_params", 0.0)) > 0:
        notes.append(
            note(
                "sizes_not_read",
                "warning",
                f"runs differ in n_params, which law '{law.name}' does not read: sizes"
                " count as noise; fit one size (--where), or a law of sizes",
            )
        )
    if unread and not any(v.startswith("share_") for v in law.variable_names):
        more = ", ..." if len(unread) > SHOWN_COLUMNS else ""
        notes.append(
            note(
                "shares_not_read",
                "warning",
                f"runs differ in {', '.join(unread[:SHOWN_COLUMNS])}{more}, which law"
                f" '{law.name}' does not read: mixtures count as noise; fit"
                " chinchilla_mix, exponential_mix or recipe_mix",
            )
        )
    return notes


def arms_notes(table: pl.DataFrame, cluster: str | None) -> list[dict[str, str]]:
    """A coded warning where a column of text looks like the data sets of the runs, which are fitted as one.

    cluster: the column whose rows are resampled together, which is asked for as such.
    """
    found = [
        name
        for name, kind in table.schema.items()
        if kind in (pl.String, pl.Categorical, pl.Enum)
        and name not in OTHER_LABELS | {cluster}
        and _looks_like_arms(table, name)
    ]
    if not found:
        return []
    named = []
    for name in found:
        values = table[name].cast(pl.String).drop_nulls().unique().sort().to_list()
        more = ", ..." if len(values) > SHOWN_VALUES else ""
        named.append(f"{name!r} ({', '.join(values[:SHOWN_VALUES])}{more})")
    return [
        note(
            "arms_not_read",
            "warning",
            f"runs differ in {' and in '.join(named)} and are fitted as one data set;"
            f" where these name data sets, --arm {found[0]} fits each apart",
        )
    ]


def _looks_like_arms(table: pl.DataFrame, name: str) -> bool:
    """Whether a column of text has several values, each of two rows and more as a rule, and does not just say in
    words what a number of the run says, as the name of a model does.
    """
    known = table.filter(
        pl.col(name).is_not_null() & (pl.col(name).cast(pl.String) != "")
    )
    n_values = known[name].n_unique()
    if n_values < 2 or 2 * n_values > known.height:
        return False
    return not any(
        number in known.columns
        and known[number].n_unique() <= known.height // 2
        and known.select(number, name).n_unique() == known[number].n_unique()
        for number in NAMED_NUMBERS
    )


def repeats_notes(laws: list[Law], runs: pl.DataFrame) -> list[dict[str, str]]:
    """A coded warning where runs repeat their data and none of the laws reads how often."""
    read = {name for law in laws for name in law.variable_names}
    tokens = {"n_tokens_seen", "n_tokens_unique"}
    if any("unique" in name for name in read) or not tokens <= set(runs.columns):
        return []
    known = runs.select(pl.col(*sorted(tokens)).cast(pl.Float64, strict=False))
    known = known.filter(pl.all_horizontal(pl.all().is_finite() & (pl.all() > 0)))
    if not runs_repeat({name: known[name].to_numpy() for name in tokens}):
        return []
    return [
        note(
            "repeats_not_read",
            "warning",
            f"runs pass more than once over their data, and law '{laws[0].name}' does"
            " not read n_tokens_unique: repeats count as new tokens; fit half_life, of"
            " several sizes data_constrained or overfit_log",
        )
    ]


def duplicate_notes(table: pl.DataFrame) -> list[dict[str, str]]:
    """A coded warning where rows of the table agree in every column: copies narrow the intervals."""
    copies = (
        ~table.select(pl.struct(pl.all()).is_first_distinct()).to_series()
    ).arg_true()
    if copies.is_empty():
        return []
    return [
        note(
            "duplicate_rows",
            "warning",
            f"{len(copies)} rows repeat an earlier one in every column (first: row"
            f" {copies[0] + 1}); drop copies, they make the intervals too narrow",
        )
    ]
