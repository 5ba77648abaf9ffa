"""Buyers as the account system knows them: the fields of the contract, with the untidiness of real accounts."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from bson import Int64, ObjectId

from rankloop_demo.simulator.clock import object_ids
from rankloop_demo.simulator.documents import ID, Document
from rankloop_demo.simulator.vocabulary import Floats, Ints
from rankloop_demo.simulator.world import World, rng

BUYER = 3
ACCOUNTS_SINCE = 2000
"""No account is older than this many days before the first day of the world."""


def buyers_changed(world: World, day: date, buyers: Ints) -> tuple[Ints, Ints]:
    """Return those of these buyers who are new on this day, and those whose counters moved."""
    number = world.day_number(day)
    join = world.buyers.join[buyers]
    new = (join <= 0) if number == 0 else (join == number)
    moved = (join < number) & (orders_by(world, number, buyers) != orders_by(world, number - 1, buyers))
    return buyers[new], buyers[moved & ~new]


def orders_by(world: World, number: int, buyers: Ints) -> Ints:
    """Orders of a buyer's whole life up to the end of this day, as the account system counts them.

    The count follows the buyer's habits, not the orders in `interactions`: those reach no further back than the
    first day, and a counter that needed all of them could not be computed for one day alone.
    """
    people = world.buyers
    rate = np.minimum(people.activity[buyers] * np.exp(people.spending[buyers]) * 0.05, 2.0)
    active = np.clip(np.minimum(number, people.lapse[buyers]) - people.join[buyers], 0, ACCOUNTS_SINCE)
    return np.asarray(np.floor(rate * active).astype(np.int64))


def buyer_documents(world: World, day: date, zone: ZoneInfo, buyers: Ints) -> list[Document]:
    """Return one document a buyer, as of the end of the day; what does not change is the same on every day."""
    number = world.day_number(day)
    midnight = datetime.combine(world.first_day, datetime.min.time(), tzinfo=zone)
    join = np.maximum(world.buyers.join[buyers], -ACCOUNTS_SINCE)
    created = np.asarray((midnight.timestamp() + join * 86_400.0) * 1000).astype(np.int64)
    ids = object_ids(created, 0, 0, BUYER, buyers)
    orders = orders_by(world, number, buyers).tolist()
    visited = np.maximum(join, number - (4 / (world.buyers.activity[buyers] + 0.1)).astype(np.int64)).tolist()
    documents = []
    for row, (account, fact) in enumerate(
        zip(world.buyers.id[buyers].tolist(), _unchanging(world, buyers), strict=True)
    ):
        joined = int(join[row])

        def instant(day_number: int, offset: int, account: int = account) -> str:
            moment = midnight + timedelta(days=day_number, seconds=account * 7919 % 80_000 + offset)
            return moment.strftime("%Y-%m-%d %H:%M:%S %z")

        documents.append(
            {
                ID: ObjectId(ids[row].tobytes()),
                "account_id": Int64(account),
                **fact,
                **_counters(orders[row], account),
                "latest_order_date": instant(visited[row], 900) if orders[row] else None,
                "utc_created_at": instant(joined, 0),
                "utc_updated_at": instant(max(joined, number), 1200),
                "utc_rad2_insert": instant(joined, 60),
                "utc_rad2_update": instant(max(joined, number), 1260),
                "baid_group": account % 10,
            }
        )
    return documents


def _counters(orders: int, account: int) -> dict[str, float]:
    cancelled, closed = orders * (account % 7) // 60, orders // 40
    return {
        "total_order": float(orders),
        "total_order_cancel": float(cancelled),
        "total_order_close": float(closed),
        "total_order_complete": float(orders - cancelled - closed),
        "total_rating": float(orders * (account % 5) // 12),
    }


def _unchanging(world: World, buyers: Ints) -> Iterator[dict[str, Any]]:
    """Yield what never changes in a buyer's account, drawn from the buyer's own stream of random numbers."""
    people = world.words.people
    shares = np.cumsum([city["share"] for city in people["cities"]])
    for buyer in buyers.tolist():
        random = rng(world.seed, 30, buyer)
        draw = random.random(16)
        city = people["cities"][min(int(np.searchsorted(shares, draw[0] * shares[-1])), len(shares) - 1)]
        yield {**_name(people, draw, buyer), **_address(people, city, draw), **_flags(draw)}


def _pick(choices: list[Any], draw: float) -> Any:  # noqa: ANN401  (whatever the choices are)
    return choices[int(draw * len(choices))]


def _name(people: dict[str, Any], draw: Floats, buyer: int) -> dict[str, Any]:
    last, middle, first = (
        _pick(people[part], draw[i]) for i, part in enumerate(("last_names", "middle_names", "first_names"), 1)
    )
    full = f"{last} {middle} {first}"
    # People type their own names: as they should be, all small, or shouting.
    full = (full.title(), full, full.upper())[int(np.searchsorted([0.7, 0.92], draw[4]))]
    return {
        "account_email": f"buyer{buyer}@example.com" if draw[5] < 0.8 else None,
        "account_phone": f"09{int(draw[6] * 1e8):08d}" if draw[6] < 0.95 else "",
        "facebook_id": f"{int(draw[7] * 1e15):015d}" if draw[7] < 0.001 else None,
        "first_name": first.title(),
        "last_name": f"{last} {middle}".title(),
        "full_name": full,
        "gender": None if draw[8] < 0.3 else float(middle == "thị" or (middle != "văn" and draw[8] < 0.72)),
    }


def _address(people: dict[str, Any], city: dict[str, Any], draw: Floats) -> dict[str, Any]:
    number = int(draw[9] * len(city["districts"]))
    district, ward = city["districts"][number], _pick(people["wards"], draw[10])
    empty = draw[11] < 0.12  # never filled in
    return {
        "address_full": None if empty else f"{int(draw[9] * 300) + 1} {ward}, {district}, {city['name']}",
        "address_city": None if empty else city["name"],
        "address_city_id": None if empty else Int64(city["id"]),
        "address_district": None if empty else district,
        "address_district_id": None if empty else Int64(city["id"] * 10 + number),
        "address_ward": None if empty else ward,
        "address_ward_id": None if empty else Int64(city["id"] * 1000 + number * 100 + people["wards"].index(ward)),
    }


def _flags(draw: Floats) -> dict[str, Any]:
    return {
        "last_payment_method": "",
        "email_verified": float(draw[12] < 0.4),
        "is_otp_phone": float(draw[13] < 0.85),
        "is_bad_buyer": 1.0 if draw[14] < 0.004 else None,
        "created_ip": "",
    }
