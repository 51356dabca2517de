"""What docs/architecture.md says of the modules: who may import whom, who may write, how large a module may be."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.backend.conftest import ROOT

LEVELS: tuple[tuple[str, ...], ...] = (
    ("backend.__main__",),
    ("backend.commands", "backend.model"),
    ("backend.web", "backend.demo"),
    ("backend.worker", "backend.check"),
    ("backend.service",),
    ("backend.loop",),
    ("backend.training",),
    ("backend.label_studio",),
    ("backend.registry",),
    ("backend.evaluation",),
    ("backend.inference",),
    ("backend.store", "backend.queue", "backend.recipe"),
    ("backend.scores", "backend.conversion", "backend.settings", "backend.errors"),
    ("converters",),
    ("label_config",),
)
"""From the top down. A module imports from its own level or from a lower one."""

ENTRY_POINTS = ("backend/web", "backend/commands", "backend/demo", "backend/model.py")

MAX_LINES = 300
MAX_TOP_LEVEL_FILES = 13


def python_files(*folders: str) -> list[Path]:
    """The Python files in these folders, and those named themselves."""
    named = [ROOT / name for name in folders if name.endswith(".py")]
    return sorted([*named, *(path for folder in folders for path in (ROOT / folder).rglob("*.py"))])


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in python_files("backend", "converters", "label_config")}


def imported(path: Path) -> Iterator[str]:
    """Every module a file imports, inside functions and for type checking too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: relative imports are not used here"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in MODULES else node.module


IMPORTS = {name: {target for target in imported(path) if target in MODULES} for name, path in MODULES.items()}


def package(module: str) -> str:
    """``backend.store.runs`` → ``backend.store``; ``converters.bio`` → ``converters``."""
    first, _, rest = module.partition(".")
    return f"{first}.{rest.partition('.')[0]}" if first == "backend" and rest else first


# Imports


def test_every_package_has_a_level() -> None:
    levels = [name for level in LEVELS for name in level]
    assert len(levels) == len(set(levels))
    assert {package(module) for module in MODULES} - {"backend"} == set(levels)


def test_imports_point_downwards() -> None:
    level_of = {name: number for number, level in enumerate(LEVELS) for name in level}
    upward = [
        f"{module} imports {target}"
        for module, targets in IMPORTS.items()
        for target in targets
        if module != "backend" and level_of[package(target)] < level_of[package(module)]
    ]
    assert upward == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other: {' ← '.join(error.args[1])}")


@pytest.mark.parametrize("folder", ["converters", "label_config"])
def test_conversion_needs_neither_the_backend_nor_its_libraries(folder: str) -> None:
    heavy = {"backend", "flask", "torch", "transformers", "sqlalchemy", "label_studio_sdk", "onnxruntime"}
    for path in python_files(folder):
        assert heavy.isdisjoint(target.partition(".")[0] for target in imported(path)), path


# Sizes


def test_few_files_stand_directly_in_the_backend() -> None:
    assert len(list((ROOT / "backend").glob("*.py"))) <= MAX_TOP_LEVEL_FILES


def test_no_module_is_too_long() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in python_files("backend", "converters", "label_config", "bench")
    }
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


# Changes go through `Loop`; reads may ask the store


def classes(paths: Iterable[Path]) -> dict[str, ast.ClassDef]:
    return {
        node.name: node
        for path in paths
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    }


def methods(owner: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in owner.body if isinstance(node, ast.FunctionDef)}


def own_calls(function: ast.FunctionDef) -> set[str]:
    """``self.name(…)`` → ``name``, ``self._database.write()`` → ``_database.write``."""
    called = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
    return {ast.unparse(target).removeprefix("self.") for target in called if ast.unparse(target).startswith("self.")}


def writing_methods(owner: ast.ClassDef) -> set[str]:
    """The methods that open a write transaction, by themselves or through another method of the class."""
    calls = {name: own_calls(function) for name, function in methods(owner).items()}
    writing: set[str] = set()
    while True:
        more = {name for name, called in calls.items() if called & (writing | {"_database.write"})}
        if more == writing:
            return writing
        writing = more


def store_parts() -> dict[str, ast.ClassDef]:
    """What ``Store.__init__`` makes: ``{"runs": class Runs, …}``."""
    known = classes(python_files("backend/store"))
    parts: dict[str, ast.ClassDef] = {}
    for node in ast.walk(methods(known["Store"])["__init__"]):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name):
            (target,) = node.targets
            if isinstance(target, ast.Attribute) and target.attr != "_database":
                parts[target.attr] = known[node.value.func.id]
    return parts


WRITING = {name: writing_methods(part) for name, part in store_parts().items()}


def test_writing_methods_are_recognised() -> None:
    assert {"queue", "claim", "update", "publish", "requeue"} <= WRITING["runs"]
    assert "note_comparison" in WRITING["projects"]
    assert {"get", "find", "latest", "documents"}.isdisjoint(WRITING["runs"])


def uses_of(attribute: str, tree: ast.AST) -> Iterator[tuple[str, int]]:
    """What follows ``….ATTRIBUTE`` in the code: ``("runs.latest", line)``; an empty string where nothing does."""
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == attribute:
            chain, above = [], parents[node]
            while isinstance(above, ast.Attribute):
                chain.append(above.attr)
                above = parents[above]
            yield ".".join(chain[:2]), node.lineno


@pytest.mark.parametrize("path", python_files(*ENTRY_POINTS), ids=lambda path: str(path.relative_to(ROOT / "backend")))
def test_entry_points_change_nothing_past_the_loop(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not any(target.partition(".")[0] == "sqlalchemy" for target in imported(path))
    for use, line in uses_of("store", tree):
        part, _, method = use.partition(".")
        assert part in WRITING, f"line {line}: the store itself is given away; add a method to Loop"
        assert method not in WRITING[part], f"line {line}: store.{use} writes; add a method to Loop"
    for use, line in uses_of("registry", tree):
        assert use in {"folder", "model_dir"}, f"line {line}: registry.{use}; add a method to Loop"
