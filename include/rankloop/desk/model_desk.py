"""The Model Desk, as a page: who is champion, which versions there are, and all that was decided."""

from jinja2 import Environment, PackageLoader

from rankloop.champions.current import reconcile_aliases, version_label
from rankloop.champions.history import champion_history
from rankloop.desk.promotion import whole
from rankloop.mongo import connect
from rankloop.registry import aliases, versions
from rankloop.registry.connection import Registry
from rankloop.settings import Settings
from rankloop.state.ledger import verify_chain

PAGES = Environment(loader=PackageLoader("rankloop.desk", ""), autoescape=True)


def desk(settings: Settings) -> str:
    """The page, as HTML."""
    with connect(settings.mongo) as client:
        entries = reconcile_aliases(client, Registry(settings.mlflow))
    champions = champion_history(entries)
    return PAGES.get_template("desk.html.j2").render(
        champions=champions[::-1],
        entries=entries[::-1],
        versions=versions.versions(Registry(settings.mlflow)),
        flaws=verify_chain(entries, aliases.read(Registry(settings.mlflow)).mark),
        named=version_label,
        whole=whole(entries),
    )
