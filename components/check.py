"""The gate between the world model and whoever learns from it."""

from kfp.dsl import Input, Metrics, Output

from components import artifacts
from components.component import component


@component
def check(config: dict, world_model: Input[artifacts.WorldModel], metrics: Output[Metrics]):
    """Fail if the world model is too poor to teach a policy."""
    from components import storage
    from components.configuration import from_dict
    from components.training import failing_for_good, identity_of
    from models.checkpoint import load_world_model
    from models.config import CheckConfig
    from models.dream_figures import dream_errors
    from models.process import prepare
    from models.training import TrainingError
    from sim_core.world import World

    prepare()
    limits, world = from_dict(CheckConfig, config["check"]), from_dict(World, config["world"])
    judged = storage.verified(world_model.path)
    identity = identity_of("check", config, world_model=[judged])
    with failing_for_good(storage.Checkpoints(metrics.uri, identity)):
        model = load_world_model(judged)
        horizon, context, seed = limits.horizon, model.config.memory, int(config["seed"])
        errors = dream_errors(model, world, "validation", limits.episodes, context, horizon, seed)
        error = float(errors[:, -1].mean())
        if not error <= limits.largest_error:
            raise TrainingError(
                f"the world model is too poor to teach a policy: its dream is off by {error:.2f} px at horizon "
                f"{horizon}, at most {limits.largest_error:g} are allowed (check.largest_error)"
            )
    metrics.log_metric(f"dream_h{horizon}_px", error)
