"""Names and parameters that the whole library keeps to: a name means one thing, and settings stay at the edges."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

LIBRARY = Path(__file__).parents[1] / "include" / "rankloop"
HOOKS = {"aggregate", "roll_up", "row_arrays", "row_expression"}
"""What a feature family defines in its module, under the same name in each."""
SHARED = {"connect", "main"}
"""To a server, MongoDB or MLflow; and what starts a program."""
EDGES = ("cli/", "context.py", "serving/__main__.py", "serving/app.py", "settings/")
"""Where settings are opened. DAGs and plugins are outside the library, and edges too."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield each module of the library: its path within it, and its syntax tree."""
    for path in sorted(LIBRARY.rglob("*.py")):
        yield str(path.relative_to(LIBRARY)), ast.parse(path.read_text())


def test_no_class_or_function_has_the_name_of_another() -> None:
    places = defaultdict(list)
    for path, module in modules():
        for node in module.body:
            if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path)
    repeated = {name: found for name, found in places.items() if len(found) > 1 and name not in HOOKS | SHARED}
    assert not repeated, "\n".join(f"{name}: {', '.join(found)}" for name, found in sorted(repeated.items()))


def test_no_function_outside_the_edges_takes_all_settings() -> None:
    taking = [
        f"{path}:{node.lineno} {node.name}({argument.arg})"
        for path, module in modules()
        if not path.startswith(EDGES)
        for node in ast.walk(module)
        if isinstance(node, Function)
        for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        if argument.annotation and takes_settings(argument.annotation)
    ]
    assert not taking, "take the lake, the client, the section or the value that is used:\n" + "\n".join(taking)


def takes_settings(annotation: ast.expr) -> bool:
    """Whether an annotation names `Settings` itself: alone, in a union, quoted, or within another type."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    return any(
        (isinstance(node, ast.Name) and node.id == "Settings")
        or (isinstance(node, ast.Attribute) and node.attr == "Settings")
        for node in ast.walk(annotation)
    )


def test_the_hooks_of_families_are_nowhere_else() -> None:
    """So that nobody hides a repeated name behind the exception."""
    elsewhere = [
        f"{path}: {node.name}"
        for path, module in modules()
        if not path.startswith("features/families/")
        for node in module.body
        if isinstance(node, Function) and node.name in HOOKS
    ]
    assert not elsewhere
