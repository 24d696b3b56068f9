"""What `assay fit` makes of the columns of a table: nothing dropped or replaced without a word."""

import numpy as np
import polars as pl
import pytest

from stages.foundation.errors import InputError
from stages.laws import multi_power
from stages.run_tables.fit_table import fit_table

N, D = (x.ravel() for x in np.meshgrid([1e7, 3e7, 1e8, 3e8], [2e8, 6e8, 2e9, 6e9]))


def fitted(law, table, **options):
    return fit_table(
        law, table, "runs.csv", n_draws=options.pop("n_draws", 0), **options
    )


def codes(result):
    return [warning.code for warning in result.warnings]


def two_arms(extra=0.3, **columns):
    """Arm b lies `extra` above arm a at every size and length."""
    loss = 1.8 + 400 / N**0.34 + 410 / D**0.28
    frames = [
        pl.DataFrame(
            {"n_params": N, "n_tokens_seen": D, "value": loss + k, "data": arm}
        )
        for arm, k in (("a", 0.0), ("b", extra))
    ]
    return pl.concat(frames).with_columns(**columns)


def test_arms_are_fitted_jointly_with_what_is_theirs_apart():
    wanted = pl.DataFrame(
        {"n_params": [1e9, 1e9], "n_tokens_seen": [1e10, 1e10], "data": ["a", "b"]}
    )
    result = fitted("chinchilla", two_arms(), arm="data", predict=wanted)
    assert result.arms == ["a", "b"] and result.by_arm == ["E", "B"]
    assert result.params["E"]["b"].value == pytest.approx(2.1, abs=1e-3)
    assert result.params["alpha"].value == pytest.approx(0.34, abs=1e-3)
    first, second = (row["value"] for row in result.predictions)
    assert second - first == pytest.approx(0.3, abs=1e-4)


def test_one_arm_or_an_empty_name_is_refused():
    table = two_arms()
    with pytest.raises(InputError, match="holds one arm, 'a'"):
        fitted("chinchilla", table.filter(pl.col("data") == "a"), arm="data")
    emptied = table.with_columns(
        data=pl.when(pl.col("data") == "b").then(pl.col("data"))
    )
    with pytest.raises(InputError, match=r"column 'data', row 1 is empty \(16 of 32"):
        fitted("chinchilla", emptied, arm="data")


def test_own_flops_are_carried_with_the_fit():
    table = two_arms(flops=60 * pl.col("n_params") * pl.col("n_tokens_seen"))
    result = fitted("chinchilla", table, arm="data", n_draws=20)
    assert "own_flops" in codes(result)
    assert result.state["cost"]["factors"] == pytest.approx((60.0,))


def test_flops_are_derived_where_the_law_reads_them_and_said():
    power = 1.8 + 60 / (6 * N * D) ** 0.1
    table = pl.DataFrame({"n_params": N, "n_tokens_seen": D, "value": power})
    result = fitted("power_floor", table)
    assert result.params["alpha"].value == pytest.approx(0.1, abs=1e-3)
    assert "flops_6nd" in codes(result)


def test_auto_predicts_by_laws_of_compute_without_a_column_of_flops():
    noise = np.exp(np.random.default_rng(1).normal(0, 0.004, N.size))
    power = 1.8 + 60 / (6 * N * D) ** 0.1 * noise
    table = pl.DataFrame({"n_params": N, "n_tokens_seen": D, "value": power})
    wanted = pl.DataFrame({"n_params": [1e9], "n_tokens_seen": [2e10]})
    result = fitted("auto", table, predict=wanted, n_draws=50)
    assert any(name == "power_floor" for name, _ in result.choice.mixture)
    [row] = result.predictions
    assert row["value"] == pytest.approx(1.8 + 60 / 1.2e20**0.1, rel=0.01)


def test_shares_and_sizes_that_a_law_does_not_read_are_named():
    mixed = two_arms(share_a=pl.col("n_params") / 1e9).with_columns(
        share_b=1 - pl.col("share_a")
    )
    plain = fitted("chinchilla", mixed)
    [said] = [w for w in plain.warnings if w.code == "shares_not_read"]
    assert "share_a, share_b" in said.message
    assert "sizes_not_read" in codes(fitted("exponential_mix", mixed))


def test_runs_of_another_seed_are_no_copies():
    table = pl.concat([two_arms(seed=pl.lit(i)) for i in (0, 1)])
    assert "duplicate_rows" not in codes(fitted("chinchilla", table))
    assert "duplicate_rows" in codes(
        fitted("chinchilla", pl.concat([table, table[:2]]))
    )


def test_the_only_loss_among_metrics_is_taken_and_said_and_two_are_refused():
    runs = two_arms(0.0).with_columns(metric=pl.lit("loss_web"))
    score = runs.with_columns(metric=pl.lit("accuracy"), value=1 / pl.col("value"))
    result = fitted("chinchilla", pl.concat([runs, score]))
    assert result.n_points == 32 and "one_metric" in codes(result)
    assert result.params["E"].value == pytest.approx(1.8, abs=1e-3)
    other = runs.with_columns(metric=pl.lit("loss_code"))
    with pytest.raises(InputError, match="2 metrics .*choose one"):
        fitted("chinchilla", pl.concat([runs, other]))


def test_rates_that_never_fell_are_fitted():
    area = np.linspace(0.5, 6, 40)
    fall = np.maximum(0, area - 3) * 0.05
    value = 2.5 + 0.6 / area**0.5 - 0.4 * fall
    table = pl.DataFrame({"lr_area": area, "lr_fall": fall, "value": value})
    result = fitted("annealing", table, predict=table[:1])
    assert result.params["C"].value == pytest.approx(0.4, rel=1e-2)
    assert result.predictions[0]["extrapolation_decades"] == 0


def test_whole_curves_use_the_schedules_of_the_table():
    flat = np.full(1000, 1e-3)
    decay = np.concatenate([flat[:500], np.linspace(1e-3, 1e-5, 500)])
    late = np.concatenate([flat[:800], np.linspace(1e-3, 1e-5, 200)])
    law = multi_power([flat, decay, late])
    p = {"E": 2.5, "A": 0.5, "alpha": 0.5, "B": 400.0, "C": 2.0, "beta": 0.5}
    steps = np.arange(50, 1001, 50)

    def curve(number, name, rates):
        at = {"schedule": np.full(steps.size, number), "step": steps}
        rows = {"schedule": name, "step": steps, "lr": rates[steps - 1]}
        return pl.DataFrame(rows | {"value": law.value(p | {"gamma": 0.5}, at)})

    table = pl.concat([curve(1, "flat", flat), curve(2, "cosine", decay)])
    wanted = curve(3, "late", late)
    result = fitted("multi_power", table, predict=wanted.drop("value"))
    assert result.n_points == 40 and result.rms_log < 1e-3
    predicted = [row["value"] for row in result.predictions]
    assert predicted == pytest.approx(wanted["value"].to_list(), rel=3e-3)


def test_whole_curves_without_rates_are_refused():
    table = pl.DataFrame({"schedule": 1, "step": [100, 200], "value": [3.0, 2.9]})
    with pytest.raises(InputError, match=r"no column 'lr'.*only the shape counts"):
        fitted("multi_power", table)


def test_rates_of_whole_curves_may_be_in_any_unit():
    flat = np.full(1000, 1e-3)
    decay = np.concatenate([flat[:500], np.linspace(1e-3, 1e-5, 500)])
    steps = np.arange(50, 1001, 50)
    law = multi_power([flat, decay])
    p = {"E": 2.5, "A": 0.5, "alpha": 0.5, "B": 400.0, "C": 2.0, "beta": 0.5}
    table = pl.concat(
        pl.DataFrame(
            {"schedule": name, "step": steps, "lr": rates[steps - 1]}
        ).with_columns(
            value=pl.Series(
                law.value(
                    p | {"gamma": 0.5},
                    {"schedule": np.full(steps.size, number), "step": steps},
                )
            )
        )
        for number, name, rates in ((1, "flat", flat), (2, "decay", decay))
    )
    wanted = table.filter(schedule="decay").drop("value")
    said = [
        [
            row["value"]
            for row in fitted(
                "multi_power",
                table.with_columns(pl.col("lr") / unit),
                predict=wanted.with_columns(pl.col("lr") / unit),
            ).predictions
        ]
        for unit in (1.0, 1e-3)
    ]
    assert said[0] == pytest.approx(said[1], rel=1e-3)


@pytest.mark.parametrize(
    ("law", "unique", "said"),
    [
        ("power_floor_tokens", 1e8, True),
        ("power_floor_tokens", 1e10, False),
        ("half_life", 1e8, False),
        ("auto", 1e8, False),
    ],
)
def test_repeats_that_no_law_reads_are_said(law, unique, said):
    """16 runs of up to 16 passes over 1e8 tokens, or none over 1e10."""
    seen = np.geomspace(2e7, 1.6e9, 16)
    value = 2.0 + 50 / np.minimum(seen, 4e8) ** 0.25 * (1 + 0.001 * np.cos(7 * seen))
    table = pl.DataFrame(
        {"n_tokens_seen": seen, "n_tokens_unique": unique, "value": value}
    )
    done = fit_table(law, table, "runs.csv", n_draws=50)
    assert ("repeats_not_read" in {note.code for note in done.warnings}) == said


def units_said(**columns):
    """What a fit of the table says of the units of its columns."""
    loss = 1.8 + 400 / N**0.34 + 410 / D**0.28
    table = pl.DataFrame({"n_params": N, "n_tokens_seen": D, "value": loss})
    result = fitted("chinchilla", table.with_columns(**columns))
    return [note.message for note in result.warnings if note.code == "units"]


def test_columns_in_millions_and_billions_are_said_to_be_counted_one_by_one():
    millions, billions = pl.col("n_params") / 1e6, pl.col("n_tokens_seen") / 1e9
    assert units_said() == []
    [sizes_and_tokens] = units_said(n_params=millions, n_tokens_seen=billions)
    assert sizes_and_tokens.startswith(
        "n_params is at most 300 and n_tokens_seen is at most 6: these are counted one by one"
    )
    # 6 N D in units of 1e18: 6e-18 of n_params n_tokens_seen
    flops = 6 * pl.col("n_params") * pl.col("n_tokens_seen") / 1e18
    [flops_said] = units_said(flops=flops)
    assert flops_said.startswith("the table's FLOPs are 6e-18 n_params n_tokens_seen")
    # 8 N D with recomputation is no other unit
    assert units_said(flops=8 * pl.col("n_params") * pl.col("n_tokens_seen")) == []


def of_arms(table, **options):
    """What a fit as one data set says of the labels of a table."""
    found = fitted("chinchilla", table, **options).warnings
    return [each.message for each in found if each.code == "arms_not_read"]


def test_data_sets_that_are_fitted_as_one_are_named_with_the_cure():
    [said] = of_arms(two_arms())
    assert "runs differ in 'data' (a, b) and are fitted as one data set" in said
    assert "--arm data fits each apart" in said
    assert not of_arms(two_arms(), arm="data")
    [both] = of_arms(
        two_arms(recipe=pl.Series(["xy"[i % 3 % 2] for i in range(2 * N.size)]))
    )
    assert "'data' (a, b) and in 'recipe' (x, y)" in both and "--arm data" in both
    [own] = of_arms(two_arms().rename({"data": "arm"}))
    assert "--arm arm" in own
    many = two_arms().with_columns(
        data=pl.Series([f"d{i % 7}" for i in range(2 * N.size)])
    )
    assert "(d0, d1, d2, d3, ...)" in of_arms(many)[0]


@pytest.mark.parametrize(
    "label",
    [
        pl.lit("web"),  # constant
        pl.int_range(pl.len()).cast(pl.String),  # a name of each run
        pl.format("runs/{}/{}.json", "n_params", pl.int_range(pl.len())),
        pl.format("{}M", pl.col("n_params") / 1e6),  # the size in words
        pl.lit(None, dtype=pl.String),
        pl.lit(""),
    ],
    ids=["constant", "unique", "paths", "size", "null", "empty"],
)
def test_labels_that_name_no_data_set_are_passed_over(label):
    assert not of_arms(two_arms(extra=0.0, data=label))


def test_the_column_of_clusters_and_those_of_the_runs_table_are_no_data_sets():
    assert not of_arms(two_arms(), cluster="data", n_draws=20)
    for name in ("device", "data_hash", "metric_note"):
        said = of_arms(two_arms().rename({"data": name}))
        assert bool(said) == (name == "metric_note")
