"""manifest.json of a run of `assay curate` as a frozen record: what every field means.

The JSON schema is docs/manifest.schema.json, written by `assay schemas`.
"""

from typing import Any, Literal

from pydantic import Field

from stages.foundation.record_files import FileRecord, Record


class Counts(Record):
    """Rows and documents of the whole run."""

    rows: int = Field(description="rows that were read")
    bad_rows: int = Field(description="rows that cannot be read; in quarantine.jsonl")
    bad_files: int = Field(
        0,
        description=(
            "files that cannot be read, or not to their end, and are counted by no row;"
            " in quarantine.jsonl and faults"
        ),
    )
    empty: int = Field(description="rows without text")
    documents: int = Field(description="documents judged")
    characters: int = Field(description="Unicode characters of the documents")
    kept: int = Field(description="documents kept")
    dropped: int = Field(description="documents dropped")


class LedgerRow(Record):
    """One count of one step; the steps add up."""

    step: str = Field(description="name of the step")
    position: int = Field(description="place of the step, from 0")
    status: str = Field(description="in, kept or dropped")
    reason: str = Field(description="why dropped; empty for in and kept")
    documents: int = Field(description="documents (rows where the input is read)")
    characters: int = Field(description="Unicode characters")


class ReasonRow(Record):
    """What one reason drops."""

    reason: str = Field(description="name of the reason")
    asks: str = Field(description="what a document needs to stay, in words")
    documents_alone: int | None = Field(
        description="documents that it would drop by itself; null for a search"
    )
    characters_alone: int | None = Field(
        description="their Unicode characters; null for a search"
    )
    documents_in_order: int = Field(
        description="documents that no reason before it dropped"
    )
    characters_in_order: int = Field(description="their Unicode characters")


class RepeatedText(Record):
    """A line or paragraph that repeats."""

    text: str = Field(description="its text, cut")
    occurrences: int = Field(description="how often it occurs")
    characters: int = Field(description="Unicode characters of all its repeats")


class CopyPair(Record):
    """A near copy that was dropped, and what stays in its place."""

    id: str = Field(description="id of the document that was dropped")
    source: str = Field(description="where it was read")
    text: str = Field(description="its beginning")
    reason: str = Field(description="duplicate_near or duplicate_bands")
    duplicate_of: str = Field(description="id of the one that stays")
    similarity: float | None = Field(
        description="Jaccard similarity of their shingles; null where not compared"
    )
    kept_text: str = Field(
        description="the beginning of the one that stays; empty for one of an index"
    )


class Warned(Record):
    """Something to look at before the result is used."""

    code: str = Field(
        description="pool_lost, large_cluster, shared_text, no_language or little_kept"
    )
    message: str = Field(description="one line")


class Fault(Record):
    """What was wrong with a file of the input."""

    rows: int = Field(description="rows that cannot be read")
    first: str = Field(description="the first fault, with file and line")
    rest: str | None = Field(
        None,
        description="why the file, or the rest of it, is not read; null where it is",
    )

    def lines(self) -> list[str]:
        """The first bad row and how many more there are; why the file, or its rest, is not read."""
        if self.rest == self.first:
            more = f" (and {self.rows:,} rows of this file)" if self.rows else ""
            return [self.first + more]
        more = f" (and {self.rows - 1:,} more rows of this file)" * (self.rows > 1)
        rest = [] if self.rest is None else [self.rest]
        return [self.first + more, *rest]


class OutputFile(Record):
    """A file of the result."""

    file: str = Field(description="path below the output folder")
    documents: int = Field(description="documents in it")
    characters: int = Field(description="Unicode characters in it")
    bytes: int = Field(description="size, bytes")
    hash: str = Field(description="hash of its bytes, 16 hex digits")


class Side(Record):
    """The documents kept, or those dropped."""

    documents: int = Field(description="documents")
    characters: int = Field(description="Unicode characters")
    bytes: int = Field(description="size of the files, bytes")
    hash: str = Field(description="one hash over the hashes of the files")
    files: list[OutputFile] = Field(description="the files in order")


class Input(Record):
    """A file of the input."""

    name: str = Field(description="what the documents' `source` calls it")
    path: str = Field(description="path or URL")
    fingerprint: str = Field(description="changes when the file does")


class Manifest(FileRecord):
    """What a run of `assay curate` did: manifest.json. Where it lies the run is complete."""

    remedy = "run `assay curate` again with --overwrite"

    version: Literal[1] = Field(1, description="number of this format")
    counts: Counts = Field(description="rows and documents of the whole run")
    ledger: list[LedgerRow] = Field(description="documents through the steps")
    reasons: list[ReasonRow] = Field(description="what each reason drops, in order")
    examples: dict[str, list[tuple[str, str, str]]] = Field(
        description="reason -> [id, source, beginning of the text] of what it dropped"
    )
    repeats: dict[str, int | dict[str, list[RepeatedText]]] | None = Field(
        None,
        description=(
            "documents and characters whose lines or paragraphs repeat, and `most`:"
            " kind -> the most repeated; absent where none were looked for"
        ),
    )
    copies: list[CopyPair] = Field(
        [], description="near copies that were dropped, drawn by hash"
    )
    warnings: list[Warned] = Field([], description="what to look at, one line each")
    languages: dict[str, int] = Field(
        {},
        description=(
            "language that the rules judged by (und and a script: no table) ->"
            " documents"
        ),
    )
    faults: dict[str, Fault] = Field(description="file -> what was wrong with it")
    empty_files: list[str] = Field(description="files of the input that are empty")
    ignored_files: list[str] = Field(description="files left out by their suffix")
    kept: Side = Field(description="what was kept")
    dropped: Side = Field(description="what was dropped")
    inputs: list[Input] = Field(description="the files of the input")
    settings: dict[str, Any] = Field(
        description="the section `curate` with its defaults, and the thresholds"
    )
    versions: dict[str, str] = Field(description="of what decides the bytes")
    segments: list[str] = Field(description="parts of the index that the run knew")
    result_hash: str = Field(
        description="hash of input, settings and versions: the same, the same result"
    )

    def as_json(self) -> dict[str, Any]:
        """The JSON value of the file, without `repeats` where none were looked for."""
        value = super().as_json()
        if self.repeats is None:
            del value["repeats"]
        return value
