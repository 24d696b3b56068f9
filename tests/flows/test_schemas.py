"""docs/ holds the schemas of the files as they are written today."""

import pytest

from flows.schemas import SCHEMAS, schema_text, write_schemas
from stages.foundation.record_files import schema
from stages.foundation.stage import ROOT


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_committed_schema_is_that_of_the_model(name):
    committed = (ROOT / "docs" / name).read_text("utf-8")
    assert committed == schema_text(SCHEMAS[name]), "run `assay schemas`"


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_at_every_depth_has_a_sentence(name):
    tree = schema(SCHEMAS[name])
    for model in [tree, *tree["$defs"].values()]:
        for field, entry in model.get("properties", {}).items():
            assert entry.get("description"), f"{model['title']}.{field}"


def test_a_schema_is_written_once(tmp_path):
    assert len(write_schemas(tmp_path)) == len(SCHEMAS)
    assert write_schemas(tmp_path) == []
