"""A simulated shop in a lake, day by day: buyers who are not control see the rankings of a real champion.

Events come from the simulator as extraction would find them, without MongoDB and without dirt. MongoDB and MLflow run
beside it, for the ledger, the models and the verdicts.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import bson
import pyarrow as pa
import pyarrow.compute as pc
from building import aggregate_day, build_features, lake_of
from pydantic import SecretStr

from rankloop.candidates.pool import BUYER_SHARDS
from rankloop.champions.current import current_champion, reconcile_aliases
from rankloop.champions.history import champion_number
from rankloop.context import open_context
from rankloop.contracts import marketplace as source
from rankloop.contracts.lake import BUYERS, DAY, EVENT_SCHEMAS, PRODUCTS, REACTIONS, SHOWN
from rankloop.contracts.sources import SOURCES
from rankloop.engine.opening import open_engine
from rankloop.events.summaries import DaySummary, SourceSummary, save_day_summary
from rankloop.experiment import is_control
from rankloop.features.joining.store import FeatureStore
from rankloop.lake.tables import Lake
from rankloop.mongo import connect
from rankloop.registry.connection import Registry
from rankloop.registry.tracking import training_run
from rankloop.scoring.batch import shard_rankings
from rankloop.scoring.ranker import load_ranker, policy_name
from rankloop.settings import Settings
from rankloop.state import ledger
from rankloop.state.ledger import LedgerDraft
from rankloop.state.rankings import DEFAULT_BUYER, Batch, Ranking
from rankloop.training.pipeline import run_training
from rankloop.training.registration import training_outcome
from rankloop_demo.simulator.living import Marketplace, live
from rankloop_demo.simulator.scenarios import Scenarios
from rankloop_demo.simulator.storefront import Rankings, as_rankings
from rankloop_demo.stack.local_http import get
from rankloop_demo.stack.tools import BIN, mongo_server

MILLISECOND = bson.CodecOptions(tz_aware=True)
ACCOUNT_TIMES = {
    "created_at": "utc_created_at",
    "updated_at": "utc_updated_at",
    "latest_order_at": "latest_order_date",
}
NOW = datetime(2026, 10, 8, 2, tzinfo=UTC)


@dataclass
class Kept:
    """What the next day needs of the one before."""

    products: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    buyers: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    tomorrow: dict[int, pa.Table] = field(default_factory=dict)
    rankings: Rankings | None = None


@dataclass
class Shop:
    """A shop as it stands after its newest day."""

    settings: Settings
    place: Marketplace
    kept: Kept = field(default_factory=Kept)

    def live(self, day: date, *, features: bool = True) -> None:
        """Put the day's events into the lake and build it."""
        lake = lake_of(self.settings)
        for name, rows in self._events(day).items():
            lake.replace_day(name, day, rows, EVENT_SCHEMAS[name])
        save_day_summary(lake, DaySummary(day.isoformat(), "", {name: self._facts(name, day) for name in SOURCES}))
        aggregate_day(self.settings, day)
        if features:
            build_features(self.settings, day)

    def train(self, day: date) -> int | None:
        """Train as of a day and promote what passes the gate; the new champion, if it did."""
        with open_context(self.settings) as context:
            run_id = run_training(context, f"as of {day}", day, "another week is over")
            ending = training_outcome(training_run(context.registry, run_id))
        if ending["outcome"] != "registered":
            return None
        registered = int(ending["version"])
        with connect(self.settings.mongo) as client:
            entries = reconcile_aliases(client, Registry(self.settings.mlflow))
            number = champion_number(entries)
            draft = LedgerDraft(
                "promoted", f"as of {day}", registered, number, registered, "ml-lead", "the gate lets it"
            )
            ledger.append_entry(client, draft, entries[-1] if entries else None, NOW)
            reconcile_aliases(client, Registry(self.settings.mlflow))
        return registered

    def rank(self, day: date) -> None:
        """Let the champion rank as of a day; from the next on its rankings are shown."""
        with connect(self.settings.mongo) as client:
            champion = current_champion(client, Registry(self.settings.mlflow))
        assert champion  # noqa: S101  (there is one from the first training on)
        ranker, number = load_ranker(Registry(self.settings.mlflow), champion.number), champion.number
        batch = Batch(f"b{day}", day, number, policy_name(number), NOW)
        store = FeatureStore(Lake(self.settings.lake_root), self.settings.features, self.settings.zone)
        found: list[Ranking] = []
        for shard in range(BUYER_SHARDS):
            with open_engine(self.settings.features) as engine:
                found += shard_rankings(engine, store, self.settings.scoring, batch, ranker, shard)
        found = [one for one in found if one.account_id != DEFAULT_BUYER]
        stays = is_control([one.account_id for one in found], self.settings.experiment.control_share)
        self.kept.rankings = as_rankings(
            self.place.world, [one for one, control in zip(found, stays, strict=True) if not control]
        )

    def branch(self, home: Path, scenarios: Scenarios) -> "Shop":
        """A copy of it, to which other things happen from now on; models and the ledger are the same."""
        shutil.copytree(self.settings.home, home, copy_function=_same_or_copied)
        kept = replace(self.kept, products=dict(self.kept.products), buyers=dict(self.kept.buyers))
        settings = self.settings.model_copy(update={"home": home})
        return Shop(settings, replace(self.place, scenarios=scenarios), replace(kept, tomorrow=dict(kept.tomorrow)))

    def _facts(self, name: str, day: date) -> SourceSummary:
        """What cleaning notes of a source, nothing of which was wrong."""
        rows = lake_of(self.settings).read(SOURCES[name].table, [day]).drop_columns([DAY])
        profile = {
            column: {"nulls": rows[column].null_count / max(len(rows), 1)}
            | ({"distinct": pc.count_distinct(rows[column]).as_py()} if pa.types.is_string(rows[column].type) else {})
            for column in rows.column_names
        }
        return SourceSummary(SOURCES[name].table, len(rows), len(rows), 0, 0, profile=profile)

    def _events(self, day: date) -> dict[str, pa.Table]:
        kept, lists, reactions = self.kept, [], []
        for block in range(self.place.blocks):
            arrivals = live(self.place, day, block, kept.tomorrow.get(block), kept.rankings)
            assert arrivals.tomorrow is not None  # noqa: S101  (each block answers for its next day)
            kept.tomorrow[block] = arrivals.tomorrow
            lists += [bson.decode(document, MILLISECOND) for document in arrivals.new[source.IMPRESSIONS]]
            reactions += arrivals.new[source.INTERACTIONS]
            for some in (arrivals.new, arrivals.changed):
                kept.products.update({one["product_id"]: one for one in some.get(source.PRODUCTS, ())})
                kept.buyers.update({one["account_id"]: _account(one) for one in some.get(source.BUYERS, ())})
        return {
            SHOWN: _table(SHOWN, ({**shown, **item} for shown in lists for item in shown["items"])),
            REACTIONS: _table(REACTIONS, ({**found, "ts": found["ts"].as_datetime()} for found in reactions)),
            PRODUCTS: _table(PRODUCTS, kept.products.values()),
            BUYERS: _table(BUYERS, kept.buyers.values()),
        }


def _account(document: Mapping[str, Any]) -> dict[str, Any]:
    def instant(name: str) -> datetime | None:
        text = document[name]
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z") if text else None

    return {**document, **{name: instant(column) for name, column in ACCOUNT_TIMES.items()}}


def _table(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    schema = pa.schema(column for column in EVENT_SCHEMAS[name] if column.name != DAY)
    return pa.Table.from_pylist([{column: row.get(column) for column in schema.names} for row in rows], schema)


def _same_or_copied(origin: str, to: str) -> None:
    """Parquet files are never written again, so one of them may be in two lakes."""
    (os.link if origin.endswith(".parquet") else shutil.copy2)(origin, to)


@contextmanager
def servers(folder: Path, port: int) -> Iterator[tuple[str, SecretStr]]:
    """MLflow on this port and MongoDB on the next one; where they are."""
    mongo: list[Any] = [mongo_server(), "--host", "127.0.0.1", "--port", str(port + 1)]
    mongo += ["--storage-path", folder / "mongo", "--log-level", "WARNING"]
    mlflow: list[Any] = [BIN / "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    mlflow += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    mlflow += ["--artifacts-destination", str(folder / "artifacts")]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    environment = {**os.environ, **quiet, "PATH": f"{BIN}:{os.environ['PATH']}"}
    (folder / "mongo").mkdir(parents=True, exist_ok=True)
    with ExitStack() as ends:
        log = ends.enter_context((folder / "servers.log").open("ab"))
        for command in (mongo, mlflow):
            server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
            ends.callback(_end, server)
        _wait(lambda: get(port, "/health") is not None)
        yield f"http://127.0.0.1:{port}", SecretStr(f"mongodb://127.0.0.1:{port + 1}")


def _end(server: subprocess.Popen[bytes]) -> None:
    os.killpg(server.pid, 15)
    server.wait()


def _wait(there: Callable[[], bool], within: timedelta = timedelta(minutes=3)) -> None:
    until = time.monotonic() + within.total_seconds()
    while not there():
        if time.monotonic() > until:
            raise TimeoutError("MLflow does not answer")
        time.sleep(0.5)
