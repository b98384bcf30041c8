"""The frame around the benchmarks: figures, goals, exit codes, comparison, the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from console.bench import compare, page
from console.bench.figure import Figure, number
from console.bench.registry import BENCHMARKS, Benchmark, load
from console.bench.report import BenchError, Report
from console.bench.runner import Outcome, run_all, verdict
from console.cli import invoke
from console.errors import EnvironmentMissing, Exit


class Deaf:
    """Hears nothing."""

    def step(self, bench: str, text: str) -> None: ...

    def figure(self, figure: Figure) -> None: ...

    def note(self, bench: str, text: str) -> None: ...


async def outcome_of(run: object, *, small: bool = False) -> Outcome:
    benchmark = Benchmark("made up", "", "", run)  # type: ignore[arg-type]
    (outcome,) = await run_all([benchmark], Deaf(), small=small)
    return outcome


def test_goals_bound_from_the_right_side() -> None:
    report = Report("x", Deaf())
    assert report.figure("a", 1.05, "x", at_most=1.05).met
    assert not report.figure("b", 1.06, "x", at_most=1.05).met
    assert report.figure("c", 86, "%", at_least=85).met
    lost = report.figure("d", 68, "%", at_least=85)
    assert not lost.met
    assert lost.headroom == pytest.approx(-0.2)
    assert report.figure("e", 3, "s").met
    with pytest.raises(ValueError, match="twice"):
        report.figure("a", 1, "x")


def test_figures_survive_json() -> None:
    figure = Figure("b", "m", 12.345678, "MB/s", 10, "higher", steady=True)
    line = json.loads(json.dumps(figure.as_json()))
    assert line["value"] == 12.346
    assert (line["goal"], line["met"]) == (10, True)
    assert Figure.from_json(line) == Figure("b", "m", 12.346, "MB/s", 10, "higher", steady=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [(12345, "12,345"), (12345.6, "12,346"), (1234.56, "1234.6"), (1.0345, "1.034"), (0.0, "0")],
)
def test_numbers_for_a_person(value: float, text: str) -> None:
    assert number(value) == text


async def test_exit_codes() -> None:
    async def misses(report: Report) -> None:
        report.figure("time", 2, "s", at_most=1)

    async def misses_steadily(report: Report) -> None:
        report.figure("size", 2, "bytes", at_most=1, steady=True)

    async def lacks(report: Report) -> None:
        raise EnvironmentMissing("No emulator.")

    async def breaks(report: Report) -> None:
        raise BenchError("The results differ.")

    async def has_a_bug(report: Report) -> None:
        raise ZeroDivisionError

    assert (await outcome_of(misses)).code == Exit.NOT_MET
    assert (await outcome_of(misses, small=True)).code == Exit.MET
    assert (await outcome_of(misses_steadily, small=True)).code == Exit.NOT_MET
    absent = await outcome_of(lacks)
    assert (absent.code, absent.failure) == (Exit.ENVIRONMENT, "No emulator.")
    broken = await outcome_of(breaks)
    assert broken.code == Exit.NOT_MET
    assert verdict([absent, broken]) == Exit.NOT_MET
    assert verdict([absent]) == Exit.ENVIRONMENT
    with pytest.raises(ZeroDivisionError):
        await outcome_of(has_a_bug)


def test_comparison_tells_what_differs_and_no_noise() -> None:
    base = {
        compare.key_of(one): one
        for one in (
            Figure("a", "size", 1000, "bytes", 2000, steady=True),
            Figure("a", "time", 1.0, "s"),
            Figure("a", "rate", 50, "MB/s", better="higher"),
            Figure("a", "lost", 1, "x"),
            Figure("other", "not run", 1, "x"),
        )
    }
    text = compare.markdown(
        base,
        [
            Figure("a", "size", 1010, "bytes", 2000, steady=True),
            Figure("a", "time", 1.1, "s"),
            Figure("a", "rate", 100, "MB/s", better="higher"),
            Figure("a", "fresh", 9, "x", 3),
        ],
    )
    assert "| a size | 1,000 | 1,010 bytes | +1.0 % worse | 49.5 % (990 bytes) |" in text
    assert "| a rate | 50 | 100 MB/s | +100.0 % better |  |" in text
    assert "| a fresh |  | 9 x | added | -200.0 % |" in text
    assert "| a lost | 1 |  | gone |  |" in text
    assert "a time" not in text
    assert "not run" not in text
    assert "1 figures are as before" in text
    assert "- missed: a fresh, 9 x, -200.0 %" in text


def test_the_page_keeps_before_and_after(tmp_path: Path) -> None:
    benchmark = load("footprint")
    earlier = Outcome(benchmark, [Figure("footprint", "x.kernel.flash", 2000, "bytes", 3000, steady=True)])
    later = Outcome(
        benchmark, [Figure("footprint", "x.kernel.flash", 1500, "bytes", 3000, steady=True)], ["Mind this."]
    )
    page.record(tmp_path, [earlier], as_before=True)
    path = page.record(tmp_path, [later])
    text = path.read_text()
    assert "| x.kernel.flash | 1,500 | bytes | ≤ 3,000 | 2,000 |" in text
    assert "Mind this." in text
    assert benchmark.text in text
    page.record(tmp_path, [Outcome(benchmark, failure="no compiler", code=Exit.NOT_MET)])
    assert path.read_text() == text


def test_every_benchmark_explains_itself() -> None:
    for name in BENCHMARKS:
        assert load(name).text, name


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["bench", "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(BENCHMARKS)
    assert invoke(["bench", "nothing"]) == 2
    assert "There is no benchmark 'nothing'" in capsys.readouterr().err
    assert invoke(["bench", "--compare", str(tmp_path / "none.json")]) == 2
    assert "cannot be read" in capsys.readouterr().err
    (tmp_path / "bad.json").write_text("{}")
    assert invoke(["bench", "--compare", str(tmp_path / "bad.json")]) == 2
    assert "holds no figures" in capsys.readouterr().err
    assert invoke(["bench", "--small", "--record", str(tmp_path)]) == 2


def test_footprint_agrees_with_firmware_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["bench", "footprint", "--json", "--small"]) == 0
    out = capsys.readouterr().out
    found = {line["metric"]: line for line in map(json.loads, out.splitlines())}
    assert invoke(["firmware", "size", "stm32f4", "--json"]) == 0
    wanted = {line["metric"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    for metric in ("kernel.flash", "kernel.ram", "arena"):
        assert found[f"stm32f4.{metric}"]["value"] == wanted[metric]["value"] > 0
    base = tmp_path / "base.json"
    base.write_text(out)
    assert invoke(["bench", "footprint", "--small", "--compare", str(base)]) == 0
    assert "Nothing differs." in capsys.readouterr().out
