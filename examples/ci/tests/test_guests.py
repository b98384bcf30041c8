"""Tests of guests by the fixtures of mesos-micro-agent's pytest plugin: `pytest examples/ci`."""

from __future__ import annotations

import pytest


@pytest.mark.mma_targets("stm32f4@qemu", "host")
def test_a_result(launch):
    end = launch("fib", "20").wait()
    assert (end.state, end.result) == ("TASK_FINISHED", "6765")
    assert end.usage.memory_peak < 4096


def test_a_hot_room_raises_the_alarm(board, launch):
    alarm = launch("filter", "30000", "0", "50", "20", gpio="0", sensors=["temp0"])
    alarm.wait_running()
    board.set_sensor("temp0", 41.5)
    alarm.wait_log("alarm on at")
    assert alarm.wait().result == "41500"


def test_a_cut_link_loses_nothing(board, launch):
    alarm = launch("filter", "30000", "0", "100", "20", gpio="0", sensors=["temp0"])
    alarm.wait_running()
    board.faults.cut = True
    board.set_sensor("temp0", 41.5)
    board.faults.cut = False
    end = alarm.wait()
    assert (end.state, end.result) == ("TASK_FINISHED", "41500")
