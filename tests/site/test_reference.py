"""The generated pages say everything that the code has."""

import reference
from pydantic import BaseModel

from rankloop.monitoring.policy.rules import RULES
from rankloop.settings import Settings


def fields_of(model: type[BaseModel], path: str = "") -> list[str]:
    """Return the dotted path of every setting."""
    paths = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        nested = isinstance(kind, type) and issubclass(kind, BaseModel)
        paths += fields_of(kind, f"{path}{name}.") if nested else [f"{path}{name}"]
    return paths


def test_every_setting_is_on_the_page() -> None:
    page = reference.settings_page()
    assert [path for path in fields_of(Settings) if f"| `{path}` |" not in page] == []


def test_every_setting_of_a_drift_rule_is_on_the_page() -> None:
    page = reference.settings_page()
    for rule in RULES:
        assert f"| `monitoring.{rule.name}.threshold` |" in page


def test_every_command_group_is_on_the_page() -> None:
    page = reference.commands_page()
    for group in ("stack", "features", "lake", "train", "model", "ledger", "live", "alerts", "monitoring"):
        assert f"rankloop {group}" in page


def test_every_package_has_its_page() -> None:
    packages = {path.parent.name for path in reference.LIBRARY.glob("*/__init__.py")}
    assert {f"reference/api/{name}.md" for name in packages} <= set(reference.api_pages())
