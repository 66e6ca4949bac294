"""What is in the artifacts of a run: a digest of each, and how they come to this machine and away from it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from components import storage
from components.fingerprint import digest
from pipelines.engine.values import Artifact, Values

NOTHING = "nothing"  # the content of an artifact that is metadata alone, such as system.Metrics


@dataclass
class Contents:
    """What is in the artifacts below a root, as one digest each; read once, or known from whoever made them.

    `scratch` is the local folder for what is not local.
    """

    root: str
    scratch: Path
    known: dict[str, str] = field(default_factory=dict)

    def has(self, uri: str) -> bool:
        """Whether it lies below the root, where only runs write."""
        return uri.startswith(f"{self.root}/")

    def of(self, artifact: Artifact) -> str | None:
        """The digest; None for what lies elsewhere or is damaged."""
        uri = artifact["uri"]
        if uri not in self.known and self.has(uri):
            found = self._there(uri)
            self.known |= {uri: found} if found else {}
        return self.known.get(uri)

    def know(self, inputs: Values) -> bool:
        """Whether all artifacts among a step's inputs lie where they cannot change unseen."""
        return all(self.of(artifact) for artifacts in inputs.artifacts.values() for artifact in artifacts)

    def made(self, uri: str) -> str:
        """The digest of what a step has just left on this machine, to be published at `uri`."""
        self.known[uri] = _digest(storage.local(uri, self.scratch))
        return self.known[uri]

    def are_still(self, contents: Mapping[str, str]) -> bool:
        """Whether the artifacts with these URIs are as they were, every byte of them."""
        if all(expected == NOTHING or self._there(uri) == expected for uri, expected in contents.items()):
            self.known |= contents
            return True
        return False

    def fetch(self, artifacts: Iterable[Artifact]) -> None:
        """Bring to this machine what is not here, where a step will look for it."""
        for uri in {artifact["uri"] for artifact in artifacts}:
            from_there = uri.partition("://")[0] == self.root.partition("://")[0]
            if from_there and self.known.get(uri) != NOTHING and not storage.local(uri, self.scratch).exists():
                storage.fetch(uri, storage.local(uri, self.scratch))

    def publish(self, outputs: Values, place: str) -> None:
        """Bring what a step has left on this machine to where it shall lie, as far as that is below `place`."""
        for uri in {artifact["uri"] for artifacts in outputs.artifacts.values() for artifact in artifacts}:
            if uri.startswith(f"{place}/") and storage.local(uri, self.scratch).exists():
                storage.publish(storage.local(uri, self.scratch), uri)

    def _there(self, uri: str) -> str | None:
        try:
            manifest = storage.read_manifest(uri)
            if manifest is not None:
                return digest(manifest) if storage.whole(uri) else None
            if not storage.exists(uri):
                return NOTHING
            return _digest(storage.fetch(uri, storage.local(uri, self.scratch)))
        except ValueError:  # it is damaged
            return None


def _digest(path: Path) -> str:
    """Of an artifact on this machine: of its manifest, which has the checksums, or else of all that there is."""
    if not path.exists():
        return NOTHING
    if path.is_file():
        return digest(path.read_bytes())
    if (manifest := storage.read_manifest(str(path))) is not None:
        return digest(manifest)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return digest(json.dumps([[str(file.relative_to(path)), digest(file.read_bytes())] for file in files]))
