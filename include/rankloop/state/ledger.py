"""The ledger of promotions: who decided what about which version, and why.

It is only ever appended to. Each entry seals itself and the one before, so that none can be changed, taken out or put
in between without being noticed. Numbers run without a gap, and a number can be taken once: who appends says which
entry was the last that they saw, and learns if another came in between.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal

from pymongo.errors import DuplicateKeyError
from pymongo.write_concern import WriteConcern

from rankloop.errors import TransientError
from rankloop.mongo import STATE_DB, Client

LEDGER = "promotions"
NOTHING_BEFORE = "0" * 64

Decision = Literal["promoted", "rejected", "timed out", "refused", "rolled back", "moved"]


class LedgerConflictError(TransientError):
    """Somebody else appended in between: read the ledger again and retry."""


@dataclass(frozen=True)
class LedgerDraft:
    """An entry before it is written."""

    decision: Decision
    key: str
    """What it answers: the same is never written twice."""
    version: int | None
    """The version that it is about; None where the champion was taken away behind our back."""
    before: int | None
    """The champion until then."""
    after: int | None
    """The champion from then on."""
    who: str
    reason: str
    evidence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LedgerEntry(LedgerDraft):
    """An entry as it is stored, sealed to the one before."""

    number: int = 0
    at: str = ""
    previous: str = NOTHING_BEFORE
    seal: str = ""

    @property
    def mark(self) -> str:
        """Return the text by which the registry notes that it has applied this entry."""
        return f"{self.number}:{self.seal}"


def append_entry(client: Client, draft: LedgerDraft, last: LedgerEntry | None, now: datetime) -> LedgerEntry:
    """Append an entry after `last`; raise LedgerConflictError if another was appended meanwhile."""
    number, previous = (last.number + 1, last.seal) if last else (1, NOTHING_BEFORE)
    at = now.astimezone(UTC).isoformat(timespec="milliseconds")
    entry = LedgerEntry(**{**vars(draft), "evidence": dict(draft.evidence)}, number=number, at=at, previous=previous)
    document = {**asdict(entry), "seal": _seal(asdict(entry))}
    try:
        # A decision is worth waiting for until it is on disk.
        collection = client[STATE_DB].get_collection(LEDGER, write_concern=WriteConcern("majority", j=True))
        collection.insert_one({"_id": document["number"], **document})
    except DuplicateKeyError:
        raise LedgerConflictError(
            f"another entry {number} came into the ledger in between; run the same again."
        ) from None
    return LedgerEntry(**document)


def read_ledger(client: Client) -> list[LedgerEntry]:
    """Return every entry, oldest first."""
    return [LedgerEntry(**document) for document in client[STATE_DB][LEDGER].find({}, {"_id": 0}).sort("_id", 1)]


def verify_chain(entries: Sequence[LedgerEntry], mark: str = "") -> list[str]:
    """Return the errors of the hash chain, none if it is intact.

    `mark` is that of the entry which the registry last followed: a ledger whose end was cut off lacks it.
    """
    found = list(_broken(entries))
    if mark and mark not in {entry.mark for entry in entries}:
        number = mark.partition(":")[0]
        found.append(f"MLflow has followed an entry {number} that is not here: the ledger was cut off, or put another")
    return found


def _broken(entries: Iterable[LedgerEntry]) -> Iterable[str]:
    previous, expected = NOTHING_BEFORE, 1
    for entry in entries:
        if entry.number != expected:
            yield f"entry {expected} is missing: after {expected - 1} comes {entry.number}"
        if entry.previous != previous:
            yield f"entry {entry.number} does not seal the one before it"
        if entry.seal != _seal(asdict(entry)):
            yield f"entry {entry.number} was changed after it was written"
        previous, expected = entry.seal, entry.number + 1


def _seal(document: Mapping[str, Any]) -> str:
    content = {name: value for name, value in document.items() if name != "seal"}
    return sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
