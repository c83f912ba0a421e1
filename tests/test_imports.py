"""Imports run one way, from what a person types down to what everything shares (docs/design.md, the rooms)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ANYTHING = "chorus"
MAY_IMPORT = {
    # room: what it may import beside itself; the longest name that fits a module is its room
    "chorus.protos": [],
    "chorus.common.errors": [],
    "chorus.common.settings": ["chorus.common.errors"],
    "chorus.common.environments": [
        "chorus.common.errors",
        "chorus.common.process.redirection",
        "chorus.common.settings.defaults",
    ],
    "chorus.common.tasks": ["chorus.common.errors", "chorus.common.environments.interface"],
    "chorus.common.policy": [
        "chorus.common.errors",
        "chorus.common.settings",
        "chorus.common.environments.interface",
        "chorus.common.tasks.seeding",
        "chorus.common.tasks.task",
    ],
    "chorus.common.process": ["chorus.common.errors", "chorus.common.tasks.seeding", "chorus.common.tasks.task"],
    "chorus.common.process.fingerprint": [
        "chorus.common.environments.interface",
        "chorus.common.environments.scripts",
        "chorus.common.policy",
        "chorus.common.process",
        "chorus.common.settings",
        "chorus.common.tasks.seeding",
    ],
    "chorus.common.isolation": ["chorus.common.errors", "chorus.common.environments", "chorus.common.process"],
    "chorus.common.transport": [
        "chorus.protos",
        "chorus.common.errors",
        "chorus.common.tasks",
        "chorus.common.policy.weights",
    ],
    "chorus.common.monitoring": ["chorus.common.errors", "chorus.common.transport"],
    "chorus.common.page": ["chorus.common.errors", "chorus.common.settings", "chorus.common.monitoring.web"],
    "chorus.actor": ["chorus.common", "chorus.protos"],
    "chorus.learner.gradient": ["chorus.common"],
    "chorus.learner.tasks": ["chorus.common"],
    "chorus.learner.group": ["chorus.common"],
    "chorus.learner.update": ["chorus.common", "chorus.learner.gradient", "chorus.learner.group"],
    "chorus.learner.storage": ["chorus.common", "chorus.learner.update"],
    "chorus.learner.joint": ["chorus.common", "chorus.learner.group", "chorus.learner.tasks", "chorus.learner.update"],
    "chorus.learner.answers": ["chorus.common", "chorus.learner.tasks", "chorus.learner.update"],
    "chorus.learner.judge": ["chorus.common", "chorus.learner.answers", "chorus.learner.tasks"],
    "chorus.learner.reception": ["chorus.common", "chorus.learner.judge", "chorus.learner.tasks"],
    "chorus.learner.bookkeeper": [
        "chorus.common",
        "chorus.learner.answers",
        "chorus.learner.storage",
        "chorus.learner.update",
    ],
    "chorus.learner.coordinator": [
        "chorus.common",
        "chorus.learner.answers",
        "chorus.learner.bookkeeper",
        "chorus.learner.group",
        "chorus.learner.joint",
        "chorus.learner.judge",
        "chorus.learner.reception",
        "chorus.learner.storage",
        "chorus.learner.tasks",
        "chorus.learner.update",
    ],
    "chorus.learner.service": [
        "chorus.common",
        "chorus.protos",
        "chorus.learner.group",
        "chorus.learner.tasks",
        "chorus.learner.coordinator",
    ],
    "chorus.learner.process": ["chorus.common", "chorus.protos", "chorus.learner"],
    "chorus.studies": [ANYTHING],
    "chorus.benchmarks": [ANYTHING],
    "chorus.commands": [ANYTHING],
    "chorus.__main__": ["chorus.commands"],
    "chorus": ["chorus.common", "chorus.actor", "chorus.learner", "chorus.protos", "chorus"],
}
NEVER = {
    # what is above everything else: only commands reach it, and only when they are called
    "chorus": ["chorus.studies", "chorus.benchmarks", "chorus.commands"],
}
TYPES_ONLY = {("chorus.common.settings.config", "chorus.common.environments.interface")}
"""Imported for type checkers alone: settings are read before NumPy may be loaded."""
WITHOUT_TORCH = ("chorus.common", "chorus.actor", "chorus.api", "chorus.formats", "chorus.runs.weights")
TORCH_TOO = {"chorus.common.environments.adapters.vmas", "chorus.formats.torchscript"}
"""VMAS is made of torch, and TorchScript is torch's; both are imported only where one of them is asked for."""


def modules() -> dict[str, Path]:
    """Every module of the package by its import name."""
    found = {}
    for folder in [ROOT / "chorus", *(link for link in (ROOT / "chorus").iterdir() if link.is_symlink())]:
        for path in sorted(folder.resolve().rglob("*.py")):
            if path.name.endswith("_pb2.py"):
                continue
            inside = path.relative_to(folder.resolve()).with_suffix("").parts
            name = ".".join(["chorus", *([] if folder.name == "chorus" else [folder.name]), *inside])
            found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports(path: Path) -> set[str]:
    """The modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in MODULES else node.module)
    return found


def inside(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def room_of(module: str) -> str:
    return max((room for room in MAY_IMPORT if inside(module, room)), key=len)


def test_the_package_is_seen_whole() -> None:
    rooms = {room_of(module) for module in MODULES}
    assert rooms == set(MAY_IMPORT), "a rule without a module, or the other way round"


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module: str) -> None:
    room = room_of(module)
    for imported in imports(MODULES[module]):
        if imported.split(".")[0] != "chorus" or (module, imported) in TYPES_ONLY:
            continue
        allowed = any(inside(imported, other) for other in [room, *MAY_IMPORT[room]])
        refused = any(inside(imported, other) for other in NEVER.get(room, []))
        assert allowed and not refused, f"{module} imports {imported}, which {room} may not"


@pytest.mark.parametrize("module", [module for module in MODULES if module.startswith(WITHOUT_TORCH)])
def test_acting_needs_no_torch(module: str) -> None:
    if module not in TORCH_TOO:
        assert not any(inside(imported, "torch") for imported in imports(MODULES[module]))
