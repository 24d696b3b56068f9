"""An audit that could look nothing up is skipped with the reason; a vulnerability fails it."""

import importlib.util
import json

from stages.foundation.stage import ROOT


def judged(*arguments):
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci/audit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.judged(*arguments)


SKIPPED = {"name": "numpy", "skip_reason": "not found: numpy (2.4.6)"}
SOUND = {"name": "rich", "version": "15.0.0", "vulns": []}
FAULT = {"id": "PYSEC-1", "fix_versions": ["2.0"]}
BAD = {"name": "flask", "version": "1.0", "vulns": [FAULT]}


def said(*packages):
    return judged(json.dumps({"dependencies": packages}), "")


def test_an_audit_that_looked_nothing_up_is_no_pass():
    assert said(SKIPPED) == (
        "audit: skipped, no database is reachable (not found: numpy (2.4.6))",
        0,
    )
    assert judged("", "warning\nno route to host\n") == (
        "audit: skipped, no route to host",
        0,
    )


def test_what_was_looked_up_is_counted():
    assert said(SOUND, SKIPPED) == (
        "audit: 0 vulnerabilities in 1 packages, 1 could not be looked up",
        0,
    )


def test_a_vulnerability_fails():
    lines, code = said(SOUND, BAD)
    assert code == 1
    assert lines.splitlines() == [
        "flask 1.0: PYSEC-1, mended in 2.0",
        "audit: 1 vulnerabilities in 2 packages",
    ]
