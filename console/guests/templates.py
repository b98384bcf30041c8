"""Beginnings of executors: a folder with a source that builds and runs, and a README that says how."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from console.errors import ConsoleError, UsageError
from hal import toolchain

LANGUAGES = ("c", "zig", "wat")
EXAMPLES: Mapping[str, str] = {
    "hello": "one line in the log, and a result",
    "blink": "drives a pin",
    "rule": "reacts on the device itself, to a timer",
}
"""What a new executor can begin as; those of C are among the SDK's examples, too."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_OPTIONS = {"blink": " --gpio 0"}
_COMES = {
    "c": "`mma.h` comes with `mma`, as does the compiler. `compile_flags.txt` tells clangd where it is here.",
    "zig": '`@import("mma")` comes with `mma`, as does the compiler.',
    "wat": "It imports what it needs from module `mma` and exports `main`. `mma` brings the assembler.",
}


def source_of(language: str, example: str) -> Path:
    """The file that a new executor begins as."""
    own = toolchain.sdk() / "templates" / f"{example}.{language}"
    return own if own.exists() else toolchain.sdk() / "examples" / f"{example}.{language}"


def named(text: str) -> tuple[str, str, str]:
    """Name, language and example of `NAME [c|zig|wat] [hello|blink|rule]`, the last two in any order.
    UsageError says what is neither."""
    name, *others = text.split()
    language, example = "c", "hello"
    for word in others:
        if word in LANGUAGES:
            language = word
        elif word in EXAMPLES:
            example = word
        else:
            known = ", ".join((*LANGUAGES, *EXAMPLES))
            raise UsageError(f"{word} is no language and no example.", remedy=f"There are {known}.")
    return name, language, example


def create(name: str, language: str, example: str, folder: Path) -> tuple[Path, ...]:
    """Make folder/name; the files, the source first. Nothing that exists is touched.

    UsageError for a name that makes no module, ConsoleError where the folder is there or cannot be made.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name of an executor.", remedy="Use letters, digits, - and _.")
    home = folder / name
    source = home / f"{name}.{language}"
    files = {source: source_of(language, example).read_text(encoding="utf-8")}
    files[home / "README.md"] = _readme(name, language, example)
    if language == "c":
        files[home / "compile_flags.txt"] = _flags()
    try:
        home.mkdir(parents=True)
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
    except FileExistsError:
        raise ConsoleError(f"{home} is there already.", remedy="Choose another name.") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConsoleError(f"{home} cannot be made: {reason}.", remedy="Is the folder writable?") from error
    return tuple(files)


def _readme(name: str, language: str, example: str) -> str:
    source, options = f"{name}.{language}", _OPTIONS.get(example, "")
    on_host = "on this computer, which has no pins" if options else "on this computer"
    return f"""# {name}

An executor for microcontrollers: it {EXAMPLES[example]}.

    mma build {source}                          # what the compiler says of it
    mma run {source} --target host              # {on_host}
    mma run {source} --target stm32f4{options:<10} # on an emulated board, as a Mesos task
    mma-console --target stm32f4                # its Edit view builds and runs it anew at each save

{_COMES[language]} No vendor SDK is needed.
"""


def _flags() -> str:
    """Words for clangd, one a line: those of hal.guest that concern an editor."""
    words = ["--target=wasm32", "-std=gnu11", "-ffreestanding", "-Wall", "-Wextra", "-nostdinc"]
    words += ["-isystem", str(toolchain.headers()), "-I", str(toolchain.sdk())]
    return "\n".join(words) + "\n"
