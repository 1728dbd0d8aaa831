import gzip
import json

import pytest

from tutelage.core.errors import BadInput
from tutelage.data.tables import csv_text
from tutelage.data.tables.csv_text import read_json_lines, read_texts


def read(tmp_path, content, name="t.csv"):
    content = content if isinstance(content, bytes) else content.encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return read_texts(tmp_path / name).table.to_pydict()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("a,b\n1,x\n", "t.csv"),
        ("a;b\n1;x\n", "t.csv"),
        ("a\tb\n1\tx\n", "t.tsv"),
        ("a|b\r\n1|x\r\n", "t.csv"),
        ("a,b\n1,x", "t.csv.gz"),
        ("\ufeffa,b\n1,x\n", "t.csv"),
        ("a,b\n1,x\n".encode("utf-16"), "t.csv"),
        ('"a","b"\n\n"1","x"\n', "t.csv"),
    ],
)
def test_separators_compression_and_encodings(content, name, tmp_path):
    assert read(tmp_path, content, name) == {"a": ["1"], "b": ["x"]}


def test_a_tab_in_the_header_of_a_csv_does_not_outweigh_commas(tmp_path):
    assert list(read(tmp_path, 'a\tb,"c;;;;",d\n1,2,3\n')) == ["a\tb", "c;;;;", "d"]


def test_quotes_hold_separators_and_line_breaks(tmp_path):
    assert read(tmp_path, 'a,"b\nc"\n"1,\r\n""2""",x\n') == {"a": ['1,\r\n"2"'], "b\nc": ["x"]}


def test_line_breaks_in_quotes_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_text, "BLOCK_BYTES", (64, 1 << 20))
    cells = [f"dear {number},\nthanks\n" + "x" * (number % 90) for number in range(200)]
    content = "text,vote\n" + "".join(f'"{cell}",a\n' for cell in cells)
    assert read(tmp_path, content) == {"text": cells, "vote": ["a"] * 200}


def test_an_empty_cell_is_null_and_quotes_hold_an_empty_text(tmp_path):
    assert read(tmp_path, 'a,b\n,""\nNA,2\n') == {"a": [None, "NA"], "b": ["", "2"]}


def test_an_empty_line_is_a_row_of_a_table_of_one_column(tmp_path):
    assert read(tmp_path, "a\n1\n\n3\n\n\n") == {"a": ["1", None, "3"]}


def test_cells_between_semicolons_stay_as_they_stand(tmp_path):
    assert read(tmp_path, "a;b;c\n1,5;1,5;2\n-2;x;NA\n") == {"a": ["1,5", "-2"], "b": ["1,5", "x"], "c": ["2", "NA"]}
    assert read_texts(tmp_path / "t.csv").decimal_commas
    (tmp_path / "t.csv").write_text('a,b\n"1,5",1\n')
    assert not read_texts(tmp_path / "t.csv").decimal_commas


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name,x\nA\xe9ro,1\n", r"not UTF-8 \(byte 0xe9 in line 2\).*iconv"),
        (b"na\xe9me,x\nAero,1\n", r"not UTF-8 \(byte 0xe9 in line 1\)"),
        (b"a,b\n1,2,3\n", "cannot be read as a table.*Expected 2 columns, got 3"),
        (b"PK\x03\x04\x00\x00\n", "is not a text file"),
        (b"", "cannot be read as a table"),
    ],
)
def test_an_unreadable_file_is_refused_in_one_sentence(content, message, tmp_path):
    with pytest.raises(BadInput, match=message):
        read(tmp_path, content)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('a,b\n1,x\n2,"y\n3,z\n4,w\n', 3),
        ('a,b\r\n1,"x\r\n2,y\r\n\r\n', 2),
        ('a;b\n1;"x ""y""', 2),
        ('a,b\n1,"x"\n2,"', 3),
        ('a\n"x"\n"y\nz\n', 3),
        ('a,b\n1,"x\n'.encode("utf-16"), 2),
    ],
)
def test_a_quote_that_is_never_closed_is_refused_with_its_line(content, line, name, tmp_path):
    with pytest.raises(BadInput, match=f"ends inside a quoted cell: the quote that opens in line {line} is never closed"):
        read(tmp_path, content, name)


@pytest.mark.parametrize("cell", ["x\ny", "x\n", '"', 'x"', '\n"\n', ",", '""', ',"\n'])
@pytest.mark.parametrize("end", ["", "\n", "\r\n\r\n"])
def test_a_closed_quote_at_the_end_of_a_file(cell, end, tmp_path):
    quoted = '"' + cell.replace('"', '""') + '"'
    assert read(tmp_path, f"a,b\n1,{quoted}{end}") == {"a": ["1"], "b": [cell]}
    assert read(tmp_path, f"a\n{quoted}{end}") == {"a": [cell]}


def test_a_quote_inside_a_cell_opens_nothing(tmp_path):
    assert read(tmp_path, 'a,b\n1,5" pipe\n2,6"\n') == {"a": ["1", "2"], "b": ['5" pipe', '6"']}


def test_a_damaged_compressed_file_is_refused(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n")[:-9])
    with pytest.raises(BadInput, match="cannot be read as a table"):
        read_texts(tmp_path / "t.csv.gz")
    with pytest.raises(BadInput, match="cannot be read as lines of JSON"):
        read_json_lines(tmp_path / "t.csv.gz")


LONG = 12345678901234567890123


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([LONG, LONG + 1, None], [str(LONG), str(LONG + 1), None]),
        ([2**64 - 1, 2**64 - 2], [2**64 - 1, 2**64 - 2]),
        ([2**63, -1], [str(2**63), "-1"]),
        ([LONG, 0.5], [float(LONG), 0.5]),
        ([1e30, 2.0], [1e30, 2.0]),
        ([2**53 + 1, None], [2**53 + 1, None]),
    ],
)
def test_large_whole_numbers_of_json_keep_their_digits(cells, expected, tmp_path):
    lines = "\n\n".join(json.dumps({"a": cell, "b": row}) for row, cell in enumerate(cells))
    (tmp_path / "t.jsonl").write_text(lines)
    assert read_json_lines(tmp_path / "t.jsonl").to_pydict() == {"a": expected, "b": list(range(len(cells)))}


def test_moments_of_json_keep_their_zone_and_their_place(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"a": 1, "t": "2020-01-31T12:00:00+01:00"}\n{"a": 2}\n')
    table = read_json_lines(tmp_path / "t.jsonl")
    assert table.to_pydict() == {"a": [1, 2], "t": ["2020-01-31T12:00:00+01:00", None]}


def test_long_lines_of_json(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_text, "BLOCK_BYTES", (64, 1 << 22))
    texts = ["x" * 1_500_000, "y"]
    (tmp_path / "t.jsonl.gz").write_bytes(gzip.compress("\n".join(json.dumps({"t": text}) for text in texts).encode()))
    assert read_json_lines(tmp_path / "t.jsonl.gz").to_pydict() == {"t": texts}
