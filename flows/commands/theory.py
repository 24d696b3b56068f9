"""`assay isoflop`, `items`, `pruning-theory`, `contained`: read, call, print."""

import json
from pathlib import Path

from flows.commands.fit import parse_map, show_warnings
from flows.commands.show import paragraph, show
from flows.commands.tables import load_table


def isoflop_command(
    table: str, pairs: list[str], where: str | None, at: list[float], as_json: bool
) -> None:
    """The best size of each budget and the line through them."""
    from stages.run_tables.isoflop_table import isoflop_table

    found = isoflop_table(load_table(table, parse_map(pairs), where), str(table), at)
    if as_json:
        print(json.dumps(found, indent=2))
        return
    print(f"n_params = {found['scale']:.4g} flops^{found['exponent']:.4f}\n")
    show(found["budgets"], False, title="Best size of each budget")
    if found["at"]:
        print()
        show(found["at"], False, title="On the line")
    show_warnings(found["warnings"])
    if found["n_left_out"]:
        print(
            "\n"
            + paragraph(
                f"{found['n_left_out']} budgets are left out: their least value is at"
                " their smallest or largest size, or they have under four sizes"
            )
        )


def items_command(
    table: str,
    pairs: list[str],
    *,
    where: str | None,
    at: list[float],
    n_clusters: int | None,
    n_held: int,
    as_json: bool,
) -> None:
    """The clusters of items, the score at other budgets, and how the largest ones were foretold."""
    from stages.item_tables.items_table import items_table

    mapping = parse_map(pairs, also=("item", "tries"))
    found = items_table(
        load_table(table, mapping, where),
        str(table),
        at=at,
        n_clusters=n_clusters,
        n_held=n_held,
    )
    if as_json:
        print(json.dumps(found, indent=2))
        return
    rows = [
        {"cluster": number}
        | {key: each[key] for key in ("items", "first", "last")}
        | {"foretold": "yes" if each["foretold"] else "no"}
        for number, each in enumerate(found["clusters"])
    ]
    show(rows, False, title=f"{found['n_items']} items by the compute that they need")
    if found["at"]:
        print()
        show(found["at"], False, title="Score of all items, 90 % intervals")
    if found["held_out"]:
        print()
        title = "Largest budgets, foretold from below: by clusters, and by one law"
        show(found["held_out"], False, title=title)
    show_warnings(found["warnings"])


def pruning_theory_command(
    pools: list[float], keep: float, theta: float, as_json: bool
) -> None:
    """Errors of keep-hard and keep-easy at every pool, and which is the lower."""
    from stages.laws.theory.perceptron import pruned_errors

    rows = [pruned_errors(pool, keep, theta) for pool in pools]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    show(rows, False, title=f"Test error by theory, {100 * keep:g} % of a pool kept")
    print(
        "\n"
        + paragraph(
            "pool: examples a dimension; all: nothing pruned. A max-margin perceptron"
            " without label noise (Sorscher et al. 2022): the order is the message, not"
            " the errors"
        )
    )


def contained_command(folder: Path, as_json: bool) -> None:
    """Every contained pair of data sets, and which of them are cheaper to rebuild than to keep."""
    from stages.curation.duplicates.containment import containment_graph
    from stages.curation.duplicates.reconstruction import deletion_plan

    graph = containment_graph(folder)
    plan = deletion_plan(graph)
    rows = [
        {
            **row,
            "child_mb": graph.tables[row["child"]].n_bytes / 1e6,
            "delete": plan.deleted.get(row["child"]) == row["parent"],
        }
        for row in graph.edges.to_dicts()
    ]
    if as_json:
        costs = {"cost_before": plan.cost_before, "cost_after": plan.cost_after}
        print(json.dumps({"pairs": rows, "skipped": graph.skipped, **costs}, indent=2))
        return
    if rows:
        show(rows, False, title="Data sets whose rows are all in another one")
    else:
        print(f"none of {len(graph.tables)} data sets lies in another")
    for name, why in graph.skipped.items():
        print(paragraph(f"{name} is not compared: {why}"))
