"""Dataset containment by the three steps beside the plain way: every pair of equal schema joined
whole.

python benchmarks/containment.py [TABLES] [ROWS]. Makes a folder of tables, some contained in
others, and finds the graph both ways. Prints CPU seconds, pairs read and the ratio; the last line
is one JSON object.
"""

import itertools
import json
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from stages.curation.duplicates.containment import (
    absent,
    containment_graph,
    read_tables,
    same_columns,
)
from stages.curation.duplicates.reconstruction import Prices, deletion_plan


def write_lake(folder: Path, n_tables: int, n_rows: int) -> None:
    """A quarter of independent tables; the others are parts of them, half of these with 2 % of rows changed."""
    rng = np.random.default_rng(0)
    roots = max(1, n_tables // 4)
    for number in range(n_tables):
        root = number % roots
        own = np.random.default_rng(100 + root)
        frame = pl.DataFrame(
            {
                "key": own.integers(0, 1 << 40, n_rows),
                "x": own.normal(size=n_rows),
                "w": own.integers(0, 1000, n_rows).astype(str),
            }
        )
        if number >= roots:
            frame = frame.filter(
                pl.Series(rng.uniform(size=n_rows) < rng.uniform(0.2, 0.9))
            )
            if number % 2:
                frame = frame.with_columns(
                    w=pl.when(pl.int_range(pl.len()) % 50 == 0)
                    .then(pl.lit("?"))
                    .otherwise("w")
                )
        frame.write_parquet(folder / f"t{number:03d}.parquet")


def main() -> None:
    n_tables, n_rows = (
        int(sys.argv[i]) if len(sys.argv) > i else default
        for i, default in ((1, 24), (2, 100_000))
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_lake(folder, n_tables, n_rows)
        start = time.process_time()
        graph = containment_graph(folder)
        steps_s = time.process_time() - start
        start = time.process_time()
        plan = deletion_plan(graph, prices=Prices(read_gb=0.1))
        plan_s = time.process_time() - start
        tables, _ = read_tables(folder)
        start = time.process_time()
        pairs = [
            (a, b)
            for a, b in itertools.permutations(tables.values(), 2)
            if same_columns(a, b)
        ]
        whole = {
            (a.name, b.name) for a, b in pairs if not absent(a.scan().collect(), b)
        }
        whole_s = time.process_time() - start
    found = set(graph.edges.select("child", "parent").iter_rows())
    print(f"{n_tables} tables of up to {n_rows} rows; pairs left: {graph.pairs_left}")
    print(
        f"three steps {steps_s:8.2f} CPU-s   every pair joined whole {whole_s:8.2f}"
        f" CPU-s   ratio {whole_s / steps_s:.1f}"
    )
    print(
        f"edges {len(found)}, true {len(whole)}, missed {len(whole - found)}, wrong"
        f" {len(found - whole)}; plan {plan_s:.2f} CPU-s deletes {len(plan.deleted)}"
    )
    figures = {
        "tables": n_tables,
        "rows": n_rows,
        "steps_cpu_s": round(steps_s, 3),
        "whole_cpu_s": round(whole_s, 3),
        "ratio": round(whole_s / steps_s, 1),
    }
    figures |= {
        "pairs_left": graph.pairs_left,
        "edges": len(found),
        "missed": len(whole - found),
        "wrong": len(found - whole),
        "deleted": len(plan.deleted),
    }
    machine = {
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "polars": pl.__version__,
    }
    print(json.dumps(figures | {"machine": machine}))


if __name__ == "__main__":
    main()
