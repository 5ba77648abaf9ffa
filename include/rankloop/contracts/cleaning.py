"""What a clean row is: the rules on its values, what may be repaired, and every reason for which a row is rejected."""

from dataclasses import dataclass
from enum import StrEnum

from rankloop.contracts.marketplace import BUYERS, IMPRESSIONS, INTERACTIONS, KINDS, PRODUCTS


class Reason(StrEnum):
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
class Rule:
    """What a value must be, where there is one."""

    field: str
    reason: Reason
    least: float | None = None
    most: float | None = None
    one_of: tuple[str, ...] = ()
    pattern: str = ""
    finite: bool = False


DEAREST, MOST_UNITS = 10**15, 10_000
"""Dong, and pieces of an order. Beyond these a number is a slip of the pen, and sums of such would not fit 64 bits."""

RULES: dict[str, tuple[Rule, ...]] = {
    IMPRESSIONS: (),
    INTERACTIONS: (
        Rule("kind", Reason.UNKNOWN_KIND, one_of=KINDS),
        Rule("price", Reason.BAD_PRICE, least=1, most=DEAREST),
        Rule("quantity", Reason.BAD_QUANTITY, least=0, most=MOST_UNITS),  # only an order has one
    ),
    PRODUCTS: (
        Rule("status", Reason.UNKNOWN_STATUS, one_of=("active", "inactive")),
        Rule("original_price", Reason.BAD_PRICE, least=1, most=DEAREST),
        Rule("final_price", Reason.BAD_PRICE, least=1, most=DEAREST),
        Rule("category_path", Reason.BAD_PATH, pattern=r"\d+(/\d+)*"),
    ),
    BUYERS: (
        *(
            Rule(field, Reason.BAD_COUNT, least=0, finite=True)
            for field in ("total_order", "total_order_cancel", "total_order_close", "total_order_complete")
        ),
        Rule("baid_group", Reason.BAD_GROUP, least=0, most=9),
    ),
}
"""By collection, in the order in which they are asked."""

ITEM_RULES = (
    Rule("position", Reason.BAD_POSITION, least=1),
    Rule("base_score", Reason.BAD_SCORE, finite=True),
)
"""On each product that a list shows."""

KNOWN_PRODUCT = (INTERACTIONS,)
KNOWN_BUYER = (IMPRESSIONS, INTERACTIONS)
"""Collections whose rows must refer to a product and to a buyer that the marketplace has, itself clean or not."""


class Repair(StrEnum):
    """What is put right in a text without asking."""

    WHITE_SPACE = "white_space"
    """Blanks at either end, and more or other ones than a space between words."""
    UNICODE = "unicode"
    """Letters written in parts (NFD) that the rest of the marketplace writes as one (NFC)."""


class Check(StrEnum):
    """What a day must pass before anyone builds on it; each can be accepted for a day, on purpose."""

    EMPTY_DAY = "empty_day"
    SMALL_DAY = "small_day"
    BAD_ROWS = "bad_rows"
