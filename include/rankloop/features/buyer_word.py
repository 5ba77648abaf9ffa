"""Which words stand in the names of what a buyer looked at, and how many of them stand in this product's name.

As in the reference system: the names of all products a buyer interacted with are one corpus, split at white space
(words joined by _ stay whole), in small letters, and each word counts as often as it occurs.
"""

import ibis
import ibis.expr.types as ir

from rankloop.features import product
from rankloop.features.attach import attach
from rankloop.features.declare import ACCOUNT, FLOAT, INT, WORD, Column, Family, Feature, Made, Shape
from rankloop.features.events import Events
from rankloop.features.history import AsOf, History
from rankloop.features.reactions import looks

MILLIONTH = 1_000_000
FEW = 10
"""A buyer's most important words."""

DAILY = Shape("daily/buyer_word", (ACCOUNT, WORD), (Column("looks", INT, "times the word stood in a name looked at"),))

TABLE = Shape(
    "features/buyer_word",
    (ACCOUNT, WORD),
    (
        Column("looks", INT, "times the word stood in a name looked at in 28 days"),
        Column("rank", INT, "rank among the buyer's words, 1 the most frequent"),
        Column("share", INT, "share in all words the buyer looked at, in millionths"),
        Column("surprise", INT, "that share less the word's share over all buyers, in millionths"),
    ),
)

FEATURES = (
    Feature("word_match", FLOAT, "share of the name's words in all words the buyer looked at", 0),
    Feature("word_surprise", FLOAT, "that share less what the same words have over all buyers", 0),
    Feature("word_hits", INT, "words of the name among those the buyer looked at", 0),
    Feature("word_top_hits", INT, f"words of the name among the buyer's {FEW} most frequent", 0),
    Feature("word_best_rank", INT, "best rank of the name's words among the buyer's", None),
)


def words(goods: ir.Table) -> ir.Table:
    """The words of each product's name, and how often each stands in it."""
    split = goods.select("product_id", word=goods["name"].lower().re_split(r"\s+").unnest())
    return split.filter(split["word"] != "").group_by(["product_id", "word"]).agg(times=lambda t: t.count())


def aggregate(events: Events) -> ir.Table:
    """How often each buyer looked at each word on the day."""
    pairs = events.pairs.filter(events.pairs["name"].notnull())
    seen = pairs.select("account_id", "product_id", looks=looks(pairs))
    looked = seen.join(events.keep(words(events.goods)), "product_id")
    return looked.group_by(["account_id", "word"]).agg(looks=(looked["looks"] * looked["times"]).sum())


def roll_up(history: History) -> ir.Table:
    """Every buyer's most frequent words in the window, as many as the settings keep."""
    days = history.daily(DAILY.name)
    counted = days.group_by(["account_id", "word"]).agg(looks=days["looks"].sum())
    everybody = counted.group_by("word").agg(all_looks=counted["looks"].sum())
    everybody = everybody.mutate(total=everybody["all_looks"].sum().over())
    most_first = ibis.window(group_by="account_id", order_by=[ibis.desc("looks"), "word"])
    placed = counted.mutate(
        rank=ibis.row_number().over(most_first) + 1, mine=counted["looks"].sum().over(group_by="account_id")
    )
    important = placed.filter(placed["rank"] <= history.settings.top_words).join(everybody, "word")
    share = important["looks"] * MILLIONTH // important["mine"]
    usual = important["all_looks"] * MILLIONTH // important["total"]
    return important.select("account_id", "word", "looks", "rank", share=share, surprise=share - usual)


def join(rows: ir.Table, known: AsOf) -> ir.Table:
    """Each row with how well its product's name matches its buyer's words."""
    return attach(rows, _match(rows, known), {"account_id": "account_id", "product_id": "product_id"}, FEATURES)


def _match(rows: ir.Table, known: AsOf) -> ir.Table:
    pairs = rows.select("account_id", "product_id").distinct()
    named = pairs.join(words(known.read(product.TABLE.name)), "product_id")
    found = named.join(known.read(TABLE.name), ["account_id", "word"])
    return found.group_by(["account_id", "product_id"]).agg(
        word_match=found["share"].sum() / MILLIONTH,
        word_surprise=found["surprise"].sum() / MILLIONTH,
        word_hits=found.count(),
        word_top_hits=found.count(where=found["rank"] <= FEW),
        word_best_rank=found["rank"].min(),
    )


FAMILY = Family("buyer_word", __doc__, FEATURES, join, daily=Made(DAILY, aggregate), as_of=Made(TABLE, roll_up))
