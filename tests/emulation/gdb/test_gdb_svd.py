"""CMSIS-SVD: the parser on what the standard allows, our own file, and registers of a real QEMU."""

from __future__ import annotations

import re
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import until

from emulation.gdb import svd
from emulation.gdb.errors import GdbError, SvdError
from emulation.gdb.peripherals import Peripherals
from emulation.gdb.session import Session
from emulation.gdb.svd_model import Access, Device, Field, Reading
from emulation.gdb.svd_parser import parse_device
from emulation.qemu import QemuMachine

FIRMWARE = Path(__file__).parents[3] / "firmware"

EVERYTHING = """<?xml version="1.0"?>
<device><name>CHIP</name><size>32</size><access>read-write</access><resetValue>0</resetValue>
<peripherals>
 <peripheral><name>TIM1</name><description>A
   timer</description><groupName>TIM</groupName><baseAddress>0x40000000</baseAddress><size>16</size><registers>
  <register><name>CR</name><addressOffset>0x0</addressOffset><resetValue>0x12345</resetValue><fields>
   <field><name>MODE</name><bitOffset>4</bitOffset><bitWidth>2</bitWidth><enumeratedValues><name>Modes</name>
     <enumeratedValue><name>off</name><value>0</value></enumeratedValue>
     <enumeratedValue><name>any</name><value>#1x</value></enumeratedValue>
     <enumeratedValue><name>odd</name><isDefault>true</isDefault></enumeratedValue></enumeratedValues></field>
   <field><name>ALSO</name><lsb>6</lsb><msb>7</msb><enumeratedValues derivedFrom="Modes"/></field>
   <field derivedFrom="MODE"><name>LIKE</name><bitRange>[9:8]</bitRange></field>
   <field><dim>3</dim><dimIncrement>1</dimIncrement><name>F%s</name><bitRange>[12:12]</bitRange></field>
  </fields></register>
  <register><dim>2</dim><dimIncrement>0x4</dimIncrement><dimIndex>A,B</dimIndex>
   <name>CCR%s</name><addressOffset>0x10</addressOffset></register>
  <register derivedFrom="CR"><name>CR2</name><addressOffset>0x4</addressOffset></register>
  <cluster><dim>2</dim><dimIncrement>0x20</dimIncrement><name>CH[%s]</name><addressOffset>0x40</addressOffset>
   <access>read-only</access>
   <register><name>ST</name><addressOffset>0x8</addressOffset><size>8</size></register>
   <cluster><name>IN</name><addressOffset>0x10</addressOffset>
    <register><name>X</name><addressOffset>0</addressOffset><readAction>clear</readAction></register></cluster>
  </cluster></registers></peripheral>
 <peripheral derivedFrom="TIM1"><name>TIM2</name><baseAddress>0x40001000</baseAddress><registers>
  <register><name>EXTRA</name><addressOffset>0x80</addressOffset><access>write-only</access></register>
 </registers></peripheral>
 <peripheral><name>UART0</name><baseAddress>0x50000000</baseAddress><registers>
  <register><name>DR</name><addressOffset>0</addressOffset></register>
  <register><name>FR</name><addressOffset>4</addressOffset><fields>
   <field><name>GONE</name><bitRange>[0:0]</bitRange><readAction>clear</readAction></field></fields></register>
  <register derivedFrom="TIM1.CR"><name>CT</name><addressOffset>8</addressOffset></register>
 </registers></peripheral>
</peripherals></device>"""


@pytest.fixture(scope="module")
def device() -> Device:
    return parse_device(EVERYTHING.encode(), "everything.svd")


def test_inheritance_arrays_and_clusters(device: Device) -> None:
    timer = device.peripheral("tim1")
    assert timer.description == "A timer"
    assert [(item.name, hex(item.address), item.size) for item in timer.registers] == [
        ("CR", "0x40000000", 2),
        ("CR2", "0x40000004", 2),
        ("CCRA", "0x40000010", 2),
        ("CCRB", "0x40000014", 2),
        ("CH0.ST", "0x40000048", 1),
        ("CH0.IN.X", "0x40000050", 2),
        ("CH1.ST", "0x40000068", 1),
        ("CH1.IN.X", "0x40000070", 2),
    ]
    control = timer.register("CR")
    assert control.reset == 0x2345
    assert [(item.name, item.bits) for item in control.fields] == [
        ("F2", "14"),
        ("F1", "13"),
        ("F0", "12"),
        ("LIKE", "9:8"),
        ("ALSO", "7:6"),
        ("MODE", "5:4"),
    ]
    assert timer.register("CR2").fields == control.fields
    assert timer.register("CH0.ST").access is Access.READ_ONLY
    assert device.at(0x40000014) == (timer, timer.register("CCRB"))
    assert device.at(0x40000016) is None


def test_derived_peripherals_and_registers(device: Device) -> None:
    second = device.peripheral("TIM2")
    assert second.group == "TIM"
    assert second.register("CR").address == 0x40001000
    assert not second.register("EXTRA").access.readable
    assert device.peripheral("UART0").register("CT").fields == second.register("CR").fields


def test_reads_that_change_something(device: Device) -> None:
    assert device.peripheral("TIM1").register("CH0.IN.X").reading is Reading.CHANGES
    uart = device.peripheral("UART0")
    assert [item.reading for item in uart.registers] == [Reading.SUSPECT, Reading.CHANGES, Reading.SAFE]


@pytest.mark.parametrize("name", ["MODE", "ALSO", "LIKE"])
def test_values_have_names(device: Device, name: str) -> None:
    field = device.peripheral("TIM1").register("CR").field(name)
    assert [field.meaning(value) for value in range(4)] == ["off", "odd", "any", "any"]


@given(st.integers(0, 31), st.integers(1, 32), st.integers(0, (1 << 32) - 1), st.data())
def test_fields_in_and_out(lsb: int, width: int, register: int, data: st.DataObject) -> None:
    width = min(width, 32 - lsb)
    field = Field("F", "", lsb, width, Access.READ_WRITE, Reading.SAFE)
    value = data.draw(st.integers(0, (1 << width) - 1))
    changed = field.insert(register, value)
    assert field.extract(changed) == value
    assert changed & ~field.mask == register & ~field.mask
    with pytest.raises(SvdError, match="does not fit"):
        field.insert(register, 1 << width)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no XML"),
        ("<svd/>", "no CMSIS-SVD"),
        ("<!DOCTYPE d [<!ENTITY a 'b'>]><device/>", "entities"),
        ("<device/>", "no name"),
        (EVERYTHING.replace('"TIM1.CR"', '"NONE.CR3"'), "not there"),
        (EVERYTHING.replace("<bitRange>[9:8]", "<bitRange>[8:9]"), "bits 8:9"),
        (EVERYTHING.replace("<dimIndex>A,B", "<dimIndex>A"), "2 elements but 1 names"),
        (EVERYTHING.replace("0x40000000", "somewhere"), "no number"),
        (EVERYTHING.replace("<name>TIM1", "<name>TIM1</name><name>x", 1), ""),
    ],
)
def test_what_is_wrong_with_a_file(text: str, words: str) -> None:
    if words:
        with pytest.raises(SvdError, match=words):
            parse_device(text.encode(), "x.svd")
    else:
        parse_device(text.encode(), "x.svd")


def test_who_misspells_is_helped(device: Device) -> None:
    with pytest.raises(SvdError, match=r"no peripheral TIM9.*It has TIM1, TIM2"):
        device.peripheral("TIM9")


# -- where files are ----------------------------------------------------------------------------------


def test_the_users_files_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMA_SVD", str(tmp_path))
    names = ["stm32f405", "stm32f4"]
    assert svd.find(names)[1] == "stm32f4.svd"
    for name in ("STM32F407.svd", "STM32F40x.svd", "notes.txt"):
        (tmp_path / name).write_text(EVERYTHING)
    assert svd.find(names)[1] == str(tmp_path / "STM32F40x.svd")
    (tmp_path / "STM32F405.svd").write_text(EVERYTHING)
    assert svd.load(names).source == str(tmp_path / "STM32F405.svd")
    assert svd.load(names, tmp_path / "STM32F407.svd").name == "CHIP"
    with pytest.raises(SvdError, match="cannot be read"):
        svd.load(names, tmp_path / "none.svd")
    with pytest.raises(SvdError, match=r"no SVD file for toaster.*Put the chip vendor's into"):
        svd.load(["toaster"])
    monkeypatch.setenv("MMA_SVD", str(tmp_path / "STM32F407.svd"))
    assert svd.load(names).source == str(tmp_path / "STM32F407.svd")


def test_our_own_file_knows_what_the_firmware_uses() -> None:
    device = parse_device(*svd.find(["stm32f4"]))
    text = (FIRMWARE / "chips" / "stm32f4" / "registers.h").read_text()
    used = re.findall(r"#define (\w+) REGISTER\((0x[0-9A-Fa-f]{8})\)", text)
    assert len(used) > 20
    for name, address in used:
        found = device.at(int(address, 16))
        assert found is not None, name
        assert found[1].name == name.partition("_")[2], name
    for peripheral in device.peripherals:
        for register in peripheral.registers:
            bits = [item.mask for item in register.fields]
            assert sum(bits) <= 0xFFFFFFFF, register
            assert sum(bits) == reduce(int.__or__, bits, 0), register  # none overlap
    assert not device.peripheral("USART1").register("DR").safe
    assert not device.peripheral("SysTick").register("CSR").safe
    assert device.peripheral("GPIOA").register("MODER").reset == 0xA8000000
    assert len(device.peripheral("GPIOE").registers) == 10


# -- on a machine -------------------------------------------------------------------------------------


async def test_registers_of_a_real_machine(session: Session, machine: QemuMachine) -> None:
    device = svd.load(["stm32f4"])
    assert not session.stub.writes_peripherals
    write = machine.write_memory
    peripherals = Peripherals(device, session.data.read, write=write, stop=lambda: session.stops)
    first = {item.register.name: item for item in await peripherals.read("USART1")}
    assert first["SR"].value == 0xC0
    assert (first["DR"].value, first["DR"].why_not) == (None, "a read changes the hardware")
    assert not any(item.changed for item in first.values())
    await peripherals.write_field("USART1", "CR1", "UE", 1)
    await peripherals.write_field("USART1", "CR1", "RE", 1)
    await (await session.execution.stepi()).stopped()
    second = {item.register.name: item for item in await peripherals.read("usart1")}
    assert second["CR1"].value == 0x2004
    assert second["CR1"].changed
    changed = {item.field.name for item in second["CR1"].fields if item.changed}
    assert changed == {"UE", "RE"}
    assert {item.field.name: item.meaning for item in second["CR1"].fields}["OVER8"] == "by16"
    again = {item.register.name: item for item in await peripherals.read("USART1")}
    assert again["CR1"].changed  # still the same stop
    await (await session.execution.stepi()).stopped()
    third = {item.register.name: item for item in await peripherals.read("USART1")}
    assert not third["CR1"].changed
    with pytest.raises(SvdError, match="cannot be kept: a read changes"):
        await peripherals.write_field("USART1", "DR", "DR", 1)


async def test_looking_does_not_take_a_byte_away(session: Session, machine: QemuMachine) -> None:
    peripherals = Peripherals(svd.load(["stm32f4"]), session.data.read, write=machine.write_memory)
    await peripherals.write("USART1", "CR1", 0x2004)
    reader, writer = await machine.connect()
    assert reader is not None
    writer.write(b"A")

    async def received() -> bool:
        values = {item.register.name: item for item in await peripherals.read("USART1")}
        return any(item.field.name == "RXNE" and item.value for item in values["SR"].fields)

    async with session.paused():
        await until(received, 5)
        assert await received()
        taken = {item.register.name: item for item in await peripherals.read("USART1", force=["DR"])}
        assert taken["DR"].value == ord("A")
        assert not await received()


async def test_unreadable_registers_do_not_hide_the_others() -> None:
    device = parse_device(EVERYTHING.encode(), "x.svd")

    async def read(address: int, size: int) -> bytes:
        if address <= 0x40000012 < address + size or address == 0x40000014:
            raise GdbError("There is no readable memory at 0x40000014.")
        return bytes(size)

    values = {item.register.name: item for item in await Peripherals(device, read).read("TIM1")}
    assert values["CR"].value == 0
    assert (values["CCRB"].value, values["CCRB"].why_not) == (
        None,
        "There is no readable memory at 0x40000014.",
    )
