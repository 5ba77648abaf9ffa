"""The registry of rankers: where the ranker that `training.ranker` names is found.

A new ranker is a file of its own, and a line here. A ranker of another package needs no line: the setting takes its
dotted path. Paths and not modules, so that the rankers may import the protocol, and only the one in use is imported.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from rankloop.ranking.rankers.protocol import RankerError, RankerKind
from rankloop.settings import variable

RANKERS: Mapping[str, str] = {
    "xgboost": "rankloop.ranking.rankers.boosted.BoostedTrees",
    "neural": "rankloop.ranking.rankers.pointwise.NEURAL",
    "logistic": "rankloop.ranking.rankers.pointwise.LOGISTIC",
}
METHODS = sorted(name for name in vars(RankerKind) if not name.startswith("_"))


def ranker_kind(name: str) -> RankerKind:
    """Return the ranker of this name, or at this dotted path."""
    path = RANKERS.get(name, name)
    module, _, attribute = path.rpartition(".")
    if not module:
        raise RankerError(
            f"no ranker is called '{name}'; there are {', '.join(RANKERS)}, or the dotted path of a ranker of your own "
            f"({variable('training.ranker')})."
        )
    try:
        kind = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise RankerError(
            f"the ranker {path} cannot be imported: there is no module {error.name}. Install its package wherever "
            f"Rankloop trains and serves, or correct the path ({variable('training.ranker')})."
        ) from error
    except AttributeError:
        raise RankerError(f"the module {module} has no {attribute}. Correct {variable('training.ranker')}.") from None
    if missing := [method for method in METHODS if not callable(getattr(kind, method, None))]:
        raise RankerError(
            f"{path} is not a ranker: it lacks {', '.join(missing)}. See rankloop.ranking.rankers.protocol.RankerKind."
        )
    return cast("RankerKind", kind)
