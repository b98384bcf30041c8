"""What programs read of a run: the closing JSON object and the JUnit file."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.cluster.mesos import Offer, Resources, Status, Task, TaskSpec, TaskState
from console.commands.shared.output import JsonReporter, TextReporter, result_json, write_junit

FINISHED = Status(TaskState.FINISHED, 1.0, message="The executor returned 0.", data=b"6765")


def test_the_result_of_a_good_run() -> None:
    assert result_json(FINISHED, "") == {
        "event": "result",
        "state": "TASK_FINISHED",
        "reason": None,
        "message": "The executor returned 0.",
        "output": "6765",
    }


def test_the_result_when_there_never_was_a_task() -> None:
    found = result_json(None, "There is no file x.")
    assert (found["state"], found["message"], found["output"]) == (None, "There is no file x.", "")


@given(st.binary(max_size=64))
def test_any_output_becomes_json(data: bytes) -> None:
    found = json.loads(json.dumps(result_json(Status(TaskState.FINISHED, 0.0, data=data), "")))
    assert ("output_base64" in found) == (data.decode("utf-8", "ignore").encode() != data)


def test_every_line_is_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    task = Task("fib-1", TaskSpec("fib", b"", "host", Resources()), (FINISHED,))
    resources = Resources({"cpus": 1.0}, {"gpio": ((0, 3),)}, {"sensors": frozenset({"temp0"})})
    reporter = JsonReporter()
    reporter.step("master", "starting")
    reporter.offer(Offer("O1", "S1", "h", "*", resources, {"target": "host"}, 0.0))
    reporter.log("fib-1", 'a "quoted" line\nand more')
    reporter.status(task, FINISHED)
    reporter.result(True, FINISHED, "")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["step", "offer", "log", "status", "result"]
    assert lines[1]["resources"] == {"cpus": 1.0, "gpio": [[0, 3]], "sensors": ["temp0"]}
    assert all("time" in line for line in lines)


def test_a_person_gets_data_on_stdout_and_the_rest_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = TextReporter()
    reporter.step("master", "starting")
    reporter.log("fib-1", "fib(20) = 6765")
    reporter.result(False, FINISHED, "It ended otherwise.")
    out, err = capsys.readouterr()
    assert out == "| fib(20) = 6765\n6765\n"
    assert "starting" in err
    assert err.endswith("mma: It ended otherwise.\n")


@given(st.text(max_size=40), st.binary(max_size=40))
def test_junit_is_xml_whatever_a_guest_prints(
    tmp_path_factory: pytest.TempPathFactory, text: str, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("junit") / "report.xml"
    write_junit(path, "fib on host", 1.5, Status(TaskState.FAILED, 0.0, data=data), text)
    suite = ElementTree.parse(path).getroot()[0]
    assert suite.get("failures") == ("1" if text else "0")


def test_junit_of_a_good_run(tmp_path: Path) -> None:
    write_junit(tmp_path / "r.xml", "fib on host", 0.25, FINISHED, "")
    case = ElementTree.parse(tmp_path / "r.xml").getroot()[0][0]
    assert (case.get("name"), case.get("time"), case.find("failure")) == ("fib on host", "0.250", None)
    assert case.findtext("system-out") == "6765"
