import math

import pytest
import yaml
from pydantic import ValidationError

from stages.foundation.errors import InputError
from stages.foundation.section import Section, plain_name
from stages.foundation.stage import ROOT
from stages.pipeline import PIPELINE
from stages.settings.params import load_params


class Oven(Section):
    heat: float = 180.0


def test_a_section_is_frozen_and_refuses_what_it_does_not_know():
    oven = Oven(heat=200)
    with pytest.raises(ValidationError, match="frozen"):
        oven.heat = 100.0
    with pytest.raises(ValidationError, match="Extra inputs"):
        Oven(heta=200)
    with pytest.raises(ValidationError, match="finite"):
        Oven(heat=math.inf)


@pytest.mark.parametrize(
    "name", ["news", "keep 10.5", "c4+wiki", "Zeitung_ä", "日本語"]
)
def test_names_of_any_script_are_names(name):
    assert plain_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../evil", "/abs", "news/en", "a\\b", "a\0", "a\n", ".hidden"),
        *("a" * 101, "é" * 51, "a*", "a[1]", "k=v", "a:b", " a", "a ", "a.", "\ud800"),
    ],
)
def test_what_could_not_be_the_name_of_a_file_is_refused(name):
    with pytest.raises(ValueError, match="cannot be a name"):
        plain_name(name)


@pytest.mark.parametrize(
    "path",
    [
        ("ingest", "pools"),
        ("arms", "arms"),
        ("arms", "questions"),
        ("arms", "controls"),
    ],
)
def test_names_are_checked_when_params_are_read(tmp_path, path):
    tree = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    section, key = path
    named = tree[section][key]
    named["../evil"] = next(iter(named.values()))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree))
    with pytest.raises(InputError, match=f"{section}.{key}.*cannot be a name"):
        load_params(tmp_path / "params.yaml", PIPELINE)
