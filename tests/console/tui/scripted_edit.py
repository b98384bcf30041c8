"""What saves lead to, as a session would tell it, and files to save."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from console.edit.view import Build, Phase, Step
from console.live.seam import Post
from console.state.events import BuildChanged
from hal.problems import Problem

STEPS = (Step("build", 0.11), Step("fit", 0.19), Step("kill", 0.03), Step("offer", 0.01), Step("start", 0.14))

BLINKY = """\
// Blinks a pin until it is told to stop.
#include "mma.h"

/* Half a period,
   in milliseconds. */
static const uint32_t half = 250;

int main(void) {
    int32_t pin = mma_arg_i32(0, 12);
    if (mma_gpio_mode(pin, MMA_GPIO_OUTPUT)) return 1;
    for (int32_t n = 0;; n++) {
        mma_gpio_write(pin, n & 1);
        mma_logf("level %d", n & 1);
        mma_sleep_ms(half);
    }
}
"""
BROKEN = BLINKY.replace("n & 1);\n        mma_logf", "nn & 1);\n        mma_logf")


def files(folder: Path) -> Path:
    """A folder with an executor in each language; the C one."""
    (folder / "blinky.c").write_text(BLINKY)
    (folder / "hello.zig").write_text(
        'const mma = @import("mma");\n\nexport fn main() i32 {\n    return 0;\n}\n'
    )
    (folder / "tick.wat").write_text(
        ';; Ticks.\n(module\n  (func (export "main") (result i32)\n    (i32.const 0)))\n'
    )
    return folder / "blinky.c"


def failed(path: Path) -> Build:
    """Two complaints of the text that is broken."""
    problems = (
        Problem(str(path), 12, 29, "error", "use of undeclared identifier 'nn'", 31),
        Problem(str(path), 6, 23, "warning", "unused variable 'half' [-Wunused-const-variable]", 27),
    )
    return Build(str(path), Phase.FAILED, STEPS[:1], problems, "It does not compile.")


def anew(path: Path) -> Build:
    """It runs again."""
    message = "1 task anew on stm32f4@qemu."
    return Build(str(path), Phase.DONE, STEPS, (), message, ("blinky-00000002",), 812, 0.48)


class ScriptedEditor:
    """A text with an `nn` in it does not compile."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self.saved_texts: list[str] = []

    async def saved(self, path: Path) -> None:
        text = path.read_text()  # noqa: ASYNC240 (a small one)
        self.saved_texts.append(text)
        build = failed(path) if "nn" in text else anew(path)
        self._post(BuildChanged(replace(build, phase=Phase.BUILDING, steps=(), problems=())))
        self._post(BuildChanged(build))
