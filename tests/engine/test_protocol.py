"""Nothing outside the engine's package knows which engines there are."""

from pathlib import Path

import rankloop

LIBRARY = Path(rankloop.__file__).parent
ENGINES = ("DuckEngine", "SparkEngine")


def test_nothing_outside_the_engines_package_names_an_engine() -> None:
    files = [path for path in LIBRARY.rglob("*.py") if path.parent != LIBRARY / "engine"]
    named = {str(path.relative_to(LIBRARY)): name for path in files for name in ENGINES if name in path.read_text()}
    assert len(files) > 100
    assert named == {}
