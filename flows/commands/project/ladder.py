"""`assay plan --ladder` and the dial of `assay run`: a target and a time become proxies, printed, written, run."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from flows.commands.show import paragraph, show
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.foundation.files import whole_file
from stages.foundation.sealed import AGAIN, read_sealed
from stages.foundation.yaml_file import read_yaml
from stages.pipeline import PIPELINE
from stages.settings.params import check_tree, load_params
from stages.target.derived import LADDER_KEYS, wanted_ladder, with_questions
from stages.target.ladder import HOUR_S, Ladder, ladder
from stages.target.ladder_words import ladder_rows, reason_lines, shown_ladder
from stages.target.target import LENGTHS, Target

# what the dial takes out of the file, so that it follows from the target again
FOLLOWING = {
    "arms": ("draw_tokens",),
    "sweep": ("pool_passes",),
    "decide": ("target_flops", "n_params"),
}
REPLACED = {
    "arms": ("draws", "draw_tokens"),
    "sweep": (*LADDER_KEYS, "pool_passes"),
    "decide": FOLLOWING["decide"],
}


@dataclass(frozen=True)
class Dial:
    """The command line's part: None where it says nothing."""

    params: float | None = None
    tokens: float | None = None
    hours: float | None = None

    @property
    def is_turned(self) -> bool:
        return (self.params, self.tokens, self.hours) != (None, None, None)


@dataclass(frozen=True)
class Chosen:
    """A ladder for a target on this machine. replaced: `section.key` -> what the file said."""

    target: Target
    hours: float
    ladder: Ladder
    machine: str
    replaced: dict[str, Any]


def choose(params_file: Path, dial: Dial) -> Chosen:
    """The ladder that fits the hours on this machine. InputError where there is no target, or a fault in the file,
    before anything is measured.
    """
    tree, values = read_yaml(params_file)
    if tree is None or not isinstance(values, dict):
        raise InputError(f"{params_file}: must hold one section a stage")
    target = _target(values.get("target"), dial, params_file)
    check_tree(params_file, tree, values=_aimed(values, target), pipeline=PIPELINE)
    if str((values.get("ingest") or {}).get("modality", "text")) != "text":
        raise InputError(
            f"{params_file}: a ladder is chosen for text; give the sizes of image"
            " proxies in sweep.sizes"
        )
    sweep = values.get("sweep") or {}
    hours = 1.0 if dial.hours is None else dial.hours
    batch_tokens, device = sweep.get("batch_tokens", 512), sweep.get("device", "auto")
    from stages.sweeping.ladder_here import machine_here  # loads torch

    machine = machine_here(batch_tokens, device)
    wanted = wanted_ladder(
        with_questions({**values, "target": target.model_dump(exclude_none=True)}),
        target,
        passes=_passes(target),
        seconds=hours * HOUR_S,
        given={"batch_tokens": batch_tokens},
    )
    replaced = {
        f"{section}.{key}": values[section][key]
        for section, keys in REPLACED.items()
        for key in keys
        if key in (values.get(section) or {})
    }
    return Chosen(target, hours, ladder(wanted, machine.rate), machine.words, replaced)


def _aimed(values: dict[str, Any], target: Target) -> dict[str, Any]:
    """The sections with this target, without the keys that the ladder or the target gives."""
    aimed = values | {"target": target.model_dump(exclude_none=True)}
    for section, keys in REPLACED.items():
        if isinstance(aimed.get(section), dict):
            kept = {
                key: each for key, each in aimed[section].items() if key not in keys
            }
            aimed[section] = kept
    return aimed


def _target(stated: Any, dial: Dial, params_file: Path) -> Target:
    """The target of the file with what the command line says in its place."""
    said = dict(stated) if isinstance(stated, dict) else {}
    if dial.params is not None:
        said["params"] = dial.params
    if dial.tokens is not None:
        said = {key: said[key] for key in said if key not in (*LENGTHS, "flops_per_s")}
        said["tokens"] = dial.tokens
    if "params" not in said or not set(LENGTHS) & set(said):
        raise InputError(
            f"{params_file}: has no section `target`; add one, or give --target-params"
            " 1e9 --target-tokens 2e10"
        )
    try:
        return Target.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, ("target", *first["loc"])))
        raise InputError(f"{params_file}: {key}: {first['msg']}") from None


def _passes(target: Target) -> float | None:
    """Passes of the target over its pools, by what was ingested where that counts and is there."""
    if not Path(artefacts.ARMS).is_file():
        return target.stated_passes
    pools = read_sealed(artefacts.ARMS, AGAIN).get("pool_tokens")
    return target.passes(pools) if pools else target.stated_passes


def ladder_command(params_file: Path, dial: Dial, as_json: bool) -> None:
    """Print the ladder and write nothing."""
    print_ladder(choose(params_file, dial), as_json)


def print_ladder(chosen: Chosen, as_json: bool) -> None:
    """The ladder as a table with its reasons, or as JSON."""
    found = chosen.ladder
    if as_json:
        said = {
            "target": chosen.target.model_dump(exclude_none=True),
            "hours": chosen.hours,
            "machine": chosen.machine,
            "ladder": ladder_rows(found),
            "sweep": found.settings(),
            "arms": {"draws": found.draws},
            "seconds": round(found.seconds, 1),
            "fits": found.fits,
            "reasons": found.reasons,
            "replaces": chosen.replaced,
        }
        print(json.dumps(said, indent=2))
        return
    show(
        shown_ladder(found),
        False,
        title=f"Proxies for {chosen.target.params:.3g} parameters and"
        f" {chosen.target.n_tokens:.3g} tokens, in {chosen.hours:g} h",
    )
    for line in reason_lines(found, chosen.target, chosen.machine):
        print(paragraph(line))


def turn(params_file: Path, dial: Dial) -> None:
    """Choose, print and write the ladder into the parameters. InputError where none fits the time."""
    chosen = choose(params_file, dial)
    print_ladder(chosen, as_json=False)
    if not chosen.ladder.fits:
        least = chosen.ladder.seconds / HOUR_S / 0.8
        raise InputError(
            f"--hours {chosen.hours:g}: the least ladder takes longer here; give"
            f" --hours {least:.2g} or more"
        )
    write(params_file, chosen)
    for key, old in chosen.replaced.items():
        print(f"{params_file}: {key} was {old}", file=sys.stderr)
    print(f"{params_file} holds this target and these proxies now", file=sys.stderr)


def write(params_file: Path, chosen: Chosen) -> None:
    """Put target and ladder into the file; its comments and all other keys stay. Nothing is written that is refused."""

    def change(document: Any) -> None:
        for section, keys in FOLLOWING.items():
            for key in keys:
                (document.get(section) or {}).pop(key, None)
        said = chosen.target.model_dump(exclude_none=True)
        target = {key: _plain(value) for key, value in said.items()}
        _set(document, "target", target)
        _set(document, "sweep", chosen.ladder.settings())
        _set(document, "arms", {"draws": chosen.ladder.draws})
        stated = document["target"]
        for key in [key for key in stated if key not in said]:
            del stated[key]

    edited(params_file, change)


def edited(params_file: Path, change: Callable[[Any], None]) -> None:
    """Change the file's mapping and write it whole; its comments stay. InputError, and nothing written, where the
    outcome is refused.
    """
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width, yaml.preserve_quotes = 4096, True
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(params_file.read_text("utf-8"))
    change(document)
    with whole_file(params_file) as temporary:
        with temporary.open("w", encoding="utf-8") as file:
            yaml.dump(document, file)
        load_params(temporary, PIPELINE)


def _set(document: Any, section: str, values: dict[str, Any]) -> None:
    """Set keys of a section, which is made where it is not there; lists and mappings in one line."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if not document.get(section):
        document[section] = CommentedMap()
    for key, value in values.items():
        if isinstance(value, list):
            items = [CommentedMap(x) if isinstance(x, dict) else x for x in value]
            for item in items:
                if isinstance(item, CommentedMap):
                    item.fa.set_flow_style()
            value = CommentedSeq(items)
            if not any(isinstance(item, CommentedMap) for item in items):
                value.fa.set_flow_style()
        elif isinstance(value, dict):
            value = CommentedMap(value)
            value.fa.set_flow_style()
        document[section][key] = value


def _plain(value: Any) -> Any:
    """A number without idle decimals, so that 1e9 stands as 1000000000."""
    whole = isinstance(value, float) and value.is_integer() and value < 1e15
    return int(value) if whole else value
