"""The last word on a run: figures, films and the report."""

from kfp.dsl import HTML, Input, Metrics, Output

from components import artifacts
from components.component import component


@component
def evaluate(
    configuration: dict,
    run_id: str,
    world_model: Input[artifacts.WorldModel],
    policy: Input[artifacts.Policy],
    evaluation: Output[artifacts.Evaluation],
    report: Output[HTML],
    metrics: Output[Metrics],
):
    """Score the dream and the policy on episodes of their own, film them, and put all of it into a report."""
    from components import storage
    from components.configuration import Configuration, from_dict
    from components.progress import progress
    from components.run_times import run_times
    from components.write_evaluation import headlines, write_evaluation
    from models.process import prepare

    prepare()
    config = from_dict(Configuration, configuration)
    model, pilot = storage.verified(world_model.path), storage.verified(policy.path)
    artifacts = {"world model": world_model.uri, "policy": policy.uri, "evaluation": evaluation.uri}
    facts = {"run_id": run_id, **run_times(evaluation.uri), "artifacts": artifacts}
    with progress() as show, storage.writing(evaluation.path) as folder:
        figures, page = write_evaluation(model, pilot, config, facts, folder, show)
    storage.write_text(report.path, page)
    for name, value in headlines(figures).items():
        metrics.log_metric(name, value)
