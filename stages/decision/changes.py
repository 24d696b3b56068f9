"""What a decision rests on that is no longer so: parameters, files, code and stages' products, the earliest first.

A record keeps what dvc.lock said of the stages before it; what dvc.lock says now is held against that. What changed on
the disk and is not in dvc.lock yet is DVC's to say (flows/freshness.py).
"""

from typing import Any

from stages.decision.record import Provenance
from stages.foundation.dvc_lock import LOCK, dvc_hashes, locked

MOST_CHARS = 60  # of a value that is shown


def changes_since(known: Provenance) -> list[str]:
    """One phrase a change, inputs first: `params: ingest.seed was 1 and is 2`. Empty where nothing did or nothing is
    known.
    """
    products = [path for paths in known.dvc.values() for path in paths]
    if not products or not LOCK.is_file():
        return []
    now = locked(LOCK, [*products, *known.inputs])
    stages = {name: known.params[name] for name in known.params if name in now.params}
    found = differences(stages, {name: now.params[name] for name in stages})
    found = [f"params: {line}" for line in found]
    for path, digest in known.sources.items():
        if now.sources.get(path) != digest:
            gone = "changed" if path in now.sources else "is no longer read"
            found.append(f"{path} {gone}")
    found += [
        f"{path} is new"
        for path in now.sources
        if known.sources and path not in known.sources
    ]
    found += [
        f"the code of stage {name} changed"
        for name, digest in known.code.items()
        if now.code.get(name) != digest
    ]
    return found or _products(known.dvc)


def _products(before: dict[str, dict[str, str]]) -> list[str]:
    """The first stage whose products differ though no input that is known does."""
    now = dvc_hashes(LOCK, [path for paths in before.values() for path in paths])
    for stage, paths in before.items():
        changed = [
            path
            for path, digest in paths.items()
            if now.get(stage, {}).get(path) != digest
        ]
        if changed:
            return [f"{changed[0]} of stage {stage} changed"]
    return []


def differences(old: Any, new: Any, key: str = "") -> list[str]:
    """`key was OLD and is NEW` of every leaf that differs, dotted keys.

    >>> differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}})
    ['a.c was 2 and is 3']
    """
    if old == new:
        return []
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [f"{key} was {_shown(old)} and is {_shown(new)}"]
    found = []
    for name in dict.fromkeys([*old, *new]):
        below = f"{key}.{name}" if key else str(name)
        if name not in new:
            found.append(f"{below} was {_shown(old[name])} and is left out")
        elif name not in old:
            found.append(f"{below} is new")
        else:
            found += differences(old[name], new[name], below)
    return found


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= MOST_CHARS else text[:MOST_CHARS] + "..."
