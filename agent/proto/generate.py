"""Generates mesos_pb2.py and messages_pb2.py (with .pyi) from the .proto files beside this one.

Runs as hatch's build hook (wheels and editable installs), or by itself in a checkout:

    python agent/proto/generate.py
"""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    _Hook = BuildHookInterface[Any]
else:
    try:
        from hatchling.builders.hooks.plugin.interface import BuildHookInterface as _Hook
    except ImportError:  # a checkout without hatchling: only main() is wanted
        _Hook = object


def generate(root: Path) -> list[Path]:
    """Generate into agent/proto below `root`, the folder of pyproject.toml; returns what was written.

    Modules are addressed from `root`, so that they import each other as agent.proto.<name>_pb2.
    A failed run raises RuntimeError; protoc has then said why on standard error.
    """
    from grpc_tools import protoc

    folder = root / "agent" / "proto"
    sources = sorted(folder.glob("*.proto"))
    arguments = [
        "protoc",
        f"--proto_path={root}",
        f"--proto_path={resources.files('grpc_tools') / '_proto'}",
        f"--python_out={root}",
        f"--pyi_out={root}",
        *(str(source) for source in sources),
    ]
    status: int = protoc.main(arguments)  # type: ignore[no-untyped-call]
    if status != 0:
        raise RuntimeError("protoc refused the .proto files of agent/proto: see its message above.")
    return [
        source.with_name(f"{source.stem}_pb2{suffix}") for source in sources for suffix in (".py", ".pyi")
    ]


class CustomBuildHook(_Hook):
    """Hatch calls this before it collects the files of a wheel or makes an editable install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        generate(Path(self.root))


def main() -> None:
    for path in generate(Path(__file__).resolve().parents[2]):
        sys.stdout.write(f"{path.name}\n")


if __name__ == "__main__":
    main()
