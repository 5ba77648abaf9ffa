"""Which version has which alias in MLflow."""

from rankloop.registry.connection import connect, speaking_to
from rankloop.registry.versions import CHALLENGER, LIFECYCLE, MODEL
from rankloop.settings import Settings


def retire(settings: Settings, number: int) -> None:
    """Put away a version that nobody wants: it is archived, and the challenger no more."""
    client = connect(settings)
    with speaking_to(settings.mlflow, f"archiving version {number} of {MODEL}"):
        if client.get_registered_model(MODEL).aliases.get(CHALLENGER) == str(number):
            client.delete_registered_model_alias(MODEL, CHALLENGER)
        client.set_model_version_tag(MODEL, str(number), LIFECYCLE, "Archived")
