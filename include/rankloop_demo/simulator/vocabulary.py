"""The words of the marketplace: its category tree, what products and buyers are called, where buyers live."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]

STEADY, TET, BACK_TO_SCHOOL = range(3)
_SEASONS = {"steady": STEADY, "tet": TET, "back_to_school": BACK_TO_SCHOOL}


@dataclass(frozen=True)
class Vocabulary:
    """The category tree flattened to its leaves, and every word a product name can hold."""

    path: list[str]
    """By leaf: `1/2/1001/3001`."""
    department: Ints
    """By leaf: which department it is in, counted from 0."""
    sub: Ints
    """By leaf: which sub-department it is in, counted from 0."""
    season: Ints
    """By leaf: STEADY, TET or BACK_TO_SCHOOL."""
    price: Floats
    """By leaf: the median price in dong."""
    noun: Ints
    """By leaf: the word every name in it begins with."""
    words: list[str]
    """By word: how it is written, the syllables joined by `_`."""
    sub_words: list[Ints]
    """By sub-department: the words its names are made of."""
    everywhere: Ints
    """The words that any name may hold."""
    people: dict[str, Any]
    """What buyers are called and where they live."""

    @property
    def leaves(self) -> int:
        """Return how many leaves the tree has."""
        return len(self.path)


@cache
def vocabulary() -> Vocabulary:
    """Read the vocabulary from the file beside this module."""
    raw = json.loads(files(__package__).joinpath("vocabulary.json").read_text(encoding="utf-8"))
    number: dict[str, int] = {}

    def word(text: str) -> int:
        return number.setdefault(text, len(number))

    sub_words: list[Ints] = []
    rows: list[tuple[str, int, int, int, int, int]] = []
    for department, entry in enumerate(raw["departments"]):
        for sub in entry["subs"]:
            for leaf in sub["leaves"]:
                leaf_path = f"1/{entry['id']}/{sub['id']}/{leaf['id']}"
                season = _SEASONS[entry["season"]]
                rows.append((leaf_path, department, len(sub_words), season, leaf["price"], word(leaf["noun"])))
            sub_words.append(np.array([word(text) for text in sub["words"]]))
    everywhere = np.array([word(text) for text in raw["everywhere"]])
    path, department_of, sub_of, season_of, price, noun = zip(*rows, strict=True)
    return Vocabulary(
        path=list(path),
        department=np.array(department_of),
        sub=np.array(sub_of),
        season=np.array(season_of),
        price=np.array(price, dtype=np.float64),
        noun=np.array(noun),
        words=list(number),
        sub_words=sub_words,
        everywhere=everywhere,
        people={key: raw[key] for key in ("last_names", "middle_names", "first_names", "cities", "wards")},
    )
