"""Which market days the shop has marked complete, as a nightly job does that loads the day."""

from datetime import date

from rankloop.mongo import Client


def is_complete(client: Client, collection: str, day: date) -> bool:
    """Return whether `database.collection` holds a document whose `_id` is the day, as YYYY-MM-DD."""
    database, _, name = collection.partition(".")
    return client[database][name].find_one({"_id": day.isoformat()}, {"_id": 1}) is not None
