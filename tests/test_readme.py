"""The README's two commands, its tree and its quoted decision are what the repository holds."""

import json
import re

from stages.foundation.readme_table import stage_table
from stages.foundation.stage import ROOT
from stages.laws import LAWS
from stages.pipeline import PIPELINE

README = (ROOT / "README.md").read_text("utf-8")


def test_the_quoted_decision_is_the_committed_record():
    quoted = re.search(r"<!-- decision -->(.*)<!-- /decision -->", README, re.DOTALL)[1]
    decision = json.loads((ROOT / "data/decisions/filter.json").read_text("utf-8"))
    assert decision["sentence"] in quoted
    assert decision["heldout_check"]["text"] in quoted


def test_the_two_commands_are_targets():
    targets = set(
        re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    )
    named = set(re.findall(r"make ([a-z]+)", README))
    assert {"demo", "test"} <= named <= targets


def test_the_table_of_stages_is_what_the_declarations_say():
    assert f"<!-- stages -->\n{stage_table(PIPELINE)}<!-- /stages -->" in README, (
        "run `assay dvc-yaml`"
    )


def test_files_named_in_the_readme_exist():
    for path in re.findall(r"`((?:stages|flows|docs)/[\w/.]+)`", README) + re.findall(
        r"\]\((docs/[\w/.-]+)\)", README
    ):
        assert (ROOT / path).exists(), path


def test_the_number_of_laws_is_that_of_the_library():
    assert re.search(r"^(\d+) laws work", README, re.MULTILINE)[1] == str(len(LAWS))
