"""Which documents there are, unit by unit, and how they are counted.

An ordinal is the place of a document in the whole input: the start of its unit plus its row. Documents that an index
remembers from earlier runs are units too; their ordinals follow those of the input.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Units:
    """The folders of the units, with `marks.bin` and `keys-*.bin` in each; the first `n_new` are this input's."""

    folders: tuple[Path, ...]
    starts: tuple[int, ...]  # ordinal of row 0 of each, and of the end
    n_new: int

    @property
    def n_documents(self) -> int:
        """Of this input."""
        return self.starts[self.n_new]

    @property
    def n_all(self) -> int:
        return self.starts[-1]

    def runs(self, pattern: str = "keys-*.bin") -> list[tuple[int, Path]]:
        """(ordinal of row 0, run) of every run of keys, in order."""
        return [
            (start, run)
            for start, folder in zip(self.starts, self.folders, strict=False)
            for run in sorted(folder.glob(pattern))
        ]
