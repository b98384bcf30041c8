"""The MI parser: as pygdbmi's where that one works, and safe where it does not."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygdbmi import gdbmiparser

from emulation.gdb.mi import Fields, Kind, parse, quote, unescape

LINES = [
    '8^done,stack=[frame={level="0",addr="0x1"},frame={level="1",addr="0x2"}]',
    '*stopped,reason="breakpoint-hit",disp="keep",bkptno="1",frame={addr="0x08","args"="",func="f"}'.replace(
        '"args"="",', ""
    ),
    '12^done,wpt={number="2",exp="where.x"}',
    '^done,memory=[{begin="0x20000000",offset="0x0",end="0x20000004",contents="00ff10a5"}]',
    '5^error,msg="No symbol \\"x\\" in current context."',
    '=library-loaded,id="x",ranges=[{from="0x1",to="0x2"}]',
    "^running",
    '^done,changed-registers=["0","1"]',
    '^done,variables=[{name="p",arg="1",type="struct point",value="{x = 1, s = \\"q\\"}"}]',
    '^done,groups=[{id="i1",thread-ids={thread-id="1",thread-id="2"}}]',
    '=breakpoint-modified,bkpt={number="1",locations=[{number="1.1",enabled="y"},{number="1.2"}]}',
]
KINDS = {Kind.RESULT: "result", Kind.EXEC: "notify", Kind.NOTIFY: "notify"}


@pytest.mark.parametrize("line", LINES)
def test_reads_what_pygdbmi_reads(line: str) -> None:
    ours, theirs = parse(line), gdbmiparser.parse_response(line)
    assert (KINDS[ours.kind], ours.name, ours.token) == (theirs["type"], theirs["message"], theirs["token"])
    assert dict(ours.fields.values) == (theirs["payload"] or {})


@pytest.mark.parametrize(("prefix", "kind"), [("~", Kind.CONSOLE), ("@", Kind.TARGET), ("&", Kind.LOG)])
def test_stream_records(prefix: str, kind: Kind) -> None:
    record = parse(prefix + r'"tab\t \"q\" \303\251 \033[0m\n"')
    assert (record.kind, record.text) == (kind, 'tab\t "q" é \x1b[0m\n')


def test_breakpoint_commands_do_not_hang() -> None:
    record = parse('1^done,bkpt={number="1",script={"silent","print x"},times="0"}')
    assert record.fields.fields("bkpt").texts("script") == ["silent", "print x"]
    assert record.fields.fields("bkpt").integer("times", 7) == 0


def test_a_mebibyte_of_memory_is_quick() -> None:
    begin = time.perf_counter()
    record = parse('^done,memory=[{begin="0x0",contents="' + "ab" * (1 << 20) + '"}]')
    assert time.perf_counter() - begin < 0.2
    assert len(record.fields.items("memory")[0].text("contents")) == 2 << 20


@pytest.mark.parametrize(
    "line", ['^done,a="', "^done,a=[", "^done,a={b", '^done,"x"', "*", "^done,a=" + "[" * 999]
)
def test_what_is_cut_off_is_not_taken_for_mi(line: str) -> None:
    assert parse(line).kind is Kind.OTHER


@given(st.text(alphabet='^*=~@&"\\,[]{}=an1 \n('))
def test_never_fails(line: str) -> None:
    parse(line)


@given(st.text())
def test_quoting_is_undone(text: str) -> None:
    quoted = quote(text)
    assert (unescape(quoted[1:-1]) if quoted.startswith('"') else quoted) == text


@given(st.dictionaries(st.from_regex(r"[a-z][a-z-]{0,8}", fullmatch=True), st.text()))
def test_fields_come_back(values: dict[str, Any]) -> None:
    line = "^done" + "".join(f",{key}={quote(' ' + text)}" for key, text in values.items())
    assert dict(parse(line).fields.values) == {key: " " + text for key, text in values.items()}


def test_missing_fields_have_defaults() -> None:
    empty = Fields()
    assert (empty.text("a"), empty.number("a"), empty.items("a"), empty.flag("a")) == ("", None, [], False)
