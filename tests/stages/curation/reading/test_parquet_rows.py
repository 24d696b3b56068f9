"""Rows of a parquet file keep their number; what is no text or no parquet is a bad row."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.curation.reading.inputs import Span
from stages.curation.reading.named_files import InputFile
from stages.curation.reading.parquet_rows import parquet_rows
from stages.curation.reading.rows import Columns
from stages.foundation.errors import InputError


def rows_of(file, span=None, **columns):
    bad = []
    source = InputFile(file, "a.parquet", "parquet", "")
    found = list(parquet_rows(source, Columns(**columns), span=span, on_bad=bad.append))
    texts = [text for batch in found for text in batch.texts]
    names = [name for batch in found for name in batch.names]
    return texts, names, bad


def write(tmp_path, table, **options):
    file = tmp_path / "a.parquet"
    pq.write_table(table, file, **options)
    return file


def test_rows_are_numbered_from_one_or_named_by_their_id(tmp_path):
    file = write(tmp_path, pa.table({"text": ["a", "b", None], "key": [7, 8, 9]}))
    assert rows_of(file) == (["a", "b", None], [1, 2, 3], [])
    assert rows_of(file, id="key")[1] == ["7", "8", "9"]


def test_a_span_reads_its_row_groups_and_counts_the_rows_before(tmp_path):
    table = pa.table({"text": [str(i) for i in range(6)]})
    file = write(tmp_path, table, row_group_size=2)
    span = Span(start=1, end=3, rows_before=2)
    assert rows_of(file, span) == (["2", "3", "4", "5"], [3, 4, 5, 6], [])


def test_a_row_without_an_id_is_bad_and_the_others_are_read(tmp_path):
    file = write(tmp_path, pa.table({"text": ["a", "b"], "key": ["x", None]}))
    texts, names, (bad,) = rows_of(file, id="key")
    assert (texts, names) == (["a"], ["x"])
    assert "row 2 has no value in the id column 'key'" in str(bad.error)
    assert bad.raw == b"b"


def test_text_that_is_not_utf8_is_a_bad_row(tmp_path):
    column = pa.array([b"good", b"\xff\xfe", b"fine"], pa.binary()).view(pa.string())
    texts, names, (bad,) = rows_of(write(tmp_path, pa.table({"text": column})))
    assert (texts, names) == (["good", "fine"], [1, 3])
    assert bad.raw == b"\xff\xfe"


def test_a_page_whose_checksum_is_wrong_is_not_read_as_other_text(tmp_path):
    texts = [f"document {at} " * 20 for at in range(50)]
    file = write(
        tmp_path,
        pa.table({"text": texts}),
        compression="NONE",
        use_dictionary=False,
        write_page_checksum=True,
    )
    assert rows_of(file)[0] == texts
    content = file.read_bytes()
    file.write_bytes(content.replace(b"document 30 ", b"dOcument 30 ", 1))
    found, _, (bad,) = rows_of(file)
    assert found == [] and "CRC checksum verification failed" in str(bad.error)


def test_a_file_that_is_no_parquet_or_lacks_the_column_is_bad_as_a_whole(tmp_path):
    broken = tmp_path / "b.parquet"
    broken.write_bytes(b"not parquet")
    assert "not a readable parquet file" in str(rows_of(broken)[2][0].error)
    file = write(tmp_path, pa.table({"content": ["a"]}))
    (bad,) = rows_of(file)[2]
    assert "no column 'text'" in str(bad.error) and bad.line is None


def read(path, table, bad=None, **columns):
    """(texts, rows) of a table written to a file."""
    pq.write_table(table, path)
    file = InputFile(path, name="a.parquet", kind="parquet", compression="")
    options = {} if bad is None else {"on_bad": bad.append}
    rows = list(parquet_rows(file, Columns(**columns), **options))
    return [text for batch in rows for text in batch.texts], rows


@pytest.mark.parametrize(
    ("ids", "kind"),
    [(pa.array([2.0**53, 2.0**53 + 1]), "double"), (pa.array([[1], [2]]), "list")],
)
def test_ids_that_collapse_are_refused(tmp_path, ids, kind):
    table = pa.table({"text": ["a", "b"], "id": ids})
    with pytest.raises(InputError, match=f"'id' is {kind}.*text or a whole number"):
        read(tmp_path / "a.parquet", table, id="id")


def test_a_column_that_is_there_twice_is_refused_where_it_is_read(tmp_path):
    texts = pa.array(["a", "b"])
    twice = pa.Table.from_arrays([texts, texts], names=["text", "text"])
    with pytest.raises(InputError, match="2 columns have the name 'text'"):
        read(tmp_path / "a.parquet", twice)
    other = pa.Table.from_arrays([texts, texts, texts], names=["text", "x", "x"])
    assert read(tmp_path / "a.parquet", other)[0] == ["a", "b"]


def test_names_reach_into_structs_and_folders(tmp_path):
    folder = tmp_path / "date=2024-05-01"
    folder.mkdir()
    meta = pa.array([{"url": "http://a", "n": 1}, {"url": None, "n": 2}])
    table = pa.table({"text": ["a", "b"], "meta": meta})
    extra = ("meta.url", "date", "meta.none")
    [rows] = read(folder / "a.parquet", table, extra=extra)[1]
    assert rows.extra == {
        "meta.url": ["http://a", None],
        "date": ["2024-05-01"] * 2,
        "meta.none": [None] * 2,
    }


def test_text_that_is_all_null_is_rows_without_text(tmp_path):
    table = pa.table({"text": pa.nulls(3)})
    assert read(tmp_path / "a.parquet", table)[0] == [None] * 3


def test_bad_values_of_any_column_cost_their_row_alone(tmp_path):
    bad_text = pa.array([b"good", b"\xff"], pa.binary()).view(pa.string())
    for column in ("id", "lang", "url"):
        table = pa.table({"text": ["a", "b"], column: bad_text})
        bad = []
        options = {"extra": ("url",)} if column == "url" else {column: column}
        assert read(tmp_path / "a.parquet", table, bad, **options)[0] == ["a"]
        assert [row.line for row in bad] == [2] and "not UTF-8" in str(bad[0].error)


def test_a_dictionary_of_gigabytes_is_read_in_pieces_and_bounded(tmp_path):
    """8 GB of text in a file of kilobytes."""
    long = pa.DictionaryArray.from_arrays(
        pa.array([0] * 2000, pa.int32()), pa.array(["x" * 4_000_000])
    )
    bad = []
    found = read(tmp_path / "a.parquet", pa.table({"text": long}), bad)[0]
    assert len(found) <= 50
    assert "over 250 times their size" in str(bad[-1].error)


CHATS = [
    [
        {"role": "user", "content": "2 + 2?"},
        {"role": "assistant", "content": "4"},
    ],
    [{"role": "user", "content": "Nobody answers"}],
    None,
]


@pytest.mark.parametrize("large", [False, True])
def test_a_chat_is_read_as_its_text_or_as_prompt_and_answer(tmp_path, large):
    message = pa.struct([("role", pa.string()), ("content", pa.large_string())])
    kind = pa.large_list(message) if large else pa.list_(message)
    file = write(tmp_path, pa.table({"m": pa.array(CHATS, kind)}))
    texts, _, bad = rows_of(file, text="m")
    assert (texts, bad) == (["2 + 2?\n4", "Nobody answers", None], [])
    source = InputFile(file, "a.parquet", "parquet", "")
    columns = Columns(text="m", extra=("m",), prompt="m", strict=True)
    bad = []
    (batch,) = parquet_rows(source, columns, on_bad=bad.append)
    assert (batch.texts, batch.extra) == (["4", None], {"m": ["2 + 2?", None]})
    assert "row 2 of column 'm' holds a chat without a message" in str(bad[0].error)


@pytest.mark.parametrize("values", [[1], [["x"]], [{"a": 1}], [1.5], [True]])
def test_columns_that_must_be_text_are_named_with_their_type(tmp_path, values):
    file = write(tmp_path, pa.table({"text": ["x"], "odd": values}))
    kind = pq.read_schema(file).field("odd").type  # a list's parts are named anew
    [bad] = rows_of(file, text="odd")[2]
    assert f"column 'odd' is {kind}, not text; map the column" in str(bad.error)
    [bad] = rows_of(file, extra=("odd",), strict=True)[2]
    assert f"column 'odd' is {kind}, not text; write its values" in str(bad.error)
