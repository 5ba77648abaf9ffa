"""A process that makes a day and is killed at a chosen point of it."""

from rankloop.contracts.marketplace import COLLECTIONS
from rankloop.events.cleaning import clean_events
from rankloop.events.extraction import extract_day
from rankloop.lake.tables import Lake
from rankloop.mongo import connect
from tests.events.shop import DAY, NIGHT, ingestion_of
from tests.killing import Point, mine


def make_day(address: str, root: str, point: Point | None) -> None:
    """Extract and clean the day, and die at the point if there is one."""
    if point:
        mine(point)
    client = connect(address)
    ingestion = ingestion_of(client, Lake(root))
    for source in COLLECTIONS:
        extract_day(ingestion, DAY, source, NIGHT)
    clean_events(ingestion, DAY, NIGHT)
    client.close()
