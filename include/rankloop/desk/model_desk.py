"""The Model Desk page: the champion, all versions and all decisions."""

from jinja2 import Environment, PackageLoader

from rankloop.champions.current import reconcile_aliases, version_label
from rankloop.champions.history import champion_history
from rankloop.context import Context
from rankloop.desk.promotion import valid_ledger_sentence
from rankloop.registry import aliases, versions
from rankloop.state.ledger import verify_chain

PAGES = Environment(loader=PackageLoader("rankloop.desk", ""), autoescape=True)


def render_model_page(context: Context) -> str:
    """Return the Model Desk page as HTML."""
    entries = reconcile_aliases(context.state, context.registry)
    champions = champion_history(entries)
    return PAGES.get_template("desk.html.j2").render(
        champions=champions[::-1],
        entries=entries[::-1],
        versions=versions.versions(context.registry),
        errors=verify_chain(entries, aliases.read(context.registry).mark),
        version_label=version_label,
        valid_ledger=valid_ledger_sentence(entries),
    )
