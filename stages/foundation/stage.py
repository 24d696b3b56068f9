"""What a stage is: declared once, here is everything that is derived from the declaration.

stages/declarations/NAME.py names the section of params.yaml (a frozen pydantic model), what is checked across sections,
and `stage = Stage(...)`; stages/NAME.py holds the work, `run`, and is imported when it is done. From the declaration
come dvc.yaml (`dvc_yaml`), the command that DVC runs (`python -m stages NAME`) and the Prefect task
(flows/with_dvc/tasks.py). Every command checks params.yaml, so declarations import neither polars nor numpy.

Code dependencies are not listed by hand: they are the modules that the file of the work imports, directly or through
others, read from the sources without running them. What only functions import, as the trainer behind a score that few
projects ask for, a stage may declare to be unused with the parameters at hand; all else counts.
"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from stages.foundation import artefacts, hashes
from stages.foundation.section import Section

ROOT = Path(__file__).resolve().parents[2]
# Read by every stage, so a change in them must not retrain everything; tests pin their behaviour.
PLUMBING = {
    "stages/__init__.py",
    "stages/foundation/artefacts.py",
    "stages/foundation/stage.py",
    "stages/foundation/errors.py",
    "stages/foundation/one_line.py",
    "stages/foundation/files.py",
    "stages/foundation/hashes.py",
    "stages/foundation/sealed.py",
    "stages/foundation/section.py",
}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A step of the pipeline. Paths are relative to the repository root."""

    name: str  # the section of params.yaml, the file under stages/ and the name in dvc.yaml
    params: type[Section]
    question: str
    deps: tuple[str, ...] = ()
    outs: tuple[str, ...] = ()
    tracked: tuple[str, ...] = ()  # small outs that git keeps (cache: false)
    metrics: tuple[str, ...] = ()
    resumable: tuple[str, ...] = ()  # outs that survive a rerun (persist: true)
    kept: tuple[str, ...] = ()  # tracked outs that a rerun adds to (both of these)
    # deps named in the params
    inputs: Callable[[Any], Sequence[str]] = field(default=lambda _: ())
    # parts (dotted names) whose imports inside functions are not reached with these sections
    unused: Callable[[Mapping[str, Any]], Sequence[str]] = field(default=lambda _: ())
    agrees: Callable[[dict[str, Any]], tuple[list[str], str] | None] = field(
        default=lambda _: None
    )  # a fault across sections: its keys and the rule
    # sections of params.yaml, besides its own, from which its own is completed where there is a target
    follows: tuple[str, ...] = ()
    reads_outside: bool = False  # buckets and packages, which may be out of reach
    shown: str = ""  # main output in the README, as Markdown; empty: the first product

    @property
    def main_output(self) -> str:
        """What the README's table shows of the products."""
        return self.shown or f"`{self.products[0]}`"

    @property
    def hashed(self) -> tuple[str, ...]:
        """Products that later stages read as this one left them."""
        return self.outs + self.tracked

    def run(self, section: Section) -> None:
        """The work alone: `run` of stages/NAME.py."""
        import_module(f"stages.{self.name}").run(section)

    def carry_out(self, section: Section) -> None:
        """Run on inputs that are whole, and record what was made. Raises InputError where an input is damaged."""
        hashes.require_whole(self.deps)
        hashes.forget(self.name)
        self.run(section)
        hashes.record(self.name, self.hashed)

    @property
    def products(self) -> tuple[str, ...]:
        return self.outs + self.tracked + self.metrics + self.resumable + self.kept


def imported_modules(module_file: Path) -> set[Path]:
    """Our own files that `module_file` imports at any depth of its body, itself not included."""
    return set(_files(module_file, module_file.stat().st_mtime_ns))


def deferred_imports(module_file: Path) -> set[Path]:
    """Those of them that stand inside functions or for types alone: importing the file does not import them."""
    changed_ns = module_file.stat().st_mtime_ns
    return set(
        _files(module_file, changed_ns) - _files(module_file, changed_ns, at_once=True)
    )


@cache
def _files(
    module_file: Path, changed_ns: int, at_once: bool = False
) -> frozenset[Path]:
    """Remembered for a file as it is, since every stage asks for the files that many stages share."""
    found: set[Path] = set()
    for imported in _source(module_file).imported:
        if not (at_once and imported.is_deferred):
            found.update(imported.files())
    return frozenset(found - {module_file})


@dataclass(frozen=True)
class _Import:
    """What one statement imports, or one call of `modules_of`, as dotted names.

    is_deferred: it stands in the body of a function, or is for type checkers.
    """

    names: tuple[str, ...]
    is_deferred: bool
    is_folders: bool = False

    def files(self) -> Iterator[Path]:
        """Those of ours that do something when they are imported."""
        if not self.is_folders:
            yield from filter(None, map(_module_file, self.names))
            return
        for name in self.names:
            for file in ROOT.joinpath(*name.split(".")).glob("*.py"):
                if _source(file).does_something:
                    yield file


@dataclass(frozen=True)
class _Source:
    """What is read from a file. does_something: not empty, nor a docstring alone, as many an `__init__.py` of ours."""

    imported: tuple[_Import, ...]
    does_something: bool


def _source(file: Path) -> _Source:
    return _read_source(file, file.stat().st_mtime_ns)


@cache
def _read_source(file: Path, changed_ns: int) -> _Source:
    text = file.read_text("utf-8")
    tree = ast.parse(text)
    # imports are statements, but a call may stand in any expression
    below = ast.iter_child_nodes if "modules_of" in text else _statements
    found = [
        _import(node, file, is_deferred)
        for node, is_deferred in _nodes_below(tree, below)
    ]
    does_something = any(
        not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in tree.body
    )
    return _Source(tuple(filter(None, found)), does_something)


def _nodes_below(
    node: ast.AST, below: Callable[[ast.AST], Iterable[ast.AST]], deferred: bool = False
) -> Iterator[tuple[ast.AST, bool]]:
    """Every node, and whether it is deferred. below: the parts of a node."""
    for child in below(node):
        is_deferred = (
            deferred
            or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            or (
                isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
            )
        )
        yield child, is_deferred
        yield from _nodes_below(child, below, is_deferred)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """The statements of a block, a function or a class; none of an expression."""
    for block in ("body", "handlers", "orelse", "finalbody", "cases"):
        yield from getattr(node, block, ())


def _import(node: ast.AST, file: Path, is_deferred: bool) -> _Import | None:
    """What one node of a file imports, None where it is no import."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
        return _Import(tuple(names), is_deferred)
    if isinstance(node, ast.ImportFrom):
        package = file.relative_to(ROOT).parts[: -node.level] if node.level else ()
        base = ".".join([*package, *([node.module] if node.module else [])])
        names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        return _Import(tuple(names), is_deferred)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id == "modules_of":
            return _Import(_folders(node), is_deferred, is_folders=True)
    return None


def _folders(call: ast.Call) -> tuple[str, ...]:
    """The folders that a call of `discovery.modules_of` imports."""
    for folder in call.args:
        if not isinstance(folder, ast.Constant) or not isinstance(folder.value, str):
            raise TypeError(
                f"modules_of({ast.unparse(folder)}): write the folder's dotted name out"
            )
    return tuple(str(ast.literal_eval(folder)) for folder in call.args)


def code_deps(stage: Stage, unused: Sequence[str] = ()) -> list[str]:
    """The stage's own file and all it imports of ours, as sorted paths relative to the root.

    unused: dotted names of parts; an import of them, or below them, inside a function does not count.
    """
    todo, seen = [ROOT / f"stages/{stage.name}.py"], set()
    while todo:
        file = todo.pop()
        if file in seen:
            continue
        seen.add(file)
        deferred = deferred_imports(file) if unused else set()
        todo.extend(
            module
            for module in imported_modules(file)
            if not (module in deferred and _is_part(module, unused))
        )
    return sorted({f.relative_to(ROOT).as_posix() for f in seen} - PLUMBING)


def _is_part(file: Path, parts: Sequence[str]) -> bool:
    name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    return any(f"{name}.".startswith(f"{part}.") for part in parts)


def _module_file(name: str) -> Path | None:
    if not re.match(r"(stages|flows)\b", name):
        return None
    base = ROOT.joinpath(*name.split("."))
    for file in (base.with_suffix(".py"), base / "__init__.py"):
        if file.is_file() and _source(file).does_something:
            return file
    return None


def dvc_stage(
    stage: Stage, section: Section, params: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The entry of one stage in dvc.yaml. params: every section; without them no code counts as unused."""
    code = code_deps(stage, stage.unused(params) if params else ())
    entry: dict[str, Any] = {
        "cmd": f"python -m stages {stage.name}",
        "desc": stage.question,
        "deps": sorted({*code, *stage.deps, *stage.inputs(section)}),
        "params": [stage.name],
    }
    outs: list[Any] = list(stage.outs)
    outs.append(artefacts.hashes(stage.name))
    outs += [{path: {"persist": True}} for path in stage.resumable]
    outs += [{path: {"cache": False}} for path in stage.tracked]
    outs += [{path: {"cache": False, "persist": True}} for path in stage.kept]
    if outs:
        entry["outs"] = outs
    if stage.metrics:
        entry["metrics"] = [{path: {"cache": False}} for path in stage.metrics]
    return entry
