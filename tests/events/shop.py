"""The smallest marketplace that has a day: two buyers, three products, two lists, and what came of them."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bson import Int64, ObjectId

from rankloop.calendar import start_of
from rankloop.contracts.marketplace import BUYERS, COLLECTIONS, IMPRESSIONS, INTERACTIONS, PRODUCTS
from rankloop.events.cleaning import clean_events
from rankloop.events.extraction import extract_day
from rankloop.events.ingestion import Ingestion
from rankloop.events.summaries import DaySummary
from rankloop.lake.tables import Lake
from rankloop.mongo import SHOP_DB, Client
from rankloop.settings.cleaning import CleaningSettings
from rankloop.settings.source import SourceSettings
from rankloop.sources.mongo.reader import MongoSource
from rankloop.sources.protocol import SourceConfig
from rankloop_demo.simulator.loading import prepare

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
DAY = date(2026, 11, 3)
NEXT_DAY = DAY + timedelta(days=1)
NIGHT = start_of(NEXT_DAY, HANOI) + timedelta(hours=1)
"""When the day is read."""
NOT_STRICT = CleaningSettings(bad_share=1)
_serial = iter(range(1, 1 << 24))


def at(hour: float, day: date = DAY) -> datetime:
    """An instant of a market day."""
    return start_of(day, HANOI) + timedelta(hours=hour)


def arriving(moment: datetime) -> ObjectId:
    """A new `_id` of this second."""
    return ObjectId(int(moment.timestamp()).to_bytes(4, "big") + bytes(5) + next(_serial).to_bytes(3, "big"))


def a_product(number: int, **changes: object) -> dict[str, Any]:
    """A clean product."""
    whole = {
        "_id": arriving(at(-90)), "product_id": Int64(number), "name": f"máy_may {number}", "category_path": "1/2/30",
        "shop_id": Int64(7), "original_price": Int64(90_000), "final_price": Int64(80_000), "is_free_ship": True,
        "created_at": at(-99), "status": "active",
    }  # fmt: skip
    return whole | changes


def a_buyer(number: int, **changes: object) -> dict[str, Any]:
    """A clean buyer, with something in every personal field."""
    whole = {
        "_id": arriving(at(-90)), "account_id": Int64(number), "account_email": f"lan.tran{number}@mail.vn",
        "account_phone": f"09123456{number}", "facebook_id": f"fb-10001{number}", "first_name": "Lanh-Chi",
        "last_name": "Trần-Lê", "full_name": f"Trần-Lê Lanh-Chi {number}", "gender": 1.0,
        "address_full": f"{number} ngõ Tạm Thương", "address_city": "hà nội", "address_city_id": Int64(1),
        "address_district": "hoàn kiếm", "address_district_id": Int64(11), "address_ward": "hàng gai",
        "address_ward_id": Int64(1101), "total_order": 4.0, "total_order_cancel": 1.0, "total_order_close": 0.0,
        "total_order_complete": 3.0, "total_rating": 2.0, "last_payment_method": "",
        "latest_order_date": "2026-11-01 10:00:00 +0700", "email_verified": 1.0, "is_otp_phone": 1.0,
        "is_bad_buyer": None, "created_ip": "113.190.252.7", "utc_created_at": "2026-01-01 10:00:00 +0700",
        "utc_updated_at": "2026-11-01 10:00:00 +0700", "utc_rad2_insert": "x", "utc_rad2_update": "x",
        "baid_group": number % 10,
    }  # fmt: skip
    return whole | changes


def a_list(name: str, ts: datetime, products: tuple[int, ...] = (1, 2, 3), /, **changes: object) -> dict[str, Any]:
    """A clean list."""
    items = [
        {"product_id": Int64(product), "position": place, "base_score": 1 / place}
        for place, product in enumerate(products, 1)
    ]
    whole = {
        "_id": arriving(ts), "request_id": name, "account_id": Int64(11), "baid_group": 1, "ts": ts, "surface": "home",
        "policy": "base", "items": items,
    }  # fmt: skip
    return whole | changes


def a_reaction(name: str, ts: datetime, /, **changes: object) -> dict[str, Any]:
    """A clean click that came by no list."""
    whole = {
        "_id": arriving(ts), "interaction_id": name, "account_id": Int64(11), "baid_group": 1, "ts": ts,
        "kind": "click", "product_id": Int64(1), "shop_id": Int64(7), "price": Int64(80_000), "quantity": 0,
    }  # fmt: skip
    return whole | changes


def mongo_source(client: Client, zone: ZoneInfo = HANOI) -> MongoSource:
    """The source that reads this MongoDB."""
    return MongoSource(SourceConfig(SourceSettings(), zone, lambda: client))


def ingestion_of(client: Client, lake: Lake, rules: CleaningSettings = NOT_STRICT) -> Ingestion:
    """What a day is ingested with, its source and our own state in one MongoDB."""
    return Ingestion(mongo_source(client), lake, client, HANOI, rules)


class Shop:
    """A marketplace in MongoDB, and what its days are ingested with."""

    def __init__(self, client: Client, folder: Path, rules: CleaningSettings = NOT_STRICT) -> None:
        prepare(client)
        self.client = client
        self.ingestion = ingestion_of(client, Lake(folder / "lake"), rules)
        self.add(PRODUCTS, *map(a_product, (1, 2, 3)))
        self.add(BUYERS, *map(a_buyer, (11, 12)))
        self.add(IMPRESSIONS, a_list("q1", at(9)), a_list("q2", at(21)))
        self.add(INTERACTIONS, a_reaction("i1", at(10)), a_reaction("i2", at(22), request_id="q2"))

    def add(self, collection: str, *documents: dict[str, Any]) -> None:
        """Insert documents."""
        self.client[SHOP_DB][collection].insert_many(documents)

    def extract(self, day: date = DAY, now: datetime = NIGHT) -> None:
        """Extract all sources of a day."""
        for source in COLLECTIONS:
            extract_day(self.ingestion, day, source, now)

    def clean(self, day: date = DAY, now: datetime = NIGHT, accept: tuple[str, ...] = ()) -> DaySummary:
        """Extract and clean a day."""
        self.extract(day, now)
        return clean_events(self.ingestion, day, now, accept=accept)

    def with_rules(self, **changes: object) -> "Shop":
        """The same shop, judged otherwise."""
        self.ingestion = replace(self.ingestion, rules=self.ingestion.rules.model_copy(update=changes))
        return self

    def rows(self, table: str, day: date = DAY) -> list[dict[str, Any]]:
        """The rows of a day in the lake."""
        return self.ingestion.lake.read(table, [day]).to_pylist()  # type: ignore[no-any-return]

    def rejected(self) -> list[tuple[str, str, int, str | None, str, str | None, str | None]]:
        """All that is in quarantine: day, collection, rows, key, reason, field, value."""
        names = ("day", "collection", "rows", "key", "reason", "field", "value")
        found = self.client["rankloop"]["quarantine"].find().sort("_id", 1)
        return [tuple(entry[name] for name in names) for entry in found]  # type: ignore[misc]
