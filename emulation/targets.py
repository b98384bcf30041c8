"""From a target's name to its machine: `stm32f4@qemu`, `stm32f4@renode`, or a bare board's default."""

from __future__ import annotations

from emulation.errors import MachineError
from emulation.faults import LinkFaults
from emulation.machine import Machine
from emulation.pins import PinTrace
from hal.boards import load_board


def parse_target(target: str) -> tuple[str, str]:
    """(board, emulator) of a target. A bare board gets the first emulator of its page.

    BoardError for an unknown board, MachineError for an emulator that the board has no page entry for.
    """
    name, _, emulator = target.partition("@")
    board = load_board(name)
    emulator = emulator or board.default_emulator or ""
    if emulator not in board.emulators:
        known = ", ".join(f"{name}@{each}" for each in board.emulators) or "none"
        raise MachineError(f"Board {name} has no emulator {emulator!r}.", remedy=f"There is: {known}.")
    return name, emulator


def open_machine(
    target: str,
    *,
    faults: LinkFaults | None = None,
    icount: int | None = None,
    counts: bool = False,
    pins: PinTrace | None = None,
) -> Machine:
    """The machine of a target, still powered off.

    `faults` are applied to every connect() of its link and may be changed while it runs. `icount` N
    makes virtual time a count of instructions, each 2**N ns: deterministic, where the backend can.
    `counts`: each instruction is counted, where the backend must be told so beforehand. `pins` hears of its
    pins' levels, where its kernel is ours; in QEMU GDB cannot be used then.
    """
    from emulation.lifecycle import ProcessMachine
    from emulation.qemu import QemuMachine
    from emulation.renode import RenodeMachine

    name, emulator = parse_target(target)
    board = load_board(name)
    machine: ProcessMachine
    if emulator == "renode":
        machine = RenodeMachine(board, faults=faults, icount=icount, counts=counts)
    else:
        machine = QemuMachine(board, faults=faults, icount=icount, counts=counts)
    if pins is not None:
        machine.watch_pins(pins)
    return machine
