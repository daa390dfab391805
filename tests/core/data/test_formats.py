"""Every format that is promised, found by content and name; what is wrong with a file, by line and field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from given import codes, given, jsonl, rows, stored, zipped
from pyarrow import parquet

from imfine.core.data.records import parse_columns
from imfine.core.data.rows import Chat, Pair, Text
from imfine.core.text.prompts import Message
from imfine.errors import DataError, Invalid

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "안녕 🎉"},
    {"role": "assistant", "content": "Hello\0"},
]
CHAT = Chat((Message("system", "Be brief."), Message("user", "안녕 🎉"), Message("assistant", "Hello\0")))
PAIR = Pair("1+1?", "2")


@pytest.mark.parametrize(
    ("format", "record", "row"),
    [
        ("messages", {"messages": TURNS}, CHAT),
        ("messages", {"messages": [{"from": t["role"], "value": t["content"]} for t in TURNS]}, CHAT),
        (
            "messages",
            {
                "messages": [
                    {"role": t["role"], "content": [{"type": "text", "text": t["content"]}]} for t in TURNS
                ]
            },
            CHAT,
        ),
        (
            "sharegpt",
            {
                "conversations": [
                    {"from": "system", "value": "Be brief."},
                    {"from": "human", "value": "안녕 🎉"},
                    {"from": "gpt", "value": "Hello\0"},
                ]
            },
            CHAT,
        ),
        ("alpaca", {"instruction": "Add.", "input": "1+1", "output": "2"}, Pair("Add.\n\n1+1", "2")),
        ("alpaca", {"instruction": "1+1?", "input": "", "output": "2"}, PAIR),
        ("alpaca", {"instruction": "1+1?", "output": "2"}, PAIR),
        ("prompt_completion", {"prompt": "1+1?", "completion": "2"}, PAIR),
        ("prompt_completion", {"Question": "1+1?", "Answer": "2"}, PAIR),
        ("prompt_completion", {"input": "1+1?", "output": "2"}, PAIR),
        ("text", {"text": "once"}, Text("once")),
        ("text", {"id": 1, "body": "once"}, Text("once")),
    ],
)
@pytest.mark.parametrize("shape", ["data.jsonl", "data.json", "data", "data.txt"])
def test_records(tmp_path: Path, format: str, record: dict[str, Any], row: Any, shape: str) -> None:
    data = json.dumps([record, record], indent=1) if shape == "data.json" else jsonl([record, record])
    dataset = given(tmp_path, shape, data)
    assert (dataset.format, dataset.kind, rows(dataset)) == (format, "text", [row, row])


def test_the_same_rows_in_another_shape_are_the_same_data_set(tmp_path: Path) -> None:
    records = [{"prompt": "a", "completion": "b"}, {"prompt": "c", "completion": "d"}]
    first = given(tmp_path, "a.jsonl", jsonl(records))
    second = given(tmp_path, "b.json", json.dumps(records))
    third = given(tmp_path, "c.csv", "completion,prompt\nb,a\nd,c\n")
    assert first.hash == second.hash == third.hash
    assert [path.name for path in (tmp_path / "datasets").iterdir()] == [first.hash]
    assert second.name == "a.jsonl"  # what is stored stays as it is


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["data.csv", "data.txt"])
def test_csv(tmp_path: Path, encoding: str, delimiter: str, name: str) -> None:
    lines = [["question", "answer"], ["1+1?", '"2, or; two\n"'], ["안녕?", "hello"]]
    text = "\r\n".join(delimiter.join(cells) for cells in lines) + "\r\n"
    dataset = given(tmp_path, name, text.encode(encoding))
    assert rows(dataset) == [Pair("1+1?", "2, or; two\n"), Pair("안녕?", "hello")]
    assert dataset.columns == {"prompt": "question", "completion": "answer"}
    assert [dataset.line(i) for i in range(2)] == [2, 4]


def test_utf_16_json_lines(tmp_path: Path) -> None:
    records = [{"text": "하나"}, {"text": "둘"}]
    assert rows(given(tmp_path, "d.jsonl", jsonl(records).encode("utf-16"))) == [Text("하나"), Text("둘")]


def test_parquet(tmp_path: Path) -> None:
    table = pa.table({"q": ["1+1?", "2+2?", None], "a": [2, 4, 5], "picture": [b"x", b"\xff", None]})
    parquet.write_table(table, tmp_path / "d.parquet")
    dataset = stored(tmp_path / "d.parquet", tmp_path, columns={"prompt": "q", "completion": "a"})
    assert rows(dataset) == [PAIR, Pair("2+2?", "4"), Pair("", "5")]
    turns = pa.table({"messages": [TURNS, TURNS[1:]]})
    parquet.write_table(turns, tmp_path / "d.parquet")
    assert rows(stored(tmp_path / "d.parquet", tmp_path)) == [CHAT, Chat(CHAT.messages[1:])]


def test_turns_in_a_cell(tmp_path: Path) -> None:
    cell = json.dumps(TURNS).replace('"', '""')
    assert rows(given(tmp_path, "d.csv", f'id,messages\n1,"{cell}"\n')) == [CHAT]


def test_columns_are_mapped(tmp_path: Path) -> None:
    assert parse_columns("prompt=question, completion=the answer") == {
        "prompt": "question",
        "completion": "the answer",
    }
    record = {"question": "no", "prompt": "1+1?", "the answer": "2", "completion": "no"}
    wanted = {"prompt": "prompt", "completion": "the answer"}
    assert rows(given(tmp_path, "d.jsonl", jsonl([record]), columns=wanted)) == [PAIR]
    assert rows(given(tmp_path, "d.csv", "a,b\n1,once\n", columns={"text": "b"})) == [Text("once")]


@pytest.mark.parametrize(
    "columns", [{"prompt": "a"}, {"text": "z"}, {"text": "a", "prompt": "b"}, {"x": "a"}]
)
def test_a_mapping_that_does_not_fit_is_refused(tmp_path: Path, columns: dict[str, str]) -> None:
    with pytest.raises(Invalid) as caught:
        given(tmp_path, "d.csv", "a,b\n1,2\n", columns=columns)
    assert caught.value.field == "columns"


def test_columns_that_nobody_understands_are_listed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="alpha, beta") as caught:
        given(tmp_path, "d.csv", "alpha,beta\n1,2\n")
    assert "prompt=question" in caught.value.remedy


# ---------------------------------------------------------------- plain text


def test_plain_text_is_cut_into_rows_and_loses_no_word(tmp_path: Path) -> None:
    paragraphs = [f"Paragraph {i}. " + "All happy families are alike. " * (i % 40) for i in range(60)]
    paragraphs += ["x" * 3000, "아임파인 " * 500]
    text = "\r\n\r\n".join(paragraphs)
    dataset = given(tmp_path, "novel.txt", text)
    found = rows(dataset)
    assert "".join("".join(row.text.split()) for row in found) == "".join(text.split())  # type: ignore[union-attr]
    assert all(len(row.text.encode()) <= 800 for row in found)  # type: ignore[union-attr]
    assert [row.ends for row in found] == [False] * (len(found) - 1) + [True]  # type: ignore[union-attr]


def test_many_text_files_are_documents(tmp_path: Path) -> None:
    folder = tmp_path / "poems"
    (folder / "more").mkdir(parents=True)
    (folder / "a.txt").write_text("roses\n")
    (folder / "more" / "b.txt").write_text("violets\n\nare blue")
    (folder / ".hidden").write_text("no")
    wanted = [Text("roses"), Text("violets\n\nare blue")]
    assert rows(stored(folder, tmp_path)) == wanted
    assert (
        rows(given(tmp_path, "p.zip", zipped({"a.txt": "roses", "b.txt": "violets\n\nare blue"}))) == wanted
    )


def test_beside_data_a_readme_is_left_out(tmp_path: Path) -> None:
    members = {"a.jsonl": jsonl([{"text": "one"}]), "b.jsonl": jsonl([{"text": "two"}]), "README.md": "Read"}
    dataset = given(tmp_path, "d.zip", zipped(members))
    assert rows(dataset) == [Text("one"), Text("two")]
    skipped = codes(dataset)["skipped_files"]["params"]["skipped"]
    assert [each["file"] for each in skipped] == ["README.md"]


# ---------------------------------------------------------------- what is wrong


def errors_of(folder: Path, name: str, data: bytes | str) -> DataError:
    with pytest.raises(DataError) as caught:
        given(folder, name, data)
    assert list(folder.glob("datasets/*")) == []
    return caught.value


GOOD = '{"prompt":"a","completion":"b"}\n'


@pytest.mark.parametrize(
    ("bad", "field", "expected"),
    [
        ('{"prompt":"a",\n', "", "a JSON object on each line"),
        ("[1]\n", "", "a JSON object"),
        ('{"prompt":"a"}\n', "completion", "text"),
        ('{"prompt":"a","completion":7}\n', "completion", "text"),
        ('{"prompt":"a","completion":"\\ud800"}\n', "completion", "whole characters"),
        ("[" * 100_000 + "\n", "", "a JSON object on each line"),
        ("1" * 5000 + "\n", "", "a JSON object on each line"),
        (b'{"prompt":"a","completion":"\xb0\xa1"}\n', "", "UTF-8 (save the file as UTF-8)"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, bad: str | bytes, field: str, expected: str) -> None:
    raw = bad if isinstance(bad, bytes) else bad.encode()
    error = errors_of(tmp_path, "d.jsonl", GOOD.encode() * 998 + raw + GOOD.encode())
    first = error.params["errors"][0]
    assert (first["line"], first["field"], first["expected"]) == (999, field, expected)
    assert error.params["total"] == 1
    assert "line 999" in error.message
    assert error.status == 422


def test_even_the_99999th_line_is_named(tmp_path: Path) -> None:
    error = errors_of(tmp_path, "d.jsonl", GOOD.encode() * 99_998 + b"[1]\n" + GOOD.encode())
    assert error.params["errors"][0]["line"] == 99_999


@pytest.mark.parametrize(
    ("turns", "where"),
    [
        ([], "messages"),
        ("x", "messages"),
        ([1], "messages.0"),
        ([{"role": "user"}], "messages.0.content"),
        ([{"role": "user", "content": None}], "messages.0.content"),
        ([{"role": "tool", "content": "x"}], "messages.0.role"),
        ([{"role": ["user"], "content": "x"}], "messages.0.role"),
        ([*TURNS, {"role": "user", "content": [{"type": "image_url"}]}], "messages.3.content.0"),
    ],
)
def test_a_bad_turn_is_named(tmp_path: Path, turns: Any, where: str) -> None:
    error = errors_of(tmp_path, "d.jsonl", jsonl([{"messages": TURNS}, {"messages": turns}]))
    assert (error.field, error.params["line"]) == (where, 2)


def test_the_first_hundred_errors_are_told_and_all_are_counted(tmp_path: Path) -> None:
    error = errors_of(tmp_path, "d.jsonl", GOOD + "oops\n" * 250)
    assert [each["line"] for each in error.params["errors"]] == list(range(2, 102))
    assert error.params["total"] == 250
    assert "249 more errors" in error.message


def test_ragged_rows_are_named(tmp_path: Path) -> None:
    error = errors_of(tmp_path, "d.csv", 'prompt,completion\na,b\n"c\nc",d\ne\nf,g,h\n')
    told = [(each["line"], each["expected"], each["found"]) for each in error.params["errors"]]
    assert told == [(5, "2 columns", "1"), (6, "2 columns", "3")]


def test_a_quote_that_never_ends_is_named(tmp_path: Path) -> None:
    error = errors_of(tmp_path, "d.csv", 'prompt,completion\na,b\n"c,d\n')
    assert error.params["line"] == 3


def test_in_several_files_the_file_is_named(tmp_path: Path) -> None:
    error = errors_of(tmp_path, "d.zip", zipped({"a.jsonl": GOOD, "b.jsonl": GOOD + "oops\n"}))
    assert error.message.startswith("b.jsonl, line 2: expected a JSON object")


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ('[\n{"text":"a"},\n{"text":"b"}\n', 4),
        ('[\n{"text":"a"}\n{"text":"b"}]', 3),
        ('[\n{"text":"a"},\n]', 3),
        ('[\n{"text":"a"},\n{"text":}]', 3),
        ('[{"text":"a"}]\nmore', 2),
        ('[{"text":"a"},\n\n7]', 3),
    ],
)
def test_a_broken_list_is_named_by_line(tmp_path: Path, data: str, line: int) -> None:
    assert errors_of(tmp_path, "d.json", data).params["line"] == line


def test_a_list_is_read_piece_by_piece(tmp_path: Path) -> None:
    records = [{"text": "x" * (i * 1000)} for i in range(1, 900, 8)]
    for indent in (None, 2):
        assert len(rows(given(tmp_path, "d.json", json.dumps(records, indent=indent)))) == len(records)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("d.pdf", b"%PDF-1.7", "PDF"),
        ("d.gz", b"\x1f\x8b\x08", "gzip"),
        ("d.bin", b"\0\1\2\3" * 100, "no text"),
        ("d.parquet", b"PAR1 but no more", "Parquet"),
        ("d.parquet", b"text", "Parquet"),
        ("d.json", b'"text"', "no list"),
        ("d.json", b'{\n"a": 1\n}', "one JSON object"),
        ("d.xlsx", zipped({"[Content_Types].xml": "x"}), "office"),
        ("d.txt", b"", "nothing to train on"),
        ("d.txt", b" \n\n ", "nothing to train on"),
        ("d.jsonl", b"\n\n", "nothing to train on"),
        ("d.csv", b"", "nothing to train on"),
        ("d.csv", b"prompt,completion\n", "nothing to train on"),
        ("d.json", b"[]", "nothing to train on"),
        ("d.zip", zipped({}), "no files"),
    ],
)
def test_what_holds_no_data_is_said(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    error = errors_of(tmp_path, name, data)
    assert words in error.message
    assert error.remedy


def test_files_of_two_formats_are_refused(tmp_path: Path) -> None:
    members = {"a.jsonl": GOOD, "b.csv": "prompt,completion\na,b\n"}
    assert "several formats" in errors_of(tmp_path, "d.zip", zipped(members)).message


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no file or folder"):
        stored(tmp_path / "none", tmp_path)


# ---------------------------------------------------------------- what one should know


def test_findings(tmp_path: Path) -> None:
    records = [
        {"prompt": "a", "completion": "b", "id": 1},
        {"prompt": "", "completion": "", "id": 2},
        {"prompt": "a", "completion": "b", "id": 3},
        {"prompt": "x", "completion": " ", "id": 4},
        {"prompt": "", "completion": "c", "id": 5},
    ]
    dataset = given(tmp_path, "d.jsonl", jsonl(records))
    assert rows(dataset) == [Pair("a", "b"), Pair("a", "b"), Pair("", "c")]
    found = codes(dataset)
    assert found["duplicates"]["lines"] == [3]
    assert found["empty_rows"]["lines"] == [2]
    assert found["no_answer"]["lines"] == [4]
    assert found["unused_fields"]["params"]["fields"] == ["id"]
    assert found["duplicates"]["message"] == "rows that repeat another: 1 of 3"


def test_one_row_and_a_thousand_equal_rows_are_told(tmp_path: Path) -> None:
    assert list(codes(given(tmp_path, "one.jsonl", GOOD))) == ["one_row"]
    assert list(codes(given(tmp_path, "same.jsonl", GOOD * 1000))) == ["all_equal"]


def test_duplicates_in_several_files_are_named_with_their_file(tmp_path: Path) -> None:
    other = GOOD.replace("a", "z", 1)
    dataset = given(tmp_path, "d.zip", zipped({"a.jsonl": GOOD + other, "b.jsonl": GOOD}))
    finding = codes(dataset)["duplicates"]
    assert (finding["lines"], finding["params"]["files"]) == ([1], ["b.jsonl"])


def test_conversations_without_an_answer_are_left_out(tmp_path: Path) -> None:
    records = [
        {"messages": TURNS},
        {"messages": TURNS[:2]},
        {"messages": [*TURNS, {**TURNS[2], "weight": 0}]},
    ]
    found = codes(given(tmp_path, "d.jsonl", jsonl(records)))
    assert found["no_answer"]["lines"] == [2]
    assert found["unused_fields"]["params"]["fields"] == ["messages.*.weight"]
