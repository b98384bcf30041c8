"""Where everything of a launched module lies, as a text for a person."""

from __future__ import annotations

from hal.aot import Image, Layout

MAP_NAME = "module.map"


def link_map(image: Image, layout: Layout) -> str:
    """The parts of the slot and every function in it, by address (what a trap's pc points into)."""
    parts = (
        ("code", layout.code, layout.code_bytes),
        ("stack", layout.stack, layout.stack_bytes),
        ("memory", layout.memory, layout.memory_bytes),
    )
    rows = ["address     bytes  part"]
    rows += [f"{address:#010x} {size:7}  {name}" for name, address, size in sorted(parts, key=lambda p: p[1])]
    rows += ["", f"entry {image.entry:#010x}, sha256 of the image {image.digest.hex()}", ""]
    rows += ["address     bytes  index  function"]
    for address, size, name, index in image.symbols:
        rows.append(f"{address:#010x} {size:7}  {'-' if index is None else index:>5}  {name}")
    return "\n".join((*rows, ""))
