"""How each column of `daily/*` and `features/*` is computed, as a digest: the version of a feature family.

A family's expressions are built over tables without rows, and each column's part of them is hashed: the columns that it
is computed from, the filters and groups that decide over which rows, the constants, and with those the settings. So a
digest changes when the computation does, in the family or in a function that it calls, and stays the same when another
feature is added beside it. It is the same in every process and Python.

What it cannot see: how Ibis and an engine carry an expression out; the body of a user-defined function; what a family
computes row by row when lists are joined, which no partition holds. A left join is taken to leave the rows as they are,
as a join by a table's key does. An expression that is written otherwise and means the same has another digest, and so
may one of another release of Ibis: then the days are rebuilt without need, and nothing is mixed.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from enum import Enum
from functools import cache
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir

from rankloop.calendar import days_between, first_of
from rankloop.contracts.lake import BUYERS, EVENT_SCHEMAS, PRODUCTS, REACTIONS, SHOWN
from rankloop.features.catalogue import Catalogue, load_catalogue
from rankloop.features.declarations import Overlap
from rankloop.features.events import Events
from rankloop.features.families import product
from rankloop.features.history import AsOfTables, FeatureHistory
from rankloop.lake.commits import Definitions
from rankloop.settings.features import FeatureSettings

SOME_DAY = date(2000, 1, 3)
"""Stands for the day in every expression."""
HEX_DIGITS = 12
JOINED = "joined"
"""The name of the rows of lists that features are computed from."""


def table_definitions(settings: FeatureSettings, zone: ZoneInfo) -> Mapping[str, Definitions]:
    """Return, by table, the digest of each of its columns as this code and these settings compute it."""
    return _table_definitions(settings.model_dump_json(), zone)


@cache
def _table_definitions(settings_json: str, zone: ZoneInfo) -> Mapping[str, Definitions]:
    return compute_definitions(FeatureSettings.model_validate_json(settings_json), zone)


def compute_definitions(settings: FeatureSettings, zone: ZoneInfo) -> Mapping[str, Definitions]:
    """Return the same, computed again."""
    catalogue, hashing = load_catalogue(settings), _ColumnHashes()
    events, history = _events(settings, zone, hashing), _history(catalogue, settings, zone, hashing)
    definitions = {}
    for builder in catalogue.daily:
        table = builder.build(events)
        definitions[builder.spec.name] = hashing.columns(table, "daily")
        # What features/* read of it is followed through, so a change of an aggregate is one of its features too.
        hashing.materialised[builder.spec.name] = table.op()
    for builder in catalogue.as_of:
        definitions[builder.spec.name] = hashing.columns(builder.build(history), f"{settings.window_days} days")
    return definitions


def _events(settings: FeatureSettings, zone: ZoneInfo, hashing: "_ColumnHashes") -> Events:
    shown, reactions, listed = (_empty(table) for table in (SHOWN, REACTIONS, PRODUCTS))
    return Events(
        day=SOME_DAY,
        zone=zone,
        settings=settings,
        shown=shown,
        reactions=reactions,
        listed=listed,
        materialise=hashing.stand_in,
    )


def _history(
    catalogue: Catalogue, settings: FeatureSettings, zone: ZoneInfo, hashing: "_ColumnHashes"
) -> FeatureHistory:
    specs = {builder.spec.name: builder.spec for builder in catalogue.daily}
    return FeatureHistory(
        days=tuple(days_between(first_of(settings.window_days, SOME_DAY), SOME_DAY)),
        zone=zone,
        settings=settings,
        listed=_empty(PRODUCTS),
        registered=_empty(BUYERS),
        read=lambda table: ibis.table(ibis.schema(specs[table].schema), name=table),
        materialise=hashing.stand_in,
    )


def _empty(table: str) -> ir.Table:
    return ibis.table(ibis.schema(EVENT_SCHEMAS[table]), name=table)


def feature_definitions(
    settings: FeatureSettings, zone: ZoneInfo, partitions: Mapping[str, Definitions]
) -> Definitions:
    """Return, by feature, a digest of how rows of lists get it from partitions that note these definitions, by table.

    A feature that depends on a column of which nothing is noted is left out: it may be of any definition.
    """
    stored = {(table, name): digest for table, names in partitions.items() for name, digest in names.items()}
    specs = [builder.spec for builder in load_catalogue(settings).as_of]
    lacking = [(spec.name, name) for spec in specs for name in spec.schema.names if (spec.name, name) not in stored]
    digests, others = (
        _joined_definitions(settings, zone, {**stored, **dict.fromkeys(lacking, mark)}) for mark in ("lacking", "other")
    )
    return {name: digest for name, digest in digests.items() if others[name] == digest}


def _joined_definitions(
    settings: FeatureSettings, zone: ZoneInfo, stored: Mapping[tuple[str, str], str]
) -> Definitions:
    """Return, by feature, the digest of its expression over columns of these digests."""
    catalogue, hashing = load_catalogue(settings), _ColumnHashes(stored)
    specs = {builder.spec.name: builder.spec for builder in catalogue.as_of}
    known = AsOfTables(
        day=SOME_DAY,
        zone=zone,
        settings=settings,
        lists=_empty(SHOWN),
        read=lambda table: ibis.table(ibis.schema(specs[table].schema), name=table),
        seen=_empty(SHOWN),
        materialise=hashing.stand_in,
    )
    rows = _JoinedRows(hashing)
    rows.add(known.lists, EVENT_SCHEMAS[SHOWN].names)
    rows.add(product.LOCATED.read(known), [column.name for column in product.LOCATED.columns])
    for family in catalogue.families:
        for lookup in family.looked_up:
            rows.add(lookup.read(known), [column.name for column in lookup.columns])
        if family.overlap:
            rows.add_overlap(family.overlap, known)
        if family.row_features:
            table = family.row_features.expression(rows.table(), known)
            rows.add(table, [feature.name for feature in family.computed])
    return {name: rows.digests[name] for name in catalogue.feature_names}


class _JoinedRows:
    """The columns that rows of lists have been given so far, with their digests."""

    def __init__(self, hashing: "_ColumnHashes") -> None:
        self.digests: dict[str, str] = {}
        self._types: dict[str, Any] = {}
        self._hashing = hashing

    def add(self, table: ir.Table, names: Iterable[str]) -> None:
        """Add columns of a table."""
        digests = self._hashing.columns(table, "joined")
        for name in names:
            self.digests[name], self._types[name] = digests[name], table.schema()[name]

    def add_overlap(self, overlap: Overlap, known: AsOfTables) -> None:
        """Add what buyer and product have in common."""
        of_buyer = self._hashing.columns(overlap.of_buyer(known), "joined")
        of_product = self._hashing.columns(overlap.of_product(known), "joined")
        things = of_buyer[overlap.thing], of_product[overlap.thing]
        for name, (column, unit) in overlap.sums.items():
            self.digests[name], self._types[name] = _digest(of_buyer[column], str(unit), *things), "float64"
        for name, column in overlap.least.items():
            self.digests[name], self._types[name] = _digest(of_buyer[column], "least", *things), "int64"

    def table(self) -> ir.Table:
        """Return the rows as a table of these columns."""
        self._hashing.stored.update({(JOINED, name): digest for name, digest in self.digests.items()})
        return ibis.table(self._types, name=JOINED)


class _ColumnHashes:
    """Digests of columns, each from the part of an expression that the column depends on."""

    def __init__(self, stored: Mapping[tuple[str, str], str] | None = None) -> None:
        self.stored = dict(stored or {})
        """The digests of columns, each with its table, that are known already."""
        self.materialised: dict[str, ops.Relation] = {}
        """By name of a table that stands in for an expression, the expression."""
        self._links: dict[tuple[ops.Relation, int], list[str]] = {}
        """By table in a join: how it is joined to the first, to which nothing has to be said."""
        self._known: dict[tuple[str, Any, str], str] = {}

    def stand_in(self, table: ir.Table) -> ir.Table:
        """Return a table in place of one that an engine would materialise; its columns are still followed."""
        name = f"materialised {len(self.materialised)}"
        self.materialised[name] = table.op()
        return ibis.table(table.schema(), name=name)

    def columns(self, table: ir.Table, base: str) -> dict[str, str]:
        """Return the digest of each column of a table."""
        relation = table.op()
        rows = self._rows(relation)
        return {name: _digest(base, rows, self._column(relation, name))[:HEX_DIGITS] for name in table.columns}

    def _rows(self, relation: ops.Relation) -> str:
        """Return the digest of what decides which rows there are."""
        key = ("rows", relation, "")
        if key not in self._known:
            self._known[key] = self._rows_of(relation)
        return self._known[key]

    def _rows_of(self, relation: ops.Relation) -> str:  # noqa: PLR0911  (a case for each kind of table)
        match relation:
            case ops.UnboundTable():
                inner = self.materialised.get(relation.name)
                return self._rows(inner) if inner is not None else _digest("table", relation.name)
            case ops.Project():
                unnested = [self._value(value) for value in relation.values.values() if _contains(value, ops.Unnest)]
                return (
                    _digest("unnest", self._rows(relation.parent), *unnested)
                    if unnested
                    else self._rows(relation.parent)
                )
            case ops.Filter():
                return _digest("filter", self._rows(relation.parent), *map(self._value, relation.predicates))
            case ops.Aggregate():
                return _digest("group", self._rows(relation.parent), *map(self._value, relation.groups.values()))
            case ops.JoinChain():
                self._enter_join(relation)
                links = [link for link in relation.rest if link.how != "left"]
                joined = [part for link in links for part in self._link(link)]
                rows = self._rows(relation.first.parent)
                return _digest("join", rows, *joined) if joined else rows
            case ops.DropColumns() | ops.JoinReference() | ops.SelfReference():
                return self._rows(relation.parent)
            case _:
                return self._whole(relation)

    def _column(self, relation: ops.Relation, name: str) -> str:
        """Return the digest of how a column's values come about."""
        key = ("column", relation, name)
        if key not in self._known:
            self._known[key] = self._column_of(relation, name)
        return self._known[key]

    def _column_of(self, relation: ops.Relation, name: str) -> str:  # noqa: PLR0911  (likewise)
        match relation:
            case ops.UnboundTable():
                inner = self.materialised.get(relation.name)
                if inner is not None and name in inner.schema:
                    return self._column(inner, name)
                return self.stored.get((relation.name, name)) or _digest(
                    relation.name, name, str(relation.schema[name])
                )
            case ops.Project():
                value = relation.values[name]
                over = [self._rows(relation.parent)] if _contains(value, (ops.WindowFunction, ops.Unnest)) else []
                return _digest(self._value(value), *over) if over else self._value(value)
            case ops.Aggregate() if name in relation.groups:
                return self._value(relation.groups[name])
            case ops.Aggregate():
                return _digest(self._rows(relation), self._value(relation.metrics[name]))
            case ops.JoinChain():
                self._enter_join(relation)
                return self._value(relation.values[name])
            case ops.JoinReference():
                links, inner = self._links[relation, relation.identifier], self._column(relation.parent, name)
                return _digest(inner, *links) if links else inner
            case ops.Filter() | ops.DropColumns() | ops.SelfReference():
                return self._column(relation.parent, name)
            case _:
                return _digest(self._whole(relation), name)

    def _enter_join(self, join: ops.JoinChain) -> None:
        """Note how each table of a join is joined.

        Its identifier, which counts up within a process, is in no digest; nor is its place among the joins.
        """
        self._links[join.first, join.first.identifier] = []
        for link in join.rest:
            reference = link.table
            self._links[reference, reference.identifier] = ["joined"]
            self._links[reference, reference.identifier] = ["joined", *self._link(link)]

    def _link(self, link: ops.JoinLink) -> list[str]:
        return [link.how, self._rows(link.table.parent), *map(self._value, link.predicates)]

    def _value(self, node: Any) -> str:  # noqa: ANN401, PLR0911  (any part of an expression)
        """Return the digest of an expression of columns, or of an argument of one."""
        match node:
            case ops.Field():
                return self._column(node.rel, node.name)
            case ops.CountStar():
                return _digest("count rows", self._rows(node.arg), self._value(node.where))
            case ops.Relation():
                return self._whole(node)
            case ops.Node():
                return _digest(type(node).__name__, *map(self._value, node.args))
            case tuple() | list():
                return _digest("tuple", *map(self._value, node))
            case Mapping():
                return _digest("map", *(part for name, value in node.items() for part in (name, self._value(value))))
            case Enum():
                return _digest("enum", node.name)
            case _:
                return _digest(type(node).__name__, str(node))

    def _whole(self, relation: ops.Relation) -> str:
        """Return the digest of all that a table of another kind is made from."""
        parts = [
            _digest(self._rows(part), *(self._column(part, name) for name in part.schema))
            if isinstance(part, ops.Relation)
            else self._value(part)
            for part in relation.args
        ]
        return _digest(type(relation).__name__, *parts)


def _contains(node: Any, kinds: type | tuple[type, ...]) -> bool:  # noqa: ANN401  (any part of an expression)
    """Whether an expression of columns has such a part, without looking into the tables that it reads."""
    if isinstance(node, kinds):
        return True
    if isinstance(node, tuple):
        return any(_contains(part, kinds) for part in node)
    return isinstance(node, ops.Value) and not isinstance(node, ops.Field) and _contains(node.args, kinds)


def _digest(*parts: str) -> str:
    return sha256("\x1f".join(parts).encode()).hexdigest()
