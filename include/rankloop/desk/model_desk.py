"""The Model Desk, as a page: who is champion, which versions there are, and all that was decided."""

from jinja2 import Environment, PackageLoader

from rankloop.champions.current import named, opened, settle
from rankloop.champions.history import line
from rankloop.desk.promotion import whole
from rankloop.registry import aliases, versions
from rankloop.registry.connection import Registry
from rankloop.settings import Settings
from rankloop.state.ledger import verify_chain

PAGES = Environment(loader=PackageLoader("rankloop.desk", ""), autoescape=True)


def desk(settings: Settings) -> str:
    """The page, as HTML."""
    with opened(settings) as client:
        entries = settle(settings, client)
    champions = line(entries)
    return PAGES.get_template("desk.html.j2").render(
        champions=champions[::-1],
        entries=entries[::-1],
        versions=versions.versions(Registry(settings.mlflow)),
        flaws=verify_chain(entries, aliases.read(Registry(settings.mlflow)).mark),
        named=named,
        whole=whole(entries),
    )
