"""What a step's outcome depends on, and outcomes that are written down, so that a step need not be run again.

Each execution has a `step.json` beside its outputs: its identity from when it begins, and what it put out once it has.
That is what a resumed run goes by. What other runs may take is found by the identity's key, in `<pipeline>/cache/`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components import storage
from components.fingerprint import digest
from pipelines.engine.contents import Contents
from pipelines.engine.values import Values

FORMAT = 1  # rises when step.json or the entries of the cache change their meaning; others are not taken
STEP, CACHE = "step.json", "cache"

Identity = dict[str, str]  # everything that an outcome depends on, by a name for people, each with a digest of it


def identity(
    code: Mapping[str, str],
    component: Any,
    environment: Mapping[str, str],
    inputs: Values,
    contents: Contents,
    threads: int,
) -> Identity:
    """What the outcome of a step depends on; of an input that `contents` does not know, only its URI.

    Args:
        code: of the component and all that it reaches, by name.
        component: its ComponentSpec, for what it declares.
        environment: the variables that its container is given.
        threads: the numbers that come out of a training depend on them.
    """
    declared = (component.input_definitions, component.output_definitions)
    depends = {f"{name} (code)": value for name, value in code.items()}
    depends["its declaration"] = digest(b"".join(each.SerializeToString(deterministic=True) for each in declared))
    depends["its environment"] = digest(json.dumps(sorted(environment.items())))
    depends["the number of threads"] = str(threads)
    for name, value in inputs.parameters.items():
        depends[f"{name} (parameter)"] = digest(json.dumps(value, sort_keys=True))
    for name, artifacts in inputs.artifacts.items():
        described = [
            [contents.of(made) or made["uri"], made["name"], made["type"], made["metadata"]] for made in artifacts
        ]
        depends[f"{name} (artifact)"] = digest(json.dumps(described, sort_keys=True))
    return depends


def key(identity: Identity) -> str:
    return digest(json.dumps(identity, sort_keys=True))


def differences(now: Identity, then: Identity) -> list[str]:
    """The names of what is not the same in two identities."""
    return [name for name in sorted({*now, *then}) if now.get(name) != then.get(name)]


@dataclass(frozen=True)
class Outcome:
    """An execution as its `step.json` has it.

    Attributes:
        run: the id of the run that the outputs are from.
        outputs: None as long as there are none.
        contents: the digest of each artifact's content, by URI.
    """

    identity: Identity
    run: str
    outputs: Values | None = None
    contents: dict[str, str] = field(default_factory=dict)


def write(execution: str, outcome: Outcome) -> None:
    """Write the `step.json` of the execution at a URI."""
    outputs = vars(outcome.outputs) if outcome.outputs else None
    storage.write_text(
        storage.join(execution, STEP), json.dumps({"format": FORMAT, **vars(outcome), "outputs": outputs})
    )


def read(execution: str) -> Outcome | None:
    """The outcome of the execution at a URI; None where none of this format can be read: the step is run again then."""
    facts = _read(storage.join(execution, STEP))
    try:
        outputs = None if facts["outputs"] is None else Values(**facts["outputs"])
        for artifact in [each for artifacts in outputs.artifacts.values() for each in artifacts] if outputs else []:
            _ = artifact["uri"], artifact["name"], artifact["type"]["schemaTitle"], dict(artifact["metadata"])
        return Outcome(dict(facts["identity"]), str(facts["run"]), outputs, dict(facts["contents"]))
    except (AttributeError, KeyError, TypeError, ValueError):  # it is of another hand
        return None


def remember(pipeline: str, place: str, outcome: Outcome) -> None:
    """Make a finished execution, `<task>/<execution>` of a run, known to other runs of the pipeline at a URI."""
    entry = {"format": FORMAT, "run": outcome.run, "execution": place}
    storage.write_text(_entry(pipeline, outcome.identity), json.dumps(entry))


def known(pipeline: str, identity: Identity) -> Outcome | None:
    """A finished outcome of the same identity, of whichever run. Whether its artifacts are there is yet to be seen."""
    facts = _read(_entry(pipeline, identity))
    if not (isinstance(facts.get("run"), str) and isinstance(facts.get("execution"), str)):
        return None
    outcome = read(storage.join(pipeline, facts["run"], *facts["execution"].split("/")))
    same = outcome and outcome.outputs and (outcome.identity, outcome.run) == (identity, facts["run"])
    return outcome if same else None


def forget(pipeline: str, run: str) -> dict[str, str]:
    """Remove what the cache says of a run; the texts that were there, by URI."""
    folder = storage.join(pipeline, CACHE)
    entries = [storage.join(folder, name) for name in storage.children(folder)]
    gone = {entry: storage.read_text(entry) or "" for entry in entries if _read(entry).get("run") == run}
    for entry in gone:
        storage.remove(entry)
    return gone


def forget_one(pipeline: str, outcome: Outcome) -> bool:
    """Remove an outcome from the cache; whether it was there."""
    entry = _entry(pipeline, outcome.identity)
    there = _read(entry).get("run") == outcome.run
    if there:
        storage.remove(entry)
    return there


def _entry(pipeline: str, identity: Identity) -> str:
    return storage.join(pipeline, CACHE, f"{key(identity)}.json")


def _read(uri: str) -> dict[str, Any]:
    """The facts in a file of this format; none of any other file, and where there is none."""
    try:
        facts = json.loads(storage.read_text(uri) or "{}")
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) and facts.get("format") == FORMAT else {}
