"""The table of stages stands between the two comments of a README, and nothing else of it changes."""

from stages.foundation.readme_table import stage_table, write_stage_table
from stages.foundation.section import Section
from stages.foundation.stage import Stage

PIPELINE = (
    Stage(
        name="first",
        params=Section,
        question="Who?",
        outs=("data/a", "data/b"),
    ),
    Stage(
        name="second",
        params=Section,
        question="Why?",
        outs=("data/c",),
        shown="`c`, d",
    ),
)
TABLE = (
    "| stage | question | main output |\n"
    "|---|---|---|\n"
    "| first | Who? | `data/a` |\n"
    "| second | Why? | `c`, d |\n"
)


def test_a_row_shows_the_first_product_or_what_the_stage_says():
    assert stage_table(PIPELINE) == TABLE


def test_the_table_takes_the_place_of_the_old_one_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    readme = tmp_path / "README.md"
    readme.write_text("# Ours\n<!-- stages -->\nold\n<!-- /stages -->\nmore\n")
    assert write_stage_table(PIPELINE)
    written = f"# Ours\n<!-- stages -->\n{TABLE}<!-- /stages -->\nmore\n"
    assert readme.read_text() == written
    assert not write_stage_table(PIPELINE)
    assert readme.read_text() == written


def test_a_folder_without_a_readme_or_with_another_one_is_left_alone(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert not write_stage_table(PIPELINE)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "README.md").write_text("# Theirs\n")
    assert not write_stage_table(PIPELINE)
    assert (tmp_path / "README.md").read_text() == "# Theirs\n"
