"""What a clean row is: the rules on its values, what may be repaired, and every reason for which a row is rejected."""

from dataclasses import dataclass
from enum import StrEnum

from rankloop.contracts.marketplace import BUYERS, IMPRESSIONS, INTERACTIONS, KINDS, PRODUCTS


class QuarantineReason(StrEnum):
    """Why a row is in quarantine; the first that applies, in this order."""

    MISSING_FIELD = "missing_field"
    """A required field is absent, null, not a number or blank."""
    WRONG_TYPE = "wrong_type"
    """A field holds a value that cannot be read as its type."""
    FUTURE_TIME = "future_time"
    """It says that it happened after it arrived."""
    EMPTY_LIST = "empty_list"
    """A list that shows nothing."""
    UNKNOWN_KIND = "unknown_kind"
    UNKNOWN_STATUS = "unknown_status"
    BAD_PRICE = "bad_price"
    """A price of nothing or less, or beyond all that is sold."""
    BAD_QUANTITY = "bad_quantity"
    """Fewer than none, or more than anybody can want."""
    BAD_POSITION = "bad_position"
    BAD_SCORE = "bad_score"
    BAD_COUNT = "bad_count"
    BAD_GROUP = "bad_group"
    BAD_PATH = "bad_path"
    """A category path that is no numbers joined by slashes."""
    UNKNOWN_BUYER = "unknown_buyer"
    UNKNOWN_PRODUCT = "unknown_product"
    NO_LIST = "no_list"
    """It says that it came from a list, and no list of the day or the day before has that name."""
    DUPLICATE = "duplicate"
    """Another with the same key arrived before it."""


@dataclass(frozen=True)
class ValueRule:
    """What a value must be, where there is one."""

    field: str
    reason: QuarantineReason
    least: float | None = None
    most: float | None = None
    one_of: tuple[str, ...] = ()
    pattern: str = ""
    finite: bool = False


DEAREST, MOST_UNITS = 10**15, 10_000
"""Dong, and pieces of an order. Beyond these a number is a slip of the pen, and sums of such would not fit 64 bits."""

RULES: dict[str, tuple[ValueRule, ...]] = {
    IMPRESSIONS: (),
    INTERACTIONS: (
        ValueRule("kind", QuarantineReason.UNKNOWN_KIND, one_of=KINDS),
        ValueRule("price", QuarantineReason.BAD_PRICE, least=1, most=DEAREST),
        ValueRule("quantity", QuarantineReason.BAD_QUANTITY, least=0, most=MOST_UNITS),  # only an order has one
    ),
    PRODUCTS: (
        ValueRule("status", QuarantineReason.UNKNOWN_STATUS, one_of=("active", "inactive")),
        ValueRule("original_price", QuarantineReason.BAD_PRICE, least=1, most=DEAREST),
        ValueRule("final_price", QuarantineReason.BAD_PRICE, least=1, most=DEAREST),
        ValueRule("category_path", QuarantineReason.BAD_PATH, pattern=r"\d+(/\d+)*"),
    ),
    BUYERS: (
        *(
            ValueRule(field, QuarantineReason.BAD_COUNT, least=0, finite=True)
            for field in ("total_order", "total_order_cancel", "total_order_close", "total_order_complete")
        ),
        ValueRule("baid_group", QuarantineReason.BAD_GROUP, least=0, most=9),
    ),
}
"""By collection, in the order in which they are asked."""

ITEM_RULES = (
    ValueRule("position", QuarantineReason.BAD_POSITION, least=1),
    ValueRule("base_score", QuarantineReason.BAD_SCORE, finite=True),
)
"""On each product that a list shows."""

KNOWN_PRODUCT = (INTERACTIONS,)
KNOWN_BUYER = (IMPRESSIONS, INTERACTIONS)
"""Collections whose rows must refer to a product and to a buyer that the marketplace has, itself clean or not."""


class TextRepair(StrEnum):
    """What is put right in a text without asking."""

    WHITE_SPACE = "white_space"
    """Blanks at either end, and more or other ones than a space between words."""
    UNICODE = "unicode"
    """Letters written in parts (NFD) that the rest of the marketplace writes as one (NFC)."""


class DayCheck(StrEnum):
    """What a day must pass before anyone builds on it; each can be accepted for a day, on purpose."""

    EMPTY_DAY = "empty_day"
    SMALL_DAY = "small_day"
    BAD_ROWS = "bad_rows"
