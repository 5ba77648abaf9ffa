"""Validation as SQL: one query a source, written from the contracts, that gives every row a verdict.

DuckDB runs it over the lake's files, vectorised and in bounded memory. It is SQL and not pandera, whose Ibis backend
says whether a table is valid: here every row needs a verdict of its own, and the valid rows go on.
"""
# ruff: noqa: S608  (every name in the SQL is one of the contracts', every value is quoted)

from collections.abc import Iterator
from datetime import datetime

import pyarrow as pa

from rankloop.contracts.cleaning import (
    ITEM_RULES,
    KNOWN_BUYER,
    KNOWN_PRODUCT,
    RULES,
    QuarantineReason,
    TextRepair,
    ValueRule,
)
from rankloop.contracts.marketplace import INTERACTIONS
from rankloop.contracts.sources import FAULTS, ITEM_FIELDS, ITEMS, FieldContract, SourceContract

VERDICT = "STRUCT(reason VARCHAR, field VARCHAR, value VARCHAR)"
_BLANKS = r"[\s\x0b\x{85}\p{Z}]+"


def validated_rows(source: SourceContract, end: datetime) -> str:
    """Return the query of a row for each document of `raw_<collection>`: repaired, with its verdict, without items.

    Duplicates are counted among the rows that nothing else is wrong with, so the first good one stays.
    """
    columns = ", ".join(_column(field) for field in source.fields if field.name != ITEMS)
    repaired = f"SELECT id, arrived, {FAULTS}, {columns}{_item_columns(source)} FROM raw_{source.collection}"
    if not source.event:
        repaired += f" WHERE created_at IS NULL OR created_at < {_instant(end)}"
    first = f"row_number() OVER (PARTITION BY {source.key}, verdict IS NULL ORDER BY id) = 1"
    duplicate = _verdict(QuarantineReason.DUPLICATE, source.key, source.key)
    return (
        f"WITH repaired AS ({repaired}), "
        f"ruled AS (SELECT *, {_cases(_document_rules(source))} AS verdict FROM repaired) "
        f"SELECT * REPLACE (CASE WHEN verdict IS NOT NULL OR {first} THEN verdict ELSE {duplicate} END AS verdict) "
        "FROM ruled"
    )


def exploded_lists(source: SourceContract) -> str:
    """Return the query of a row for each product of the lists that are not rejected as a whole, with its own verdict.

    All that is the same for a list's products is in `validated_<collection>`; only numbers are checked here.
    """
    lists = (
        f"SELECT validated.*, unnest({ITEMS}) AS item, unnest(range(shown)) AS number FROM raw_{source.collection} "
        f"JOIN (SELECT * EXCLUDE (arrived, verdict), arrived FROM validated_{source.collection} WHERE verdict IS NULL) "
        "AS validated USING (id)"
    )
    numbers = ", ".join(f"item.{field.name} AS {field.name}" for field in ITEM_FIELDS)
    return (
        f"WITH lists AS ({lists}), items AS (SELECT * EXCLUDE item, {numbers} FROM lists) "
        f"SELECT *, {_cases(_item_rules())} AS verdict FROM items"
    )


def count_repairs(source: SourceContract) -> str:
    """Return the query of how many valid documents had each text repaired in each way, a column each."""
    counts = [
        f'count(*) FILTER ({_repaired(field, kind)}) AS "{kind} {field.name}"'
        for field in _texts(source)
        for kind in TextRepair
    ]
    clean = f"SELECT id FROM validated_{source.collection} WHERE verdict IS NULL"
    return f"SELECT {', '.join(counts)} FROM raw_{source.collection} WHERE id IN ({clean})"


def _texts(source: SourceContract) -> list[FieldContract]:
    return [field for field in source.fields if pa.types.is_string(field.type)]


def single_spaced(column: str) -> str:
    """Return the SQL of a text with no blanks around it and single spaces within."""
    return f"trim(regexp_replace({column}, '{_BLANKS}', ' ', 'g'))"


def _repaired(field: FieldContract, kind: TextRepair) -> str:
    spaced = single_spaced(field.target)
    if kind is TextRepair.WHITE_SPACE:
        return f"{field.target} <> {spaced}"
    return f"{spaced} <> nfc_normalize({spaced})"


def _column(field: FieldContract) -> str:
    """Return a field's column, repaired; an empty text becomes null."""
    if not pa.types.is_string(field.type):
        return field.target
    return f"nullif(nfc_normalize({single_spaced(field.target)}), '') AS {field.target}"


def _item_columns(source: SourceContract) -> str:
    """Return how many products a list shows, and all of them in order if one occurs twice."""
    if all(field.name != ITEMS for field in source.fields):
        return ""
    products = f"list_transform({ITEMS}, lambda item: item.product_id)"
    return f", len({ITEMS}) AS shown, CASE WHEN list_unique({products}) < shown THEN {products} END AS repeated"


def _document_rules(source: SourceContract) -> Iterator[tuple[str, str]]:
    """Yield conditions and the verdicts that follow; the first that holds counts."""
    fault = f"list_filter({FAULTS}, lambda fault: fault.item IS NULL)"
    yield f"len({fault}) > 0", _fault_verdict(fault)
    for field in source.fields:
        if field.required and pa.types.is_string(field.type):
            yield f"{field.target} IS NULL", _verdict(QuarantineReason.MISSING_FIELD, field.name, "''")
    if _item_columns(source):
        yield "shown = 0", _verdict(QuarantineReason.EMPTY_LIST, ITEMS, "NULL")
    yield from (_violation(rule) for rule in RULES[source.collection])
    if source.collection in KNOWN_BUYER:
        yield _unknown("account_id", "buyer_ids", QuarantineReason.UNKNOWN_BUYER)
    if source.collection in KNOWN_PRODUCT:
        yield _unknown("product_id", "product_ids", QuarantineReason.UNKNOWN_PRODUCT)
    if source.collection == INTERACTIONS:
        yield _unknown("request_id", "list_ids", QuarantineReason.NO_LIST)


def _item_rules() -> Iterator[tuple[str, str]]:
    fault = f"list_filter({FAULTS}, lambda fault: fault.item = number)"
    yield f"{FAULTS} IS NOT NULL AND len({fault}) > 0", _fault_verdict(fault)
    for rule in ITEM_RULES:
        condition, verdict = _violation(rule)
        yield condition, verdict.replace(f"'{rule.field}'", f"'{ITEMS}.{rule.field}'")
    condition, _ = _unknown("product_id", "product_ids", QuarantineReason.UNKNOWN_PRODUCT)
    yield condition, _verdict(QuarantineReason.UNKNOWN_PRODUCT, f"{ITEMS}.product_id", "product_id")
    # The same product twice in one list: the place where it came first stays.
    yield (
        "repeated IS NOT NULL AND list_position(repeated, product_id) <= number",
        _verdict(QuarantineReason.DUPLICATE, f"{ITEMS}.product_id", "product_id"),
    )


def _violation(rule: ValueRule) -> tuple[str, str]:
    conditions = []
    if rule.least is not None:
        conditions.append(f"{rule.field} < {rule.least}")
    if rule.most is not None:
        conditions.append(f"{rule.field} > {rule.most}")
    if rule.one_of:
        conditions.append(f"{rule.field} NOT IN ({', '.join(map(_quoted, rule.one_of))})")
    if rule.pattern:
        conditions.append(f"NOT regexp_full_match({rule.field}, {_quoted(rule.pattern)})")
    if rule.finite:
        conditions.append(f"NOT isfinite({rule.field})")
    return " OR ".join(conditions), _verdict(rule.reason, rule.field, rule.field)


def _unknown(field: str, ids: str, reason: QuarantineReason) -> tuple[str, str]:
    return f"{field} NOT IN (SELECT id FROM {ids})", _verdict(reason, field, field)


def _cases(rules: Iterator[tuple[str, str]]) -> str:
    return "CASE " + " ".join(f"WHEN {condition} THEN {verdict}" for condition, verdict in rules) + " END"


def _fault_verdict(faults: str) -> str:
    return (
        f"CAST({{'reason': {faults}[1].reason, 'field': {faults}[1].field, 'value': {faults}[1].value}} AS {VERDICT})"
    )


def _verdict(reason: QuarantineReason, field: str, value: str) -> str:
    return f"CAST({{'reason': '{reason}', 'field': '{field}', 'value': CAST({value} AS VARCHAR)}} AS {VERDICT})"


def _instant(moment: datetime) -> str:
    return f"TIMESTAMPTZ '{moment.isoformat()}'"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
