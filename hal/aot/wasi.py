"""WASI preview 1, as far as a target without files has it: for modules that stock toolchains build.

Its calls are made of those of module `mma`: firmware/sdk/executor/wasi.h for boards, hal.host.wasi for the
host. Source: the WASI snapshot preview1 documentation, wasi_snapshot_preview1.witx.
"""

from __future__ import annotations

from collections.abc import Mapping

from hal.aot.binary import Module, Signature

MODULE = "wasi_snapshot_preview1"

_LETTERS = {"i": "i32", "l": "i64"}


def _takes(letters: str, results: tuple[str, ...] = ("i32",)) -> Signature:
    return Signature(tuple(_LETTERS[one] for one in letters), results)


PROVIDED: Mapping[str, Signature] = {
    "args_get": _takes("ii"),
    "args_sizes_get": _takes("ii"),
    "environ_get": _takes("ii"),
    "environ_sizes_get": _takes("ii"),
    "clock_res_get": _takes("ii"),
    "clock_time_get": _takes("ili"),
    "fd_close": _takes("i"),
    "fd_fdstat_get": _takes("ii"),
    "fd_fdstat_set_flags": _takes("ii"),
    "fd_prestat_dir_name": _takes("iii"),
    "fd_prestat_get": _takes("ii"),
    "fd_read": _takes("iiii"),
    "fd_seek": _takes("ilii"),
    "fd_write": _takes("iiii"),
    "poll_oneoff": _takes("iiii"),
    "proc_exit": _takes("i", ()),
    "random_get": _takes("ii"),
    "sched_yield": _takes(""),
}
"""Those that do something."""

ABSENT: Mapping[str, Signature] = {
    "fd_advise": _takes("illi"),
    "fd_allocate": _takes("ill"),
    "fd_datasync": _takes("i"),
    "fd_fdstat_set_rights": _takes("ill"),
    "fd_filestat_get": _takes("ii"),
    "fd_filestat_set_size": _takes("il"),
    "fd_filestat_set_times": _takes("illi"),
    "fd_pread": _takes("iiili"),
    "fd_pwrite": _takes("iiili"),
    "fd_readdir": _takes("iiili"),
    "fd_renumber": _takes("ii"),
    "fd_sync": _takes("i"),
    "fd_tell": _takes("ii"),
    "path_create_directory": _takes("iii"),
    "path_filestat_get": _takes("iiiii"),
    "path_filestat_set_times": _takes("iiiilli"),
    "path_link": _takes("iiiiiii"),
    "path_open": _takes("iiiiillii"),
    "path_readlink": _takes("iiiiii"),
    "path_remove_directory": _takes("iii"),
    "path_rename": _takes("iiiiii"),
    "path_symlink": _takes("iiiii"),
    "path_unlink_file": _takes("iii"),
    "proc_raise": _takes("i"),
    "sock_accept": _takes("iii"),
    "sock_recv": _takes("iiiiii"),
    "sock_send": _takes("iiiii"),
    "sock_shutdown": _takes("ii"),
}
"""Those that answer ENOSYS, since libraries import them also where programs never come to call them."""

FUNCTIONS: Mapping[str, Signature] = {**PROVIDED, **ABSENT}

HOSTS: Mapping[tuple[str, str], str] = {(MODULE, name): f"mma_wasi_{name}" for name in FUNCTIONS}
"""The C functions behind these imports."""

ENOSYS = 52
LINE = 120
"""MMA_WASI_LINE: bytes of a line that is written piece by piece; longer ones are broken there."""
PROGRAM = "task"
"""argv[0]: tasks have no program name."""


def used(module: Module) -> bool:
    """Whether it is a module for WASI."""
    return any(one.module == MODULE for one in module.imported)


def takes_arguments(module: Module) -> bool:
    """Whether it may read the task's arguments this way."""
    return any(one.module == MODULE and one.name.startswith("args_") for one in module.imported)


def absent(module: Module) -> list[str]:
    """C of the functions that a module imports and no target has."""
    names = {one.name for one in module.imported if one.module == MODULE and one.name in ABSENT}
    return [
        f"MMA_INLINE u32 mma_wasi_{name}({_parameters(ABSENT[name])}) {{ return {ENOSYS}; }}"
        for name in sorted(names)
    ]


def _parameters(signature: Signature) -> str:
    kinds = {"i32": "u32", "i64": "u64"}
    return ", ".join(f"{kinds[kind]} a{at}" for at, kind in enumerate(signature.parameters)) or "void"
