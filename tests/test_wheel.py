"""What a production install holds: the library and its command, and nothing of the demo."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[1]
RUN = "import sys; sys.path[:0] = sys.argv.pop(1).split(','); from rankloop.cli.main import main; main()"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the library, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT], check=True)
    [built] = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_holds_no_simulator_no_stack_and_no_demo(wheel: Path) -> None:
    packages = {path.name for path in wheel.iterdir() if path.is_dir() and not path.name.endswith(".dist-info")}
    assert packages == {"rankloop"}
    folders = {path.name for path in (wheel / "rankloop").iterdir() if path.is_dir()}
    assert not folders & {"simulator", "stack", "demo"}


def test_the_command_works_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    others = tmp_path / "others"
    others.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "rankloop" not in path.name:
            (others / path.name).symlink_to(path)
    # Without `site`, no editable install is found either.
    answer = subprocess.run(
        [sys.executable, "-S", "-c", RUN, f"{wheel},{others}", "--help"],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert "simulator" not in answer.stdout
    for group in ("features", "lake", "model", "ledger", "alerts"):
        assert group in answer.stdout
