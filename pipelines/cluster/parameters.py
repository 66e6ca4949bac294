"""The parameters of a run on the cluster, checked before anything is sent."""

from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import ParseDict
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec

from components.champions import require_name
from components.configuration import resolve
from components.placement import require_equal_parts
from pipelines.assignments import named, plain_value
from pipelines.engine.parameters import check_parameters, parse_parameter
from pipelines.engine.spec import Spec
from pipelines.gpus import require_offered

OURS = ("preset", "seed", "overrides", "champion")  # of the pipeline's parameters, those that have options of their own


@dataclass(frozen=True)
class Wanted:
    """What was asked for.

    Attributes:
        parameters: the pipeline's, as values.
        others: more of them by NAME=VALUE, as texts; what types they have, the version on the cluster says.
    """

    parameters: dict[str, Any]
    others: dict[str, str]


def wanted(preset: str | None, seed: int | None, champion: str, assignments: list[str]) -> Wanted:
    """The parameters that options ask for; a name with a dot is a setting, any other a parameter of the pipeline.

    Args:
        champion: "" for none.

    Raises:
        ValueError: there is no such preset or setting, or a value is not allowed.
    """
    texts = dict(named(assignments))
    for name in OURS & texts.keys():
        own = "--preset, --seed, --champion and --set PART.NAME"
        raise ValueError(f"{name} is not set by --set: it has options of its own, {own}")
    if champion:
        require_name(champion)
        if seed is not None:
            raise ValueError(
                f"--seed does not go with the champion {champion}, whose runs take fresh seeds from the clock: leave "
                'one out, the champion with --champion ""'
            )
    overrides = {name: plain_value(text) for name, text in texts.items() if "." in name}
    resolve("laptop" if preset is None else preset, seed or 0, overrides)
    given = {"preset": preset, "seed": seed, "overrides": overrides or None, "champion": champion or None}
    return Wanted(
        {name: value for name, value in given.items() if value is not None},
        {name: text for name, text in texts.items() if "." not in name},
    )


def for_version(asked: Wanted, spec: dict[str, Any]) -> dict[str, Any]:
    """The parameters as the version with this spec takes them; what is not asked for is left to its defaults.

    Raises:
        ValueError: it has no such parameter, the nearest is named; a value is of another type; or GKE has no such GPUs,
            or the batches cannot be shared by so many.
    """
    if "root" not in spec:  # the cluster does not tell what the version takes, and checks it itself
        return asked.parameters | {name: plain_value(text) for name, text in asked.others.items()}
    compiled = Spec(ParseDict(spec, PipelineSpec(), ignore_unknown_fields=True), {})
    given = asked.parameters | {name: parse_parameter(compiled, name, text) for name, text in asked.others.items()}
    values = check_parameters(compiled, given)
    if values.get("gpu_type"):  # else it was compiled for no cluster
        require_offered(values["gpu_type"], values["gpus"])
        require_equal_parts(resolve(values["preset"], values["seed"], values["overrides"]), values["gpus"])
    return given
