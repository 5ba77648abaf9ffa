"""Generates the reference pages from the code: every setting, every command, and the library's packages.

Run by the site's build, so that no generated page is kept in the repository and none can be out of date.
"""

import ast
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from typer.cli import get_docs_for_click
from typer.main import get_command

from rankloop.cli.main import app
from rankloop.monitoring.policy.rules import RULES
from rankloop.settings import Settings, variable

LIBRARY = Path(__file__).parents[2] / "include" / "rankloop"


def pages() -> dict[str, str]:
    """Return every generated page by its path within docs/."""
    return {
        "reference/settings.md": settings_page(),
        "reference/commands.md": commands_page(),
        **api_pages(),
    }


def settings_page() -> str:
    """Return the page of settings: a section for each model, a row for each setting."""
    lines = [
        "# Settings",
        "",
        "Every setting has a default, so an empty configuration works. Rankloop reads, in this order: environment",
        "variables, `.env`, `rankloop.toml`, the default. A variable is the setting's path in capitals:",
        f"`ports.airflow` is `{variable('ports.airflow')}`; in `rankloop.toml` it is `airflow` in the table `[ports]`.",
    ]
    rules = [(f"monitoring.{rule.name}", rule, f"monitoring.{rule.name}.") for rule in RULES]
    for title, model, path in [*_sections(Settings, ""), *rules]:
        rows = [(name, field) for name, field in model.model_fields.items() if not _nested(field)]
        if rows:
            lines += [
                "",
                f"## {title}",
                "",
                _summary(model),
                "",
                "| setting | default | meaning |",
                "| --- | --- | --- |",
            ]
            lines += [
                f"| `{path}{name}` | {_default(field)} | {_cell(field.description or '')} |" for name, field in rows
            ]
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """Return the page of commands, as their `--help` says it."""
    command = get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="rankloop", title="Commands")
    return text.strip() + "\n"


def api_pages() -> dict[str, str]:
    """Return a page of docstrings for each package, and the page that lists them."""
    packages = sorted(path.parent for path in LIBRARY.glob("*/__init__.py"))
    single = sorted(path.stem for path in LIBRARY.glob("*.py") if not path.stem.startswith("__"))
    lines = [
        "# API",
        "",
        "The library's packages, each with what its modules do.",
        "",
        "| package | what it does |",
        "| --- | --- |",
    ]
    pages = {}
    for folder in packages:
        modules = sorted(path for path in folder.rglob("*.py") if path.stem != "__main__")
        pages[f"reference/api/{folder.name}.md"] = _api_page(f"rankloop.{folder.name}", modules)
        lines.append(f"| [`{folder.name}`](api/{folder.name}.md) | {_cell(_docstring(folder / '__init__.py'))} |")
    lines += ["", "Modules beside the packages:", "", "| module | what it does |", "| --- | --- |"]
    lines += [f"| `{name}` | {_cell(_docstring(LIBRARY / f'{name}.py'))} |" for name in single]
    return pages | {"reference/api.md": "\n".join(lines) + "\n"}


def _api_page(title: str, modules: list[Path]) -> str:
    blocks = [f"::: {_dotted(path)}" for path in modules if _says_more(path)]
    return "\n\n".join([f"# {title}", _docstring(modules[0].parent / "__init__.py"), *blocks]) + "\n"


def _says_more(path: Path) -> bool:
    public = (ast.FunctionDef, ast.ClassDef)
    return any(isinstance(node, public) and not node.name.startswith("_") for node in ast.parse(path.read_text()).body)


def _dotted(path: Path) -> str:
    parts = path.relative_to(LIBRARY.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _docstring(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n\n")[0]


def _sections(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel], str]]:
    yield (path.removesuffix(".") or "General", model, path)
    for name, field in model.model_fields.items():
        if inner := _nested(field):
            yield from _sections(inner, f"{path}{name}.")


def _nested(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _summary(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().partition("\n\n")[0]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    value = value.get_secret_value() if isinstance(value, SecretStr) else value
    value = value.value if isinstance(value, Enum) else value
    if value is None or value in ("", (), {}):
        return "none"
    shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"`{_cell(shown)}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
