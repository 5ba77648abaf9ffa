"""A process that makes a day and is killed at a chosen point of it."""

from rankloop.contracts.marketplace import COLLECTIONS
from rankloop.events.cleaning import clean
from rankloop.events.extraction import extract_day
from rankloop.events.site import Site
from rankloop.lake.tables import Lake
from rankloop.mongo import connect
from tests.events.shop import DAY, HANOI, NIGHT, NOT_STRICT
from tests.killing import Point, mine


def make_day(address: str, root: str, point: Point | None) -> None:
    """Extract and clean the day, and die at the point if there is one."""
    if point:
        mine(point)
    client = connect(address)
    site = Site(client, Lake(root), HANOI, NOT_STRICT)
    for source in COLLECTIONS:
        extract_day(DAY, source, site, NIGHT)
    clean(DAY, site, NIGHT)
    client.close()
