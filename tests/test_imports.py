"""The import rule of service/__init__.py, held against the code."""

import ast
import sys
from pathlib import Path

import pytest

MODULES = sorted([*Path("parsers").rglob("*.py"), *Path("service").rglob("*.py")])
ADAPTERS = {"feeds", "stores", "ingest", "simulator", "web"}
CONFIGURATION = {"config", "rets_config", "reso_config", "sections"}
LEAVES = {"errors", "logs", "metrics", *CONFIGURATION}


def room(module: str) -> str:
    """`service.feeds.rets` is in the room `feeds`; `parsers.mime` in `parsers`."""
    parts = module.split(".")
    return parts[0] if parts[0] != "service" else (parts[1] if len(parts) > 1 else "service")


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
    return names


def module_of(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


def allowed(here: str) -> set[str]:
    """The rooms of this project that a room may import."""
    if here == "parsers":
        return {"parsers"}
    if here in LEAVES:
        return {"errors"} | (CONFIGURATION if here in CONFIGURATION else set())
    if here == "core":
        return {"parsers", "core"}
    if here in ADAPTERS:
        return {"parsers", "core", here} | LEAVES
    if here == "bootstrap":
        return {"parsers", "core"} | ADAPTERS - {"simulator", "web"} | LEAVES
    # The command line and what belongs to it.
    return {"parsers", "core", "bootstrap", "stores", "ingest", "simulator", "web", *LEAVES, *FACES}


FACES = {"cli", "commands", "daemon", "replay", "record", "recording", "terminal", "expectations", "__main__"}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_module_imports_only_what_its_room_may(path: Path) -> None:
    here = room(module_of(path))
    ours = {name for name in imports(path) if name.split(".")[0] in {"parsers", "service"}}
    rooms = {room(name) for name in ours} - {"service"}
    assert rooms <= allowed(here), f"{path} ({here}) imports {sorted(rooms - allowed(here))}"


@pytest.mark.parametrize("path", [p for p in MODULES if p.parts[0] == "parsers"], ids=str)
def test_a_parser_needs_only_lxml_and_the_standard_library(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path)}
    assert roots <= {"parsers", "lxml"} | sys.stdlib_module_names
    assert not roots & {"socket", "http", "urllib3", "logging", "os", "pathlib", "time", "threading"}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_no_module_takes_a_standard_library_name(path: Path) -> None:
    if path.stem not in {"__init__", "__main__"}:
        assert path.stem not in sys.stdlib_module_names
