"""`assay mix` and `assay mixture`: read tables, search, print."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.commands.fit import parse_map, show_figures, show_warnings
from flows.commands.show import paragraph, show
from flows.commands.tables import load_table
from stages.foundation.errors import InputError
from stages.runs.table import read_table

if TYPE_CHECKING:
    from stages.mixtures.swarm_tables import Swarm

SLOW_SECONDS = 3  # after which a terminal sees a bar
NEEDED = ("R_D_star", "B", "beta")


def named_numbers(option: str, given: list[str]) -> dict[str, float]:
    """a=.5,b=.5 in one or several options as a dict; InputError where one is no such pair.

    >>> named_numbers("--weights", ["a=.25,b=.5", "c=1"])
    {'a': 0.25, 'b': 0.5, 'c': 1.0}
    """
    found: dict[str, float] = {}
    for pair in [part for text in given for part in text.split(",") if part.strip()]:
        name, equals, number = (part.strip() for part in pair.rpartition("="))
        try:
            value = float(number)
        except ValueError:
            value = float("nan")
        if not (equals and name and abs(value) < float("inf")):
            raise InputError(
                f"{option} {pair}: write NAME=NUMBER, several with commas between"
            )
        if name in found:
            raise InputError(f"{option}: {name} is given twice; keep one")
        found[name] = value
    return found


def mix_command(
    ratios: Path,
    metrics: Path,
    *,
    given: dict[str, list[str]],
    tokens: float | None,
    law: Path | None,
    reach: float | None,
    seed: int,
    reuse: tuple[Path, Path] | None,
    figures: Path | None,
    as_json: bool,
) -> None:
    """The best mixture of a swarm. given: option -> its NAME=NUMBER words; reuse: tables of an earlier swarm."""
    from stages.mixtures.proposal import propose, record
    from stages.mixtures.wishes import Wishes

    numbers = {
        option.removeprefix("--").replace("-", "_"): named_numbers(option, words)
        for option, words in given.items()
    }
    wishes = Wishes(
        weights=numbers["weights"],
        prior=numbers["prior"],
        floors=numbers["floor"],
        caps=numbers["cap"],
        vetoes=numbers["veto"],
        unique_tokens=numbers["unique_tokens"],
        tokens=tokens,
        reach=reach,
    )
    repetition = repetition_law(law) if law else None
    swarm = whole_swarm((ratios, metrics), reuse, numbers["split"])
    bar = _Bar()
    try:
        found = propose(swarm, wishes, law=repetition, seed=seed, progress=bar.update)
    finally:
        bar.close()
    said, paths = record(found), []
    if figures is not None:
        from stages.mixtures.mix_curves import mix_curves
        from stages.mixtures.mix_figures import draw_mix
        from stages.presentation.figure_marks import save_all

        drawn = draw_mix(
            mix_curves(found),
            proposal=said["proposal"],
            interval=said["interval"],
            reference=said["reference"]["mixture"],
            level=said["level"],
        )
        paths = save_all({f"mix-{name}": each for name, each in drawn.items()}, figures)
    if as_json:
        print(json.dumps(said | {"figures": paths}, indent=2))
        return
    _print(said)
    show_warnings(said["warnings"])
    show_figures(paths)


def whole_swarm(
    files: tuple[Path, Path],
    reuse: tuple[Path, Path] | None,
    split: dict[str, float],
) -> "Swarm":
    """The runs of two tables, with those of an earlier swarm."""
    from stages.mixtures.reused import with_reused
    from stages.mixtures.swarm_tables import read_runs, refuse_thin

    swarm = read_runs(*files)
    if reuse is not None:
        swarm = with_reused(swarm, read_runs(*reuse), split)
    elif split:
        raise InputError("--split belongs to --reuse; give the earlier swarm there")
    refuse_thin(swarm)
    return swarm


def repetition_law(path: Path) -> dict[str, float]:
    """R_D_star, B and beta of a stored fit of data_constrained, of its first arm."""
    from stages.run_tables.fit_file import FitFile

    params = FitFile.read(path).params
    found = {}
    for name in NEEDED:
        value = params.get(name)
        if isinstance(value, dict):
            value = next(iter(value.values()), None)
        if value is None:
            raise InputError(
                f"{path}: the law has no {name}; give a fit of data_constrained"
                " (`assay fit data_constrained TABLE --out FIT`)"
            )
        found[name] = float(value.value)
    return found


class _Bar:
    """A bar a step, on a terminal, once a step takes long."""

    def __init__(self) -> None:
        self.step = ""
        self.bar: Any = None

    def update(self, step: str, done: int, total: int) -> None:
        if not sys.stderr.isatty():
            return
        from tqdm import tqdm

        if step != self.step:
            self.close()
            self.step = step
            self.bar = tqdm(
                total=total,
                desc=step,
                leave=False,
                dynamic_ncols=True,
                delay=SLOW_SECONDS,
            )
        self.bar.update(done - self.bar.n)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def _print(said: dict[str, Any]) -> None:
    """Tables for a person."""
    objective = said["objective"]
    gain, low, high = objective["gain"]
    print(
        paragraph(
            f"{said['status']}: {said['n_runs']} runs; weighted sum of metrics"
            f" {objective['value']:.4g} [{objective['low']:.4g}, {objective['high']:.4g}],"
            f" {gain:.3g} [{low:.3g}, {high:.3g}] below the reference"
            f" ({objective['reference']:.4g}), P(better) {objective['p_better']:.2f}"
        )
    )
    passes = said["repetition"]["passes"] if said["repetition"] else None
    reference = said["reference"]
    print()
    shares = [
        {
            "domain": domain,
            "share": round(share, 4),
            "low": round(said["interval"][domain][0], 4),
            "high": round(said["interval"][domain][1], 4),
            "reference": round(reference["mixture"][domain], 4),
            **({"passes": passes[domain]} if passes else {}),
        }
        for domain, share in said["proposal"].items()
    ]
    show(
        shares, False, title=f"Proposed mixture, with intervals of {said['level']:.0%}"
    )
    print()
    rows = [
        {
            "metric": metric,
            "weight": objective["weights"][metric],
            "value": value,
            "low": low,
            "high": high,
            "reference": reference["predicted"][metric][0],
            "rank left out": said["check"][metric]["rank_correlation"],
            "laws": ", ".join(
                f"{name} {weight:.2f}"
                for name, weight in sorted(
                    said["laws"][metric].items(), key=lambda pair: -pair[1]
                )[:2]
            ),
        }
        for metric, (value, low, high) in said["predicted"].items()
    ]
    show(rows, False, title="Predicted for a run of it")
    for metric, veto in said["vetoes"].items():
        change, least, most = veto["change"]
        print(
            paragraph(
                f"veto {metric}: {change:+.3g} [{least:+.3g}, {most:+.3g}] against the"
                f" reference, {veto['allowed']:g} allowed"
            )
        )


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
        ends = found["interval"] or {}
        shares = [
            {"domain": d, "share": s}
            | ({"low": ends[d][0], "high": ends[d][1]} if ends else {})
            for d, s in found["best"].items()
        ]
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
