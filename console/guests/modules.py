"""Guest modules as files: the shipped examples, and any .wasm, .wat, .c or .zig turned into WASM bytes."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from hal.errors import ModuleError

if TYPE_CHECKING:
    from hal.guest import Built

SOURCES = (".c", ".zig", ".wat")
SUFFIXES = (*SOURCES, ".wasm")


def examples() -> tuple[Path, ...]:
    """The example executors of the guest SDK, sorted."""
    folder = Path(str(resources.files("firmware"))) / "sdk" / "examples"
    return tuple(sorted(path for path in folder.glob("*") if path.suffix in SUFFIXES))


def find(name: str) -> Path:
    """A file, or by its bare name an example (`fib`). ModuleError when there is neither."""
    path = Path(name)
    if path.is_dir():
        raise ModuleError(f"{name} is a folder.", remedy="Name a .wasm, .wat, .c or .zig file.")
    if path.exists():
        return path
    for example in examples():
        if name in (example.name, example.stem):
            return example
    known = ", ".join(example.stem for example in examples())
    raise ModuleError(f"There is no file {name}.", remedy=f"Examples that need no path: {known}.")


def load(path: Path) -> bytes:
    """The module's bytes, as build() makes them."""
    return build(path).module


def build(path: Path) -> Built:
    """The module of a file; sources are compiled (blocks for some 100 ms, so call it in a thread).

    ModuleError when the module is at fault, ToolchainError when the compiler is.
    """
    from hal import guest

    try:
        return guest.build(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ModuleError(
            f"{path} cannot be read: {reason}.", remedy="Check the path and its mode."
        ) from error


def check(module: bytes) -> None:
    """ModuleError in the validator's words for what no target would run (blocks; call it in a thread)."""
    from hal.aot import validate

    validate(module)
