"""The README's table of stages, written from their declarations between two HTML comments."""

import re
from pathlib import Path

from stages.foundation.files import whole_file
from stages.foundation.stage import Stage

README = Path("README.md")
HEADER = "| stage | question | main output |\n|---|---|---|\n"
PLACE = re.compile(r"(?<=<!-- stages -->\n).*(?=<!-- /stages -->)", re.DOTALL)


def stage_table(pipeline: tuple[Stage, ...]) -> str:
    """One row a stage in the order of the pipeline, as Markdown that ends in a new line."""
    rows = [
        f"| {stage.name} | {stage.question} | {stage.main_output} |\n"
        for stage in pipeline
    ]
    return HEADER + "".join(rows)


def write_stage_table(pipeline: tuple[Stage, ...]) -> bool:
    """Bring the README of this folder up to date; True where it changed. Without one, or without the two
    comments in it, nothing happens.
    """
    if not README.is_file():
        return False
    text = README.read_text("utf-8")
    table = stage_table(pipeline)
    written = PLACE.sub(lambda _: table, text)
    if written == text:
        return False
    with whole_file(README) as temporary:
        temporary.write_text(written, "utf-8")
    return True
