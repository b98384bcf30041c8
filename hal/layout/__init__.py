"""How values lie in memory, by the types of a program's DWARF (version 5, chapter 5), and what they say.

    program = Program.of_elf(path)                    # or Program.of_sections(a module's custom sections)
    found = program.at(0x20000410)                    # which variable, and where in it
    for member in found.variable.type.members: ...

Little endian, as all our targets are. Programs may be anybody's: of a type only so much is read as is asked
for, and what is damaged is left out.
"""

from hal.layout.program import Found, Program, Variable, open_dwarf
from hal.layout.types import Kind, Member, Type

__all__ = ["Found", "Kind", "Member", "Program", "Type", "Variable", "open_dwarf"]
