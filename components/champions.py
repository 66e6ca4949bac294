"""Champions: of a lineage of runs the best weights so far, `<root>/champions/<lineage>/`.

There each that was promoted, or nearly, has an immutable folder, an artifact: both networks, the figures that it was
judged by, and where it came from. Which of them is the champion says one small file, and no folder is ever removed. Of
two runs that change that file at once, one does, and the other is told.
"""

import json
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from components import storage
from components.fingerprint import digest
from components.storage import MANIFEST

FORMAT = 1  # rises when the pointer or the folders change their meaning; a newer one is refused
FOLDER, POINTER = "champions", "champion.json"
EVALUATION, ORIGIN = "evaluation.json", "origin.json"  # in a champion's folder, beside the weights
NAME = re.compile(r"\w[\w.-]*")


class Weights(NamedTuple):
    """The folders of a world model and of its policy."""

    world_model: Path
    policy: Path


@dataclass(frozen=True)
class Pointer:
    """What the file of a lineage says.

    Attributes:
        champion: the name of its folder, "" if there is none yet.
        number: how many champions there have been.
        version: of the file.
    """

    champion: str
    number: int
    version: str


@dataclass(frozen=True)
class Lineage:
    """The champions of one name, below the root that the URI of a step's output is of.

    Raises:
        ValueError: a method finds something that no run has left there; one sentence.
    """

    name: str
    output: str

    @property
    def uri(self) -> str:
        return storage.join(self.output.rsplit("/", 5)[0], FOLDER, self.name)

    def pointer(self) -> Pointer:
        text, version = storage.read_version(storage.join(self.uri, POINTER))
        if text is None:
            return Pointer("", 0, version)
        damaged = ValueError(f"{storage.join(self.uri, POINTER)} does not say which champion there is: {text!r:.80}")
        try:
            facts = json.loads(text)
            found, champion = facts["format"], facts["champion"]
            number = int(champion.partition("-")[0])
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            raise damaged from None
        if type(found) is not int or not NAME.fullmatch(champion):
            raise damaged
        if found > FORMAT:
            raise ValueError(f"the champion {self.name} has format {found}, newer than the {FORMAT} that is read here")
        return Pointer(champion, number, version)

    def fetch(self, champion: str, folder: Path) -> Weights:
        """Bring the weights of a champion into an existing folder."""
        try:
            found = storage.verified(storage.fetch(storage.join(self.uri, champion), folder / "as-kept"))
        except ValueError as error:
            begin = f"name another champion, or remove {storage.join(self.uri, POINTER)} to begin anew"
            raise ValueError(f"the champion {self.name} cannot be used: {error}; {begin}") from error
        weights = Weights(*(folder / part for part in Weights._fields))
        for part, place in weights._asdict().items():
            place.mkdir()
            for file in found.glob(f"{part}.*"):
                shutil.copy(file, place / file.name.removeprefix(f"{part}."))
        return weights

    def add(self, champion: str, weights: Weights, evaluation: Path, origin: dict[str, Any]) -> None:
        """Write the folder of one that is to be champion. One that is there already is the same."""
        uri = storage.join(self.uri, champion)
        if storage.whole(uri):
            return
        with tempfile.TemporaryDirectory() as scratch:
            place = storage.local(uri, Path(scratch))
            with storage.writing(place) as folder:
                for part, source in weights._asdict().items():
                    for file in source.iterdir():
                        if storage.is_part(file):
                            shutil.copy(file, folder / f"{part}.{file.name}")
                shutil.copy(evaluation / EVALUATION, folder / EVALUATION)
                (folder / ORIGIN).write_text(json.dumps({"format": FORMAT, **origin}, indent=1, allow_nan=False))
            storage.publish(place, uri)

    def crown(self, champion: str, before: Pointer) -> bool:
        """Make it the champion, unless another was made so since `before`: whether it is."""
        text = json.dumps({"format": FORMAT, "champion": champion})
        try:
            storage.replace_text(storage.join(self.uri, POINTER), text, before.version)
        except FileExistsError:
            return False
        return True


def folder_name(number: int, run_id: str, weights: Weights) -> str:
    """The name of a champion: its number, the run that it is of, and a digest of the weights, which are artifacts."""
    content = digest("".join((place / MANIFEST).read_text(encoding="utf-8") for place in weights))
    return f"{number:04}-{run_id}-{content[:8]}"


def require_name(name: str) -> None:
    """Raise a ValueError if a champion cannot be called so."""
    if not NAME.fullmatch(name):
        raise ValueError(f"a champion's name is made of letters, digits, dots, dashes and underscores, got {name!r}")


def seed_for(champion: str, seed: int) -> int:
    """The seed of a run: as it was given or, for a champion, one that no run before had, for data that is new.

    Raises:
        ValueError: there is a champion, whose name is none, or a seed was given as well.
    """
    if not champion:
        return seed
    require_name(champion)
    if seed:
        raise ValueError(
            f"a run for the champion {champion} takes a fresh seed from the clock, and none that is given, got {seed}"
        )
    return fresh_seed()


def fresh_seed() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 10**6
