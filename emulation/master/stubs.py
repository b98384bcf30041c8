"""Stand-ins for the libraries of 2016 that libmesos links and the master does not need.

OpenSSL 1.0 and curl for Mesos's own TLS and fetcher, Subversion and APR for its replicated log, Python 2
for the module that the file once was. Read from its undefined symbols: every function returns 0, every
Python symbol is 512 zero bytes. SASL is real where it is installed, for CRAM-MD5 authentication.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection, GNUVerSymSection
from elftools.elf.sections import SymbolTableSection

from emulation.errors import EnvironmentMissing

STUBBED = (
    "libssl.so.1.0.0",
    "libcrypto.so.1.0.0",
    "libcurl.so.4",
    "libsvn_delta-1.so.1",
    "libsvn_subr-1.so.1",
    "libapr-1.so.0",
)
"""Sonames that are always stubbed: the file asks for versions that no current system has, or for little."""
SASL = "libsasl2.so.2"
PYTHON = "libpython-stub.so"

_UNVERSIONED = {"svn_": "libsvn_delta-1.so.1", "apr_": "libapr-1.so.0", "Py": PYTHON, "_Py": PYTHON}
"""Symbols without a version name no library; their prefix does."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """An undefined symbol: which library must define it, under which version ("" for none)."""

    name: str
    library: str
    version: str


def undefined_symbols(path: Path) -> list[Symbol]:
    """What a shared library needs of the libraries that we stub."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        needs, tags = elf.get_section_by_name(".gnu.version_r"), elf.get_section_by_name(".gnu.version")
        table, hashes = elf.get_section_by_name(".dynsym"), elf.get_section_by_name(".gnu.hash")
        if not isinstance(needs, GNUVerNeedSection) or not isinstance(tags, GNUVerSymSection):
            raise EnvironmentMissing(f"{path} is not the Mesos library that it should be.")
        if not isinstance(table, SymbolTableSection) or hashes is None:
            raise EnvironmentMissing(f"{path} is not the Mesos library that it should be.")
        versions = {
            auxiliary["vna_other"]: (need.name, auxiliary.name)
            for need, auxiliaries in needs.iter_versions()
            for auxiliary in auxiliaries
        }
        # The hash table's second word is the first symbol in it; undefined ones all come before: 4 s saved.
        _, first_defined = struct.unpack("<II", hashes.data()[:8])
        found = []
        for index in range(1, first_defined):
            symbol = table.get_symbol(index)
            if symbol["st_shndx"] != "SHN_UNDEF" or symbol["st_info"]["bind"] != "STB_GLOBAL":
                continue
            library, version = versions.get(tags.get_symbol(index)["ndx"], ("", ""))
            if not library:
                library = next(
                    (to for prefix, to in _UNVERSIONED.items() if symbol.name.startswith(prefix)), ""
                )
            if library in (*STUBBED, SASL, PYTHON):
                found.append(Symbol(symbol.name, library, version))
        return found


def source(symbols: Iterable[Symbol], library: str) -> str:
    """C text that defines a library's symbols."""
    kind = "char {}[512];" if library == PYTHON else "void *{}(void) {{ return 0; }}"
    return "".join(kind.format(each.name) + "\n" for each in symbols if each.library == library)


def version_script(symbols: Iterable[Symbol], library: str) -> str:
    """The linker's version script that puts each symbol under the version asked for; "" where none is."""
    nodes: dict[str, list[str]] = {}
    for each in symbols:
        if each.library == library and each.version:
            nodes.setdefault(each.version, []).append(each.name)
    return "".join(f"{version} {{ global: {'; '.join(names)}; }};\n" for version, names in nodes.items())
