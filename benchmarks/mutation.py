"""Mutation tests of what decides: how many wrong lines, put in one at a time, turn a test red?

Question: do the tests hold the deciders? Input: [tool.mutmut] of pyproject.toml, which says what is mutated and which
tests judge it. Output: one row a file with killed and survived mutants, then the survivors by name. Cost: all 5,000
mutants take one to two hours on two cores; --share takes a random part of every file.

    python benchmarks/mutation.py --share 0.1
    python benchmarks/mutation.py --only stages.laws.deciding.compare --only stages.decision.provenance
    mutmut show stages.laws.deciding.compare.x_compare__mutmut_1
"""

import argparse
import json
import random
import re
import subprocess
import sys
from pathlib import Path

SURVIVED, UNTESTED = 0, 33  # exit codes that mutmut keeps; none: not run
MUTANTS = Path("mutants")


def outcomes() -> dict[str, int | None]:
    """Mutant -> exit code of its tests."""
    found: dict[str, int | None] = {}
    for file in sorted(MUTANTS.glob("stages/**/*.meta")):
        found |= json.loads(file.read_text("utf-8"))["exit_code_by_key"]
    return found


def module_of(mutant: str) -> str:
    """stages.laws.deciding.compare of stages.laws.deciding.compare.x_compare__mutmut_1."""
    return re.sub(r"\.x[_ǁ][^.]*$", "", mutant)


def sampled(mutants: list[str], share: float, seed: int) -> list[str]:
    """A share of the mutants of every module, at least one."""
    rng, chosen = random.Random(seed), []
    for module in sorted({module_of(mutant) for mutant in mutants}):
        own = [mutant for mutant in mutants if module_of(mutant) == module]
        chosen += rng.sample(own, max(1, round(share * len(own))))
    return chosen


def mutmut(*names: str, jobs: int) -> None:
    subprocess.run(
        [sys.executable, "-m", "mutmut", "run", "--max-children", str(jobs), *names],
        stdout=subprocess.DEVNULL,
        check=False,
    )


def table(found: dict[str, int | None]) -> list[str]:
    """Lines for a person: module, mutants run, killed, score."""
    lines = ["| module | run | killed | score |", "|---|---:|---:|---:|"]
    for module in [*sorted({module_of(mutant) for mutant in found}), ""]:
        codes = [
            code for mutant, code in found.items() if module in ("", module_of(mutant))
        ]
        killed = sum(code not in (SURVIVED, UNTESTED) for code in codes)
        score = f"{killed / max(1, len(codes)):.1%}"
        lines.append(f"| {module or 'all'} | {len(codes)} | {killed} | {score} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--share", type=float, default=1.0, help="part of every file's mutants"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--only", action="append", default=[], help="module, by its start"
    )
    parser.add_argument("--report", action="store_true", help="only show what was run")
    options = parser.parse_args()
    if not options.report:
        if not outcomes():  # the first call makes the mutants and tries one
            mutmut("stages.decision.verdict.x_overall__mutmut_1", jobs=options.jobs)
        names = [
            mutant
            for mutant in outcomes()
            if not options.only or mutant.startswith(tuple(options.only))
        ]
        mutmut(*sampled(names, options.share, options.seed), jobs=options.jobs)
    done = {mutant: code for mutant, code in outcomes().items() if code is not None}
    print("\n".join(table(done)))
    for mutant, code in done.items():
        if code in (SURVIVED, UNTESTED):
            print("survived" if code == SURVIVED else "no test", mutant)


if __name__ == "__main__":
    main()
