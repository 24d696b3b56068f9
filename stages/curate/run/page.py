"""The report of a run for a person: report.md.

Question: what was dropped, why, and does that look right? Input: the manifest. Output: one Markdown page: the counts, a
table of every reason (alone and in order) and examples of what each dropped.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stages.curate.run.manifest import Manifest


def page(manifest: "Manifest") -> str:
    """The Markdown text."""
    counts, kept = manifest.counts, manifest.kept
    share = kept.documents / max(1, counts.documents)
    words = manifest.settings["thresholds"]["words"]
    lines = [
        "# Curation report",
        "",
        f"{counts.rows:,} rows: {counts.bad_rows:,} cannot be read (quarantine.jsonl),"
        f" {counts.empty:,} without text, {counts.documents:,} documents.",
        *_unread_files(manifest),
        f"Kept: {kept.documents:,} documents ({share:.1%}), {kept.characters:,}"
        f" characters, hash `{kept.hash}`.",
        "",
        f"Word tokeniser of the rules: {words}. Alone: what a reason would drop by"
        " itself, of the documents that it looked at; in order: what no reason before"
        " it drops.",
        "",
        "| reason | asks | alone | in order | characters in order |",
        "|---|---|---:|---:|---:|",
    ]
    for row in manifest.reasons:
        alone = "-" if row.documents_alone is None else f"{row.documents_alone:,}"
        lines.append(
            f"| {row.reason} | {row.asks} | {alone} |"
            f" {row.documents_in_order:,} | {row.characters_in_order:,} |"
        )
    lines += (
        _warnings(manifest)
        + _languages(manifest)
        + _copies(manifest)
        + _repeats(manifest)
        + _faults(manifest)
        + ["", "## Examples of what was dropped", ""]
    )
    for reason, examples in manifest.examples.items():
        lines += [
            f"### {reason}",
            "",
            *(
                f"- `{source}` ({id_}): {_plain(snippet)}"
                for id_, source, snippet in examples
            ),
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def _unread_files(manifest: "Manifest") -> list[str]:
    """How many files are counted by no row, since they could not be read."""
    n_files = manifest.counts.bad_files
    if not n_files:
        return []
    return [
        f"{n_files:,} {'file' if n_files == 1 else 'files'} could not be read, or not to"
        " the end: what they hold is in none of these counts, see below."
    ]


def _warnings(manifest: "Manifest") -> list[str]:
    rows = [f"- {_plain(warning.message)}" for warning in manifest.warnings]
    return ["", "## Look at these first", "", *rows] if rows else []


def _languages(manifest: "Manifest") -> list[str]:
    """How many documents the rules judged by each language, the most first."""
    most = sorted(manifest.languages.items(), key=lambda pair: (-pair[1], pair[0]))
    if not most:
        return []
    rows = ", ".join(f"{lang} {n:,}" for lang, n in most)
    return ["", f"Languages of the rules (documents): {rows}."]


def _copies(manifest: "Manifest") -> list[str]:
    """Near copies beside what stays in their place."""
    rows = [
        f"| {'-' if pair.similarity is None else f'{pair.similarity:.2f}'} |"
        f" `{pair.source}` ({pair.id}): {_plain(pair.text)} |"
        f" {pair.duplicate_of}: {_plain(pair.kept_text)} |"
        for pair in manifest.copies
    ]
    head = ["", "## Near copies and what stays in their place", ""]
    head += ["| alike | dropped | kept |", "|---:|---|---|"]
    return [*head, *rows] if rows else []


def _repeats(manifest: "Manifest") -> list[str]:
    counts = manifest.repeats
    most = None if counts is None else counts["most"]
    if counts is None or not isinstance(most, dict):
        return []
    found = ", ".join(
        f"{counts[f'repeated_{kind}']:,} repeated {kind}" for kind in most
    )
    lines = ["", "## Lines and paragraphs that repeat", ""]
    lines += [
        (
            f"In what is kept: {found}, {counts['repeated_chars']:,} characters;"
            f" {counts['removed_chars']:,} cut out of {counts['shortened']:,}"
            " documents."
        ),
        "",
    ]
    for kind, entries in most.items():
        lines += [
            f"- {kind}, {entry.occurrences:,} times: {_plain(entry.text)}"
            for entry in entries
        ]
    return lines


def _faults(manifest: "Manifest") -> list[str]:
    rows = [
        f"- {_plain(line)}"
        for fault in manifest.faults.values()
        for line in fault.lines()
    ]
    rows += [f"- {_plain(path)}: the file is empty" for path in manifest.empty_files]
    rows += [
        f"- {_plain(path)}: left out by its suffix" for path in manifest.ignored_files
    ]
    return ["", "## Input that was not used", "", *rows] if rows else []


def _plain(text: str) -> str:
    """One line that Markdown does not read as anything else."""
    return "".join(
        f"\\{char}" if char in "`*_<>[]|#\\" else char
        for char in " ".join(text.split())
    )
