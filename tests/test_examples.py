"""Every `>>>` example of flows/ and stages/ runs and prints what it says; a warning is an error."""

import doctest
import importlib

import pytest

from stages.foundation.stage import ROOT

FLAGS = doctest.NORMALIZE_WHITESPACE


def modules_with_examples() -> list[str]:
    """Dotted names, found in the tree, so that a file that moves is still run."""
    files = sorted([*ROOT.glob("flows/**/*.py"), *ROOT.glob("stages/**/*.py")])
    return [
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in files
        if ">>>" in file.read_text("utf-8")
    ]


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_run_and_print_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    examples = doctest.DocTestFinder(exclude_empty=True).find(module)
    assert any(test.examples for test in examples), "no docstring holds the example"
    skipped = [
        example.source
        for test in examples
        for example in test.examples
        if doctest.SKIP in example.options
    ]
    assert not skipped, "an example that cannot run belongs in prose"
    printed = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for test in examples:
        runner.run(test, out=printed.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(printed)
