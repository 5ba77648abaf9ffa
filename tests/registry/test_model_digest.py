"""What a model's folder amounts to."""

from pathlib import Path

import pytest

from rankloop.registry.pyfunc import model_digest


def made(folder: Path, **files: str) -> str:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return model_digest(folder)


def test_the_digest_of_a_folder_is_known(tmp_path: Path) -> None:
    expected = "34cb26bf890925c6f86ff7261ede79132c9f4957f8aba7790d8dffbc311cded9"
    assert made(tmp_path, model="{}", ranker="[1.5]") == expected


def test_a_folder_elsewhere_written_in_another_order_has_the_same_digest(tmp_path: Path) -> None:
    assert made(tmp_path / "a", x="1", y="2") == made(tmp_path / "b", y="2", x="1")


@pytest.mark.parametrize(
    "other",
    [{"x": "1", "y": "3"}, {"x": "1", "z": "2"}, {"x": "1"}, {"x": "2", "y": "1"}, {"x": "1", "y": "2", "z": ""}],
)
def test_any_change_of_a_folder_gives_another_digest(tmp_path: Path, other: dict[str, str]) -> None:
    assert made(tmp_path / "a", x="1", y="2") != made(tmp_path / "b", **other)
