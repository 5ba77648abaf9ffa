"""The policy in force: the drift rules as they are declared, with what the settings change about them.

`rankloop.settings` lies below this package and cannot know the rules. So it keeps what was set under a rule's name as
it is, and each rule's class, which has the defaults, validates it here: a threshold is written down in one place.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any, TypeVar

from pydantic import ValidationError

from rankloop.monitoring.measure.tables import CONCEPT, DRIFT, PERFORMANCE, QUALITY
from rankloop.monitoring.policy.declaration import CONCEPT_DRIFT, DriftRule
from rankloop.monitoring.policy.rules import RULES
from rankloop.settings import SettingsError, variable
from rankloop.settings.monitoring import MonitoringSettings
from rankloop.settings.root import describe_problem

RuleType = TypeVar("RuleType", bound=DriftRule)
TABLES = (DRIFT, PERFORMANCE, CONCEPT, QUALITY)
"""The tables that are measured every day; a rule of somebody's own may read further ones."""


@dataclass(frozen=True)
class Policy:
    """The rules, each with its settings, and what else decides about a day."""

    settings: MonitoringSettings
    rules: tuple[DriftRule, ...]

    @cached_property
    def _by_name(self) -> dict[str, DriftRule]:
        return {rule.name: rule for rule in self.rules}

    def rule(self, name: str) -> DriftRule:
        """Return the rule of this name."""
        return self._by_name[name]

    def rule_of(self, kind: type[RuleType]) -> RuleType:
        """Return the rule of this class."""
        return next(rule for rule in self.rules if isinstance(rule, kind))

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that any rule reads."""
        return tuple(dict.fromkeys([*TABLES, *(read.table for rule in self.rules for read in rule.reads)]))

    @property
    def look_back_days(self) -> int:
        """The days that any rule looks back on, and one more for measures that are known a day later."""
        return 1 + max(rule.of for rule in self.rules)


def open_policy(settings: MonitoringSettings) -> Policy:
    """Return the policy in force, or raise a SettingsError that says what is wrong with the settings of which rule."""
    declared = {rule.name: rule for rule in (*RULES, *_own_rules(settings.rules))}
    _require_known(settings.rule_settings, declared)
    rules = tuple(_configured(rule, settings.rule_settings.get(name, {})) for name, rule in declared.items())
    _require_days_to_learn_from(settings, rules)
    return Policy(settings, rules)


def _own_rules(paths: Iterable[str]) -> Iterable[type[DriftRule]]:
    """Yield the rules that the settings add by their import paths; refuse a name that is taken."""
    taken = {rule.name: f"{rule.__module__}.{rule.__qualname__}" for rule in RULES}
    for path in paths:
        rule = _import_rule(path)
        if rule.name in taken:
            raise SettingsError(
                f"setting monitoring.rules: {path} declares the drift rule {rule.name}, and so does "
                f"{taken[rule.name]}. Give it a name of its own."
            )
        taken[rule.name] = path
        yield rule


def _import_rule(path: str) -> type[DriftRule]:
    module, _, name = path.rpartition(".")
    try:
        rule = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(
            f"setting monitoring.rules: {path} cannot be imported ({error}). Write it as package.module.ClassName, and "
            f"see that the package is installed where Airflow's workers run. Set it by {variable('monitoring.rules')}."
        ) from error
    if not (isinstance(rule, type) and issubclass(rule, DriftRule)):
        raise SettingsError(
            f"setting monitoring.rules: {path} is no drift rule. Name a subclass of "
            "rankloop.monitoring.policy.declaration.DriftRule."
        )
    return rule


def _require_known(given: Iterable[str], declared: Mapping[str, type[DriftRule]]) -> None:
    for name in given:
        if name not in declared:
            near = difflib.get_close_matches(name, declared, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(declared)}."
            raise SettingsError(
                f"no setting and no drift rule is called monitoring.{name}; look for it in rankloop.toml, .env and "
                f"variables that begin with {variable(f'monitoring.{name}')}. {hint}"
            )


def _configured(rule: type[DriftRule], given: Mapping[str, Any]) -> DriftRule:
    try:
        return rule.model_validate(given)
    except ValidationError as error:
        problems = (describe_problem(problem, ("monitoring", rule.name)) for problem in error.errors())
        raise SettingsError("\n".join(problems)) from None


def _require_days_to_learn_from(settings: MonitoringSettings, rules: Iterable[DriftRule]) -> None:
    """Refuse a `learn_days` longer than the look-back `of` of the rules that date a change of taste."""
    finding = [rule for rule in rules if rule.cause == CONCEPT_DRIFT and rule.severity == "retrain"]
    days = min((rule.of for rule in finding), default=settings.learn_days)
    if settings.learn_days > days:
        raise SettingsError(
            f"monitoring.learn_days is {settings.learn_days}, but {' and '.join(rule.name for rule in finding)} look "
            f"back on {days} days, so a change is never known to be older; raise their `of`, or lower learn_days."
        )
