"""The rules of the pool: the same keys and faults as in `assay curate`, and what arms may name."""

import pytest
from pydantic import ValidationError

from stages.settings.rules import RuleSettings


def test_lists_and_languages_add_their_rules_to_the_set():
    plain = RuleSettings(rules="gopher").rule_names()
    more = RuleSettings(rules="gopher", languages=["en"], bad_words="bad.txt")
    assert set(more.rule_names()) - set(plain) == {"language", "c4_bad_words"}
    assert more.rule_names()[: len(plain)] == plain
    assert more.rule_files() == ["bad.txt"]


def test_evaluation_files_are_judged_after_all_rules_and_read():
    asked = RuleSettings(rules="gopher", decontaminate={"files": ["eval.jsonl"]})
    assert asked.judged_names() == [*asked.rule_names(), "decontamination"]
    assert "evaluation_overlap" in asked.measures()
    assert asked.rule_files() == ["eval.jsonl"]
    assert "evaluation_overlap" not in RuleSettings(rules="gopher").measures()


def test_thresholds_are_what_was_asked_for_and_else_the_published_ones():
    found = RuleSettings(thresholds={"min_doc_words": 20}, languages=["en"])
    assert found.all_thresholds().min_doc_words == 20
    assert found.all_thresholds().languages == ("en",)
    assert found.all_thresholds().dup_6_gram == 0.14
    assert RuleSettings().all_thresholds().languages is None


def test_a_fault_reads_as_in_curate():
    with pytest.raises(ValidationError, match="no document rule or rule set 'finweb'"):
        RuleSettings(rules="finweb")
