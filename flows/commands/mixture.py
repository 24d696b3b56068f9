"""`assay mixture`: read, call, print."""

import json
from pathlib import Path

from flows.commands.fit import parse_map, show_warnings
from flows.commands.show import show
from flows.commands.tables import load_table
from stages.runs.table import read_table


def mixture_command(
    table: str,
    pairs: list[str],
    where: str | None,
    *,
    method: str,
    predict: Path | None,
    as_json: bool,
) -> None:
    """The best mixture of a table of mixtures, how well it is known, and values of other mixtures."""
    from stages.mixtures.mixture_table import mixture_table

    mapping = parse_map(pairs)
    others = {name: column for name, column in mapping.items() if name != "value"}
    wanted = read_table(predict, others) if predict else None
    rows = load_table(table, mapping, where)
    found = mixture_table(rows, str(table), method=method, predict=wanted)
    if as_json:
        print(json.dumps(found, indent=2))
        return
    print(f"{found['method']}: {found['n_runs']} runs, {len(found['domains'])} domains")
    if found["best"]:
        print()
        shares = [{"domain": d, "share": s} for d, s in found["best"].items()]
        title = f"Best mixture, value {found['best_value']:.4g}"
        show(shares, False, title=f"{title} (mean mixture {found['mean_value']:.4g})")
    if found["check"]:
        print()
        show([found["check"]], False, title="Mixtures that were left out")
    if wanted is not None:
        print()
        predicted = [
            {**row, "value": value}
            for row, value in zip(wanted.to_dicts(), found["predictions"], strict=True)
        ]
        show(predicted, False, title="Predictions")
    show_warnings(found["warnings"])
