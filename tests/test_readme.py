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
    assert re.search(r"(\d+)\s+laws\s+work", README)[1] == str(len(LAWS))


# what was measured -> where its figure stands, below the name of the script that prints it
MEASURED = {
    "7 minutes on two cores": ("overhead.py", "6:35"),
    "on 2,000 real documents": ("curation_peers.py", "2,000 real documents"),
    "on 99.85 %, C4's on 99.65 %": (
        "curation_peers.py",
        "| 99.85 % | 90.65 % | 96.75 % | 99.65 % |",
    ),
    "113 times as fast as datatrove": ("curation_peers.py", "113 times as fast"),
    "37 times as fast as dolma's": ("curation_peers.py", "| 37 times |"),
    "3.5 times as fast as rensa": ("curation_peers.py", "| 3.5 times |"),
    "0.5 GB a worker at 1 GB of input": ("curate_memory.py", "1 GB 97.3 and 497"),
    "0.73 GB at 10 GB": ("curate_memory.py", "10.4 MB a CPU-second) and 734 MB"),
    "five decisions": ("decisions_real.py", "5 of 5"),
    "three times the fitted compute": ("decisions_real.py", "three times"),
    "39 of the 40 pairs": (
        "decisions_real.py",
        "36 of the 40 pairs in order, Assay 39",
    ),
    "90 % intervals held 99 % of the losses": (
        "decisions_real.py",
        "90 % ones hold 99 % of the losses",
    ),
    "the demo's sweep in 19 to 27 s": ("gpu_check.py", "27 s and 19 s"),
    "34 % MFU for 64 proxies of 10M": ("proxy_gpu.py", "| 34.1 % |"),
}
# numbers that nobody measures; tests above and in other files hold those that can be wrong
PLAIN = (
    "Python 3.11",
    "67 laws",
    "exit code 1",
    "6 to 55 thousand",
    "Apache-2.0",
    "C4",
    "one H200",
)


def prose():
    """The README without quotes, tables, code and the targets of links, on one line."""
    text = re.sub(r"<!-- (\w+) -->.*?<!-- /\1 -->", "", README, flags=re.DOTALL)
    text = re.sub(r"^(\|.*|!.*)$", "", text, flags=re.MULTILINE)
    fenced = re.findall(r"```console.*?# sets up .*?```", text, re.DOTALL)
    text = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", "", text, flags=re.DOTALL)
    return " ".join(" ".join([text, *fenced]).split())


def section(script):
    """What benchmarks/README.md says of a script."""
    text = (ROOT / "benchmarks/README.md").read_text("utf-8")
    assert (ROOT / "benchmarks" / script).is_file()
    [found] = [part for part in text.split("\n## ") if script in part.splitlines()[0]]
    return " ".join(found.split())


def test_every_measured_number_is_that_of_a_named_benchmark():
    text = prose()
    for said, (script, seen) in MEASURED.items():
        assert said in text, said
        assert seen in section(script), (said, script)


def test_every_number_is_measured_or_plain():
    text = prose()
    for said in [*MEASURED, *PLAIN]:
        text = text.replace(said, "")
    assert re.findall(r".{20}\d.{20}", text) == []
