"""The Model Desk, as a page: who is champion, which versions there are, and all that was decided."""

from jinja2 import Environment, PackageLoader

from rankloop.champions.line import line
from rankloop.champions.standing import named, opened, settle
from rankloop.marketplace.ledger import flaws
from rankloop.promotion.terminal import whole
from rankloop.registry import aliases, versions
from rankloop.settings import Settings

PAGES = Environment(loader=PackageLoader("rankloop.promotion", ""), autoescape=True)


def desk(settings: Settings) -> str:
    """The page, as HTML."""
    with opened(settings) as client:
        entries = settle(settings, client)
    champions = line(entries)
    return PAGES.get_template("desk.html.j2").render(
        champions=champions[::-1],
        entries=entries[::-1],
        versions=versions.versions(settings),
        flaws=flaws(entries, aliases.read(settings).mark),
        named=named,
        whole=whole(entries),
    )
