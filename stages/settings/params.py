"""params.yaml, read and checked whole before any work starts.

One section a stage, of the same name, or none where the stage has a default for everything; `target`,
from which defaults follow (derived.py), and `curate`, for `assay curate`, may stand there too. A message
names the file, the line, the dotted key, the rule and the value seen:
`params.yaml:41: arms.draws: must be at least 2 (value 1)`.
"""

import difflib
import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from stages.foundation.errors import InputError
from stages.foundation.one_line import shortened
from stages.foundation.stage import Section, Stage
from stages.foundation.yaml_file import read_yaml
from stages.settings.curate import CurateSettings
from stages.settings.named_files import missing_file
from stages.target.derived import with_derived
from stages.target.target import Target

RULES = {
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "missing": "is required",
    "too_short": "needs at least {min_length} entries",
    "literal_error": "must be one of {expected}",
    "model_type": "must be a mapping of keys to values",
    "dict_type": "must be a mapping of names to values",
    "list_type": "must be a list",
    "union_tag_invalid": "{discriminator} must be one of {expected_tags}",
    "union_tag_not_found": "needs {discriminator}",
}


class Sections(dict[str, Any]):
    """The section of each stage by its name. written: the sections that stand in the file itself."""

    def __init__(self, sections: dict[str, Section], written: frozenset[str]) -> None:
        super().__init__(sections)
        self.written = written


def params_model(pipeline: tuple[Stage, ...]) -> type[BaseModel]:
    """The model of the whole file: one section a stage, `target` and `curate`. A section may be left out
    where each of its fields has a default.
    """
    sections = {stage.name: stage.params for stage in pipeline}
    fields: dict[str, Any] = {"target": (Target | None, None)}
    fields |= {
        name: (model, ... if _requires(model) else model())
        for name, model in (sections | {"curate": CurateSettings}).items()
    }
    return create_model(
        "Params", __config__=ConfigDict(frozen=True, extra="forbid"), **fields
    )


def _requires(model: type[BaseModel]) -> bool:
    return any(field.is_required() for field in model.model_fields.values())


def load_params(
    path: Path | str, pipeline: tuple[Stage, ...], *, files_of: Sequence[Stage] = ()
) -> Sections:
    """Every section of the file by stage name, with what follows from its target.

    files_of: stages whose named files and folders must be there. Raises InputError with one line for the first fault.
    """
    tree, values = read_yaml(Path(path))
    if tree is None or not isinstance(values, dict):
        raise InputError(
            f"{path}: must hold one section a stage"
            f" ({', '.join(s.name for s in pipeline)})"
        )
    sections = check_tree(Path(path), tree, values=values, pipeline=pipeline)
    if files_of and (fault := missing_file(files_of, sections, pipeline)):
        keys, rule = fault
        dotted = ".".join(map(str, keys))
        raise InputError(f"{path}:{_line(tree, keys)}: {dotted}: {rule}")
    return sections


def check_tree(
    path: Path, tree: yaml.Node, values: dict[str, Any], pipeline: tuple[Stage, ...]
) -> Sections:
    """Every section of `values` by stage name. tree: the file that they come from, for the lines in errors.

    Raises InputError with one line for the first fault.
    """
    checked = _validated(
        path, tree, values=with_derived(values), model=params_model(pipeline)
    )
    sections = Sections(
        {stage.name: getattr(checked, stage.name) for stage in pipeline},
        written=frozenset(str(name) for name in values),
    )
    for stage in pipeline:
        if fault := stage.agrees(sections):
            keys, rule = fault
            raise InputError(f"{path}:{_line(tree, keys)}: {'.'.join(keys)}: {rule}")
    return sections


def load_curate(path: Path | str) -> CurateSettings:
    """The section `curate` of a file; sections of stages may stand beside it and are not looked at."""
    tree, values = read_yaml(Path(path))
    if tree is None or not isinstance(values, dict) or "curate" not in values:
        raise InputError(
            f"{path}: has no section 'curate'; add one, or leave out --params for the"
            " defaults"
        )
    model = create_model(
        "CurateFile",
        __config__=ConfigDict(frozen=True, extra="ignore"),
        curate=(CurateSettings, ...),
    )
    return _validated(Path(path), tree, values=values, model=model).curate


def _validated(
    path: Path, tree: yaml.Node, values: dict, model: type[BaseModel]
) -> Any:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InputError(_message(path, tree, model=model, error=error)) from None
    except RecursionError:
        raise InputError(f"{path}: an alias stands for itself; write it out") from None


def _message(
    path: Path, tree: yaml.Node, model: type[BaseModel], error: ValidationError
) -> str:
    first = error.errors()[0]
    # in brackets: a key of a mapping, or the kind of a question
    keys = [key for key in first["loc"] if not str(key).startswith("[")]
    line = _line(tree, keys)
    dotted = ".".join(shortened(str(key), 40) for key in keys)
    where = f"{path}:{line}: {dotted}"
    if first["type"] == "extra_forbidden":
        rule = "unknown key" + _suggestion(model, keys)
    elif first["type"] in RULES:
        rule = RULES[first["type"]].format(**first.get("ctx", {}))
    else:
        rule = first["msg"].removeprefix("Value error, ")
    seen = first["input"]
    value = (
        ""
        if first["type"] == "missing" or isinstance(seen, dict)
        else f" (value {shortened(shown(seen), 80)})"
    )
    more = len(error.errors()) - 1
    return f"{where}: {rule}{value}" + (f"; {more} more" if more else "")


def shown(value: Any) -> str:
    """A value as Python writes it, long lists and mappings cut."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 100
    return short.repr(value)


def _line(node: yaml.Node, keys: list[Any]) -> int:
    """The line of the deepest of `keys` that the file holds, counted from 1."""
    line = node.start_mark.line + 1
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            pair = next((p for p in node.value if p[0].value == str(key)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif (
            isinstance(node, yaml.SequenceNode)
            and isinstance(key, int)
            and key < len(node.value)
        ):
            node = node.value[key]
            line = node.start_mark.line + 1
    return line


def _suggestion(model: type[BaseModel], keys: list[Any]) -> str:
    """The nearest valid key of the section that holds the unknown one, where it can be told."""
    models = [model]
    for key in keys[:-1]:
        inside = [
            m.model_fields[key].annotation for m in models if key in m.model_fields
        ]
        # any other key is a name or a place in a mapping or list, whose models these are already
        models = [m for each in inside for m in _models(each)] if inside else models
    # of several kinds, which one was meant cannot be told
    known = list(models[0].model_fields) if len(models) == 1 else []
    near = difflib.get_close_matches(str(keys[-1]), known, n=1)
    return (
        f"; did you mean {near[0]!r}?"
        if near
        else (f"; known keys: {', '.join(known)}" if known else "")
    )


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models of a field: its own, or of what its mapping, list or union holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
