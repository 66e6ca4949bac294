"""Whether the run's weights are the best so far."""

from kfp.dsl import Input, Markdown, Metrics, Output

from components import artifacts
from components.component import component


@component
def promote(
    configuration: dict,
    champion: str,
    run_id: str,
    world_model: Input[artifacts.WorldModel],
    policy: Input[artifacts.Policy],
    evaluation: Input[artifacts.Evaluation],
    verdict: Output[Markdown],
    metrics: Output[Metrics],
):
    """Make the run's weights the champion if they beat it; without the name of one do nothing."""
    from components import storage
    from components.champions import Lineage, Weights
    from components.configuration import Configuration, from_dict
    from components.promotion import judge
    from models.process import prepare

    said = "No champion was named, and nothing is promoted."
    if champion:
        prepare()
        config = from_dict(Configuration, configuration)
        weights = Weights(storage.verified(world_model.path), storage.verified(policy.path))
        judged = judge(Lineage(champion, metrics.uri), run_id, config, weights, storage.verified(evaluation.path))
        said = judged.said
        for name, value in judged.figures.items():
            metrics.log_metric(name, value)
    storage.write_text(verdict.path, said + "\n")
