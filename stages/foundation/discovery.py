"""Folders whose every file counts: a new file is found, and no list is kept."""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


def modules_of(*folders: str) -> list[ModuleType]:
    """The modules in these folders (dotted names), imported: folder by folder, in each by name.

    Not the folder's `__init__` and nothing below. `code_deps` of stage.py follows calls whose
    arguments are written out, as it follows imports.

    >>> names = [module.__name__ for module in modules_of("stages.foundation")]
    >>> "stages.foundation.discovery" in names, names == sorted(names)
    (True, True)
    """
    return [
        import_module(f"{folder}.{entry.name}")
        for folder in folders
        for entry in sorted(iter_modules(import_module(folder).__path__))
        if not entry.ispkg
    ]
