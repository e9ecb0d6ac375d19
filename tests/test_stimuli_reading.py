"""Files of stimuli: what is read from them, and one clear sentence for what cannot be."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pandas as pd
import pytest

from cortiscope.errors import InputError
from cortiscope.stimuli import StimulusSet

HEADER = "stimulus_id\ttext\ttarget_start\ttarget_end\tcategory\n"


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def targets(stimuli: StimulusSet) -> list[str]:
    table = stimuli.table
    return [
        t[s:e] for t, s, e in zip(table.text, table.target_start, table.target_end, strict=True)
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("text\ttarget\nA Cat ran.\tcat\n", "Cat"),
        ("text\tword\nI use C++ here.\tC++\n", "C++"),
        ("text\ttarget\tword\nTwo cats ran.\tcats\tcat\n", "cats"),
        ("text\ttarget_start\ttarget_end\ncan a can can\t6\t9\n", "can"),
        ("text\ttarget_start\ttarget_end\n😀 a can\t4.0\t7.0\n", "can"),
        ("text\tcategory\n The whole text \tany\n", " The whole text "),
    ],
    ids=["case", "punctuation", "form before lemma", "span", "code points", "whole text"],
)
def test_the_target_is_found(tmp_path: Path, content: str, expected: str) -> None:
    assert targets(StimulusSet.read(written(tmp_path, "mine.tsv", content))) == [expected]


def test_the_target_says_nothing_that_the_span_does_not(tmp_path: Path) -> None:
    stimuli = StimulusSet.read(written(tmp_path, "mine.tsv", "text\ttarget\nA cat.\tcat\n"))
    assert stimuli.labels == ()


def test_missing_ids_are_numbered_after_the_file(tmp_path: Path) -> None:
    stimuli = StimulusSet.read(written(tmp_path, "mine.csv", "text\nOne.\nTwo.\n"))
    assert stimuli.name == "mine"
    assert stimuli.table.stimulus_id.tolist() == ["mine-0001", "mine-0002"]


def test_more_than_9999_rows_keep_their_order_when_sorted() -> None:
    stimuli = StimulusSet.from_table(pd.DataFrame({"text": ["A."] * 10_000}), name="n")
    identifiers = stimuli.table.stimulus_id.tolist()
    assert identifiers == sorted(identifiers)


def test_csv_keeps_quotes_commas_breaks_and_the_byte_order_mark_apart(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbftext,category\r\n"He said ""a, b""\nand left.",x\r\n\r\nPlain.,y\r\n'
    table = StimulusSet.read(written(tmp_path, "mine.csv", content)).table
    assert table.text.tolist() == ['He said "a, b"\nand left.', "Plain."]
    assert table.category.tolist() == ["x", "y"]


def test_words_that_pandas_would_take_for_missing_are_words(tmp_path: Path) -> None:
    content = "text,word\nThere was none.,none\nIn NA we met.,NA\nA null.,null\n"
    stimuli = StimulusSet.read(written(tmp_path, "mine.csv", content))
    assert stimuli.table.word.tolist() == ["none", "NA", "null"]


def test_labels_are_numbers_only_where_all_of_them_are(tmp_path: Path) -> None:
    content = "text\tword\tyear\tcode\tmixed\nIn 7.\t7\t1969\t007\t1\nIn 8.\t8\t1970.5\t008\tb\n"
    table = StimulusSet.read(written(tmp_path, "mine.tsv", content)).table
    assert table.word.tolist() == ["7", "8"]
    assert table.year.tolist() == [1969.0, 1970.5]
    assert table.code.tolist() == ["007", "008"]
    assert table.mixed.tolist() == ["1", "b"]


def test_identifiers_longer_than_a_float_holds_stay_text(tmp_path: Path) -> None:
    content = "text\titem\nA.\t12345678901234567890\nB.\t12345678901234567891\n"
    table = StimulusSet.read(written(tmp_path, "mine.tsv", content)).table
    assert table.item.tolist() == ["12345678901234567890", "12345678901234567891"]


def test_labels_of_thousands_of_digits_are_text(tmp_path: Path) -> None:
    path = written(tmp_path, "mine.tsv", "text\titem\nA.\t" + "7" * 5000 + "\n")
    assert StimulusSet.read(path).table.item.tolist() == ["7" * 5000]


def test_a_named_index_is_a_column_and_a_nameless_one_is_not(tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": ["A.", "B."], "stimulus_id": ["a", "b"]})
    named = frame.set_index("stimulus_id")
    frame.set_index(pd.Index([7, 8])).to_parquet(tmp_path / "nameless.parquet")
    named.to_parquet(tmp_path / "named.parquet")
    sets = [
        StimulusSet.from_table(named),
        StimulusSet.from_table(frame),
        StimulusSet.read(tmp_path / "named.parquet"),
        StimulusSet.read(tmp_path / "nameless.parquet"),
    ]
    assert {s.fingerprint for s in sets} == {sets[0].fingerprint}
    assert all(s.labels == () for s in sets)


BAD_FILES = {
    "missing column": (
        "a.tsv",
        "Text\tcategory\nA.\tx\n",
        "a.tsv has no column 'text', only 'Text', 'category'; rename 'Text'.",
    ),
    "wrong separator": (
        "a.csv",
        "text;category\nA.;x\n",
        "a.csv has no column 'text', only 'text;category'; separate columns by tabs in .tsv and "
        "by commas in .csv.",
    ),
    "duplicate id": (
        "a.tsv",
        "stimulus_id\ttext\none\tA.\ntwo\tB.\n\none\tC.\n",
        "a.tsv, line 5: column 'stimulus_id' repeats 'one' of line 2; every stimulus needs an id "
        "of its own.",
    ),
    "empty text": (
        "a.tsv",
        "stimulus_id\ttext\none\tA.\ntwo\t  \n",
        "a.tsv, line 3: column 'text' is empty; write the stimulus there or take the row out.",
    ),
    "target not found": (
        "a.csv",
        "text,target\nA cat.,dog\n",
        "a.csv, line 2: the target 'dog' is not found in 'A cat.'; correct it, or give its span "
        "in 'target_start' and 'target_end'.",
    ),
    "word inside another": (
        "a.csv",
        'text,word\n"Many\ncats.",x\nMany cats.,cat\n'.replace(",x", ",cats"),
        "a.csv, line 4: the target 'cat' stands only inside a longer word in 'Many cats.'; give "
        "the form that stands in the text in a column 'target', or its span in 'target_start' "
        "and 'target_end'.",
    ),
    "target twice": (
        "a.csv",
        "text,word\nCan a can?,can\n",
        "a.csv, line 2: the target 'can' stands 2 times in 'Can a can?'; give the span of the "
        "one you mean in 'target_start' and 'target_end'.",
    ),
    "target empty": (
        "a.csv",
        "text,target\nA cat., \n",
        "a.csv, line 2: column 'target' has no text to find in 'text'.",
    ),
    "span outside": (
        "a.tsv",
        HEADER + "one\tA cat.\t2\t7\tx\n",
        "a.tsv, line 2: columns 'target_start' and 'target_end' give the span 2 to 7, expected "
        "0 <= target_start < target_end <= 6, the number of characters in 'text'.",
    ),
    "span empty": (
        "a.tsv",
        HEADER + "one\tA cat.\t2\t2\tx\n",
        "a.tsv, line 2: columns 'target_start' and 'target_end' give the span 2 to 2, expected "
        "0 <= target_start < target_end <= 6, the number of characters in 'text'.",
    ),
    "span no number": (
        "a.tsv",
        HEADER + "one\tA cat.\t2.5\t5\tx\n",
        "a.tsv, line 2: column 'target_start' holds '2.5', expected a whole number of characters.",
    ),
    "span beyond measure": (
        "a.jsonl",
        '{"text": "A cat.", "target_start": 2, "target_end": 1' + "0" * 400 + "}",
        "a.jsonl, line 1: column 'target_end' holds 1" + "0" * 400 + ", expected a whole number "
        "of characters.",
    ),
    "span missing": (
        "a.tsv",
        HEADER + "one\tA cat.\t2\t\tx\n",
        "a.tsv, line 2: column 'target_end' holds '', expected a whole number of characters.",
    ),
    "one bound": (
        "a.tsv",
        "text\ttarget_start\nA cat.\t2\n",
        "a.tsv has a column 'target_start' but no column 'target_end'; give both bounds of the "
        "target, or a column 'target' with its text.",
    ),
    "span against target": (
        "a.tsv",
        "text\ttarget_start\ttarget_end\ttarget\nA cat.\t0\t3\tcat\n",
        "a.tsv, line 2: the span 0 to 3 holds 'A c' where column 'target' says 'cat'; count "
        "characters (not bytes) from 0, end exclusive, or take the span columns out.",
    ),
    "label missing": (
        "a.tsv",
        "text\tcategory\nA.\tx\nB.\t\n",
        "a.tsv, line 3: column 'category' has no value (empty or NaN); fill it in or take the "
        "column out.",
    ),
    "label written nan": (
        "a.tsv",
        "text\tsize\nA.\t1.5\nB.\tnan\n",
        "a.tsv, line 3: column 'size' has no value (empty or NaN); fill it in or take the column "
        "out.",
    ),
    "label with a dimension's name": (
        "a.tsv",
        "text\tlayer\nA.\t1\n",
        "a.tsv has a column 'layer', which is the name of a recording's dimension; rename it.",
    ),
    "latin-1": (
        "a.tsv",
        "text\nA cat.\nA café.\n".encode("latin-1"),
        "a.tsv is not UTF-8: line 3 holds the byte 0xE9 (number 18 of the file); save it as "
        "UTF-8, for example with `iconv -f WINDOWS-1252 -t UTF-8`.",
    ),
    "latin-1 after a byte-order mark": (
        "a.tsv",
        b"\xef\xbb\xbf" + "text\nA café.\n".encode("latin-1"),
        "a.tsv is not UTF-8: line 2 holds the byte 0xE9 (number 14 of the file); save it as "
        "UTF-8, for example with `iconv -f WINDOWS-1252 -t UTF-8`.",
    ),
    "utf-16": (
        "a.csv",
        "text\nA cat.\n".encode("utf-16"),
        "a.csv is not UTF-8: line 1 starts with the byte 0xFF, the mark of UTF-16; save it as "
        "UTF-8, for example with `iconv -f UTF-16 -t UTF-8`.",
    ),
    "empty file": (
        "a.jsonl",
        " \n",
        "a.jsonl is empty; it needs a column 'text' and one row a stimulus.",
    ),
    "empty parquet": (
        "a.parquet",
        b"",
        "a.parquet is empty; it needs a column 'text' and one row a stimulus.",
    ),
    "only a byte-order mark": (
        "a.csv",
        b"\xef\xbb\xbf\n",
        "a.csv is empty; it needs a column 'text' and one row a stimulus.",
    ),
    "header alone": ("a.tsv", HEADER, "a.tsv has no rows; it needs one row a stimulus."),
    "unknown ending": (
        "a.xlsx",
        "text\nA.\n",
        "{path} has the unknown ending '.xlsx'; a table of stimuli ends in .tsv, .csv, .jsonl or "
        ".parquet.",
    ),
    "too many fields": (
        "a.csv",
        "text,category\nYes, he did.,x\n",
        "a.csv, line 2 has 3 columns where the header has 2; put a field that holds the "
        "separator or a line break in double quotes.",
    ),
    "text after a quote": (
        "a.tsv",
        'text\tcategory\n"Yes," he said.\tx\n',
        "a.tsv, line 2 cannot be read ('\\t' expected after '\"'); a field that starts with a "
        "double quote must end with one, and quotes inside it are doubled.",
    ),
    "open quote": (
        "a.csv",
        'text,category\nA.,x\n"Yes, he did.,x\n',
        "a.csv, line 3 cannot be read (unexpected end of data); a field that starts with a double "
        "quote must end with one, and quotes inside it are doubled.",
    ),
    "nameless column": (
        "a.csv",
        ",text\n0,A.\n",
        "a.csv, column 1 has no name in the header; name it or take it out (pandas writes such a "
        "column unless told index=False).",
    ),
    "two columns of a name": (
        "a.csv",
        "text,frame, frame\nA.,x,y\n",
        "a.csv has two columns 'frame'; rename or take out one.",
    ),
    "not json": (
        "a.jsonl",
        '{"text": "A."}\n{"text": "B."\n',
        "a.jsonl, line 2 is not JSON (Expecting ',' delimiter: line 1 column 14 (char 13)); JSONL "
        "has one object in braces a line.",
    ),
    "json of another kind": (
        "a.jsonl",
        '"A."\n',
        "a.jsonl, line 1 holds str, not an object; JSONL has one object a line, such as "
        '{"text": "A cat."}.',
    ),
    "json key twice": (
        "a.jsonl",
        '{"text": "A.", "text": "B."}\n',
        "a.jsonl, line 1 is not JSON (a key occurs twice); JSONL has one object in braces a line.",
    ),
    "json without a text": (
        "a.jsonl",
        '{"text": "A."}\n{"word": "cat"}\n',
        "a.jsonl, line 2: column 'text' is empty; write the stimulus there or take the row out.",
    ),
    "json number for text": (
        "a.jsonl",
        '{"text": 12}\n',
        "a.jsonl, line 1: column 'text' holds 12, expected text; put the sentence in quotes.",
    ),
    "json list for label": (
        "a.jsonl",
        '{"text": "A.", "category": ["x"]}\n',
        "a.jsonl, line 1: column 'category' holds ['x'], expected text or a finite number; turn "
        "it into one or take the column out.",
    ),
    "json NaN for label": (
        "a.jsonl",
        '{"text": "A.", "category": NaN}\n',
        "a.jsonl, line 1: column 'category' has no value (empty or NaN); fill it in or take the "
        "column out.",
    ),
    "json infinity for label": (
        "a.jsonl",
        '{"text": "A.", "size": Infinity}\n',
        "a.jsonl, line 1: column 'size' holds inf, expected text or a finite number; turn it "
        "into one or take the column out.",
    ),
    "half a character": (
        "a.jsonl",
        '{"text": "A \\ud83d cat."}\n',
        "a.jsonl, line 1: column 'text' holds half a character (a lone surrogate, U+D83D) at "
        "position 2; write the text again.",
    ),
}


@pytest.mark.parametrize(
    ("name", "content", "message"), list(BAD_FILES.values()), ids=list(BAD_FILES)
)
def test_bad_files_are_refused_in_one_sentence(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    path = written(tmp_path, name, content)
    with pytest.raises(InputError) as refusal:
        StimulusSet.read(path)
    assert str(refusal.value) == message.replace("{path}", str(path))


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a.parquet", b"PAR1 and then nothing of the kind")
    with pytest.raises(InputError, match=r"^a\.parquet cannot be read as Parquet \(.+\); write"):
        StimulusSet.read(path)


def test_rows_of_parquet_are_named_by_number(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pd.DataFrame({"text": ["A.", "B."], "category": ["x", None]}).to_parquet(path)
    with pytest.raises(InputError, match=r"^a\.parquet, row 2: column 'category' has no value"):
        StimulusSet.read(path)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^There is no file .*absent\.tsv; check the path\.$"):
        StimulusSet.read(tmp_path / "absent.tsv")
    (tmp_path / "folder.tsv").mkdir()
    with pytest.raises(InputError, match=r"folder\.tsv cannot be read \(.+\); give a readable"):
        StimulusSet.read(tmp_path / "folder.tsv")


@pytest.mark.skipif(
    os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="the superuser may read everything",
)
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a.tsv", "text\nA.\n")
    path.chmod(0)
    with pytest.raises(InputError, match="cannot be read"):
        StimulusSet.read(path)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"text": ["A."], "category": [float("nan")]}, "the table, row 1: column 'category' has"),
        ({"text": ["A."], "category": [pd.NA]}, "the table, row 1: column 'category' has no"),
        ({"text": ["A."], "category": [pd.NaT]}, "the table, row 1: column 'category' has no"),
        ({"text": ["A.", None]}, "the table, row 2: column 'text' is empty"),
        ({"text": ["A."], "stimulus_id": [None]}, "the table, row 1: column 'stimulus_id' has"),
        ({"text": []}, "the table has no rows"),
        ({"text": ["A."], "when": [pd.Timestamp("2020-01-01")]}, "expected text or a finite"),
        ({"text": ["A."], "target_start": [True], "target_end": [2]}, "holds True, expected a"),
    ],
)
def test_bad_tables_are_refused(frame: dict[str, list[object]], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        StimulusSet.from_table(pd.DataFrame(frame))


def test_what_is_no_table_and_what_is_no_name_are_refused() -> None:
    with pytest.raises(InputError, match="is a dict, expected a pandas DataFrame"):
        StimulusSet.from_table({"text": ["A."]})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="named '  '; give it a name"):
        StimulusSet.from_table(pd.DataFrame({"text": ["A."]}), name="  ")


def test_json_lines_may_order_keys_as_they_like(tmp_path: Path) -> None:
    records = [{"text": "A.", "b": 1, "a": "x"}, {"a": "y", "text": "B.", "b": 2}]
    lines = "\n".join(json.dumps(record) for record in records)
    stimuli = StimulusSet.read(written(tmp_path, "mine.jsonl", lines))
    assert stimuli.table.b.tolist() == [1, 2]
    assert (
        stimuli.fingerprint
        == StimulusSet.from_table(
            pd.DataFrame(records)[["a", "text", "b"]], name="mine"
        ).fingerprint
    )
