"""Each line of JSON is a row or a bad row with its line, its byte and the cure."""

from pathlib import Path

import pytest

from stages.curation.reading.json_rows import json_rows
from stages.curation.reading.named_files import InputFile
from stages.curation.reading.rows import Columns


def rows_of(tmp_path: Path, content: bytes, batch_chars: int = 1000, **columns):
    file = tmp_path / "a.jsonl"
    file.write_bytes(content)
    bad = []
    batches = list(
        json_rows(
            InputFile(file, "a.jsonl", "jsonl", ""),
            Columns(**columns),
            batch_chars,
            on_bad=bad.append,
        )
    )
    return batches, bad


def test_rows_are_named_by_their_line_and_blank_lines_are_none(tmp_path):
    (batch,), bad = rows_of(tmp_path, b'{"text": "one"}\n\n  \n{"text": "two"}')
    assert (batch.texts, batch.names, batch.langs, bad) == (
        ["one", "two"],
        [1, 4],
        None,
        [],
    )


def test_other_columns_come_along_as_text(tmp_path):
    content = b'{"body": "one", "key": 7, "l": "en", "tags": ["x", 1]}\n'
    (batch,), _ = rows_of(
        tmp_path, content, text="body", id="key", lang="l", extra=("tags", "none")
    )
    assert (batch.texts, batch.names, batch.langs) == (["one"], ["7"], ["en"])
    assert batch.extra == {"tags": ['["x", 1]'], "none": [None]}


def test_a_batch_ends_once_it_has_its_characters(tmp_path):
    content = b'{"text": "four"}\n' * 5
    batches, _ = rows_of(tmp_path, content, batch_chars=8)
    assert [batch.names for batch in batches] == [[1, 2], [3, 4], [5]]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b'{"text": "x"', "broken JSON .*; mend or delete the line"),
        (b"[1]", "holds a JSON array, not an object"),
        (b'{"content": "x"}', "no column 'text'; .*map it, for example text=content"),
        (b'{"text": 5}', "column 'text' holds int '5', not text"),
        (b'{"text": "\\ud800"}', r"half a surrogate pair \(.ud800\) at character 0"),
        (b'{"text": "\xff"}', ":2: "),
    ],
)
def test_a_bad_line_is_told_by_place_and_the_others_are_read(tmp_path, line, fault):
    content = b'{"text": "good"}\n' + line + b'\n{"text": "fine"}\n'
    (batch,), (bad,) = rows_of(tmp_path, content)
    assert batch.texts == ["good", "fine"]
    assert (bad.line, bad.offset, bad.raw.rstrip(b"\n")) == (2, 17, line)
    with pytest.raises(type(bad.error), match=fault):
        raise bad.error


def test_without_a_handler_the_first_bad_line_stops(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"{}\n")
    with pytest.raises(ValueError, match="a.jsonl:1: no column 'text'"):
        list(json_rows(InputFile(file, "a", "jsonl", ""), Columns(), 10))


def read(tmp_path, lines, **columns):
    """(texts, batches, bad rows)."""
    path = tmp_path / "lang=de/a.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines))
    file = InputFile(path, name="a.jsonl", kind="jsonl", compression="")
    bad = []
    rows = list(json_rows(file, Columns(**columns), 10**6, on_bad=bad.append))
    return [text for batch in rows for text in batch.texts], rows, bad


def test_half_a_surrogate_pair_in_any_column_that_is_read_costs_its_row(tmp_path):
    lines = ['{"text": "a", "id": "%s", "url": "%s", "x": "\\ud800"}']
    lines = [
        lines[0] % pair for pair in (("1", "u"), ("\\ud800", "u"), ("3", "\\udc00"))
    ]
    found, _, bad = read(tmp_path, lines, id="id", extra=("url",))
    assert found == ["a"] and [row.line for row in bad] == [2, 3]


def test_ids_are_text_or_whole_numbers(tmp_path):
    lines = [f'{{"text": "a", "id": {name}}}' for name in ("7", '"b"', "1e17", "true")]
    _, [rows], bad = read(tmp_path, lines, id="id")
    assert rows.names == ["7", "b"] and [row.line for row in bad] == [3, 4]
    assert "an id is text or a whole number" in str(bad[0].error)


def test_names_reach_into_objects_and_folders(tmp_path):
    lines = ['{"text": "a", "meta": {"url": "http://a"}}', '{"text": "b", "meta": 1}']
    _, [rows], _ = read(tmp_path, lines, extra=("meta.url", "lang"))
    assert rows.extra == {"meta.url": ["http://a", None], "lang": ["de", "de"]}


CHAT = b'[{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]'


def test_a_chat_is_read_as_its_text_or_as_prompt_and_answer(tmp_path):
    content = b'{"m": %s, "a": "4"}\n{"m": "no chat", "a": "5"}\n' % CHAT
    (batch,), bad = rows_of(tmp_path, content, text="m")
    assert (batch.texts, bad) == (["2 + 2?\n4", "no chat"], [])
    (batch,), (fault,) = rows_of(
        tmp_path, content, text="m", extra=("m",), prompt="m", strict=True
    )
    assert (batch.texts, batch.extra) == (["4"], {"m": ["2 + 2?"]})
    assert "column 'm' is mapped as prompt and as text and holds text" in str(
        fault.error
    )
    (batch,), _ = rows_of(tmp_path, content, text="a", extra=("m",), prompt="m")
    assert (batch.texts, batch.extra) == (["4", "5"], {"m": ["2 + 2?\n4", "no chat"]})


@pytest.mark.parametrize(
    ("value", "kind"),
    [("7", "int '7'"), ('{"a": 1}', "dict"), ("[1]", "list"), ("true", "bool 'True'")],
)
def test_further_columns_are_text_where_they_must_be(tmp_path, value, kind):
    content = b'{"text": "x", "url": %s}\n{"text": "y", "url": null}\n'
    columns = {"extra": ("url",), "strict": True}
    (batch,), (bad,) = rows_of(tmp_path, content % value.encode(), **columns)
    assert (batch.texts, batch.extra) == (["y"], {"url": [None]})
    assert f":1: column 'url' holds {kind}" in str(bad.error)
    assert "not text; write its values as text, map another column" in str(bad.error)


def test_a_row_without_its_id_or_language_says_which_is_missing(tmp_path):
    content = b'{"text": "a", "key": null}\n{"text": "b"}\n'
    bad = rows_of(tmp_path, content, id="key")[1]
    said = [str(row.error).partition(": ")[2] for row in bad]
    assert said[0].startswith("column 'key' holds null, not text; an id is text or")
    assert said[1].endswith("columns seen: text; map another as id, or none")
    bad = rows_of(tmp_path, content, lang="key")[1]
    assert str(bad[0].error).endswith("map another as lang, or none")
