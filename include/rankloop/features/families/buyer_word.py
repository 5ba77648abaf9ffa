"""Which words stand in the names of what a buyer looked at, and how many of them stand in this product's name.

The names of all products that a buyer interacted with are one corpus, split at white space (words joined by _ stay
whole), in lower case, and each word counts as often as it occurs.
"""

import ibis
import ibis.expr.types as ir

from rankloop.contracts.tables import FLOAT, INT, Column, TableSpec
from rankloop.features.declarations import ACCOUNT, WORD, Family, Feature, Overlap, TableBuilder
from rankloop.features.events import Events
from rankloop.features.families import product
from rankloop.features.favourites import number_values
from rankloop.features.history import AsOfTables, FeatureHistory
from rankloop.features.reactions import interaction_count

MILLIONTH = 1_000_000
FEW = 10
"""A buyer's most important words."""

DAILY = TableSpec(
    "daily/buyer_word", (ACCOUNT, WORD), (Column("looks", INT, "times the word stood in a name looked at"),)
)

TABLE = TableSpec(
    "features/buyer_word",
    (ACCOUNT, Column("rank", INT, "rank among the buyer's words, 1 the most frequent")),
    (
        WORD,
        Column("looks", INT, "times the word stood in a name looked at in 28 days"),
        Column("share", INT, "share in all words the buyer looked at, in millionths"),
        Column("surprise", INT, "that share less the word's share over all buyers, in millionths"),
    ),
)

FEATURES = (
    Feature(
        "word_match",
        FLOAT,
        "share of the name's words in all words looked at; only the kept ones count (setting top_words)",
        0,
        "ratio",
    ),
    Feature(
        "word_surprise",
        FLOAT,
        "share of the name's words in all words looked at, less what they have over all buyers",
        0,
        "ratio",
    ),
    Feature("word_hits", INT, "words of the name among those kept of the buyer (setting top_words)", 0, "count"),
    Feature("word_top_hits", INT, f"words of the name among the buyer's {FEW} most frequent", 0, "count"),
    Feature("word_best_rank", INT, "best rank of the name's words among those kept of the buyer", None, "rank"),
)


def words(goods: ir.Table) -> ir.Table:
    """Split each product's name into words, and count how often each occurs."""
    split = goods.select("product_id", word=goods["name"].lower().re_split(r"\s+").unnest())
    return split.filter(split["word"] != "").group_by(["product_id", "word"]).agg(times=lambda t: t.count())


def daily_buyer_word(events: Events) -> ir.Table:
    """Aggregate one day by buyer and word of the names they interacted with."""
    pairs = events.pairs.filter(events.pairs["name"].notnull())
    seen = pairs.select("account_id", "product_id", looks=interaction_count(pairs))
    looked = seen.join(events.materialise(words(events.goods)), "product_id")
    return looked.group_by(["account_id", "word"]).agg(looks=(looked["looks"] * looked["times"]).sum())


def buyer_word_features(history: FeatureHistory) -> ir.Table:
    """Compute every buyer's most frequent words in the window, as many as `top_words` keeps."""
    days = history.daily(DAILY.name)
    vocabulary = history.materialise(_vocabulary(days))
    numbers = days.join(vocabulary.select("word", "number"), "word")
    counted = numbers.group_by(["account_id", "number"]).agg(looks=numbers["looks"].sum())
    most_first = ibis.window(group_by="account_id", order_by=[ibis.desc("looks"), "number"])
    placed = counted.mutate(
        rank=ibis.row_number().over(most_first) + 1, mine=counted["looks"].sum().over(group_by="account_id")
    )
    important = placed.filter(placed["rank"] <= history.settings.top_words).join(vocabulary, "number")
    share = important["looks"] * MILLIONTH // important["mine"]
    return important.select("account_id", "rank", "word", "looks", share=share, surprise=share - important["usual"])


def _vocabulary(days: ir.Table) -> ir.Table:
    """Return every word with its number and its share in all words looked at, in millionths."""
    everybody = days.group_by("word").agg(looks=days["looks"].sum())
    usual = everybody["looks"] * MILLIONTH // everybody["looks"].sum().over()
    return everybody.select("word", usual=usual).join(number_values(days, "word", "number"), "word")


def _of_buyer(known: AsOfTables) -> ir.Table:
    mine = known.read(TABLE.name)
    top = (mine["rank"] <= FEW).ifelse(1, 0)
    return mine.select("account_id", "word", "rank", "share", "surprise", hit=ibis.literal(1), top=top)


def _of_product(known: AsOfTables) -> ir.Table:
    return words(known.read(product.TABLE.name)).select("product_id", "word")


OVERLAP = Overlap(
    "word",
    _of_buyer,
    _of_product,
    sums={
        "word_match": ("share", MILLIONTH),
        "word_surprise": ("surprise", MILLIONTH),
        "word_hits": ("hit", 1),
        "word_top_hits": ("top", 1),
    },
    least={"word_best_rank": "rank"},
)
FAMILY = Family(
    "buyer_word",
    __doc__,
    FEATURES,
    overlap=OVERLAP,
    daily=TableBuilder(DAILY, daily_buyer_word),
    as_of=TableBuilder(TABLE, buyer_word_features),
)
