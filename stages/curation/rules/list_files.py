"""The files behind the user's own lists: domains, addresses and words that a URL must not hold, and bad words.

Input: text files, one entry a line, '#' starts a comment. Output: sets of entries in lower case; blocklists.py counts
them.
"""

from dataclasses import dataclass
from pathlib import Path

from stages.foundation.errors import InputError


@dataclass(frozen=True, kw_only=True)
class UrlLists:
    """Lists in lower case. A domain stands for its subdomains too; a soft word counts, it takes several to drop."""

    domains: frozenset[str] = frozenset()
    urls: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    soft_words: frozenset[str] = frozenset()
    substrings: frozenset[str] = frozenset()


def url_lists(**files: Path | str) -> UrlLists:
    """`UrlLists` from one file for each of its fields.

    >>> _ = Path("domains.txt").write_text("casino.example  # gambling\\nspam.example")
    >>> sorted(url_lists(domains="domains.txt").domains)
    ['casino.example', 'spam.example']
    """
    return UrlLists(**{name: read_list(file) for name, file in files.items()})


def read_list(file: Path | str) -> frozenset[str]:
    """The entries of a list file, lower case."""
    try:
        lines = Path(file).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file}: cannot read the list ({error}); give a UTF-8 text file with one"
            " entry a line"
        ) from None
    entries = frozenset(line.partition("#")[0].strip().lower() for line in lines) - {""}
    if not entries:
        raise InputError(
            f"{file}: the list has no entry; give one a line, or leave the list out"
        )
    return entries
