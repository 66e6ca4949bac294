"""What the trainings begin from."""

from kfp.dsl import Output

from components import artifacts
from components.component import component


@component
def start(
    start: dict,
    initial_world_model: Output[artifacts.WorldModel],
    initial_policy: Output[artifacts.Policy],
    start_from: str = "",
):
    """Copy the weights that the trainings begin from: those of the champion, else the pretrained ones, else none.

    A run `start_from` that there is not is refused here, before a training waits for its GPU.
    """
    import sys

    from components.starting import write_start
    from components.storage import require_run

    if start_from:
        require_run(initial_world_model.uri, start_from)
    paths = initial_world_model.path, initial_policy.path
    said = write_start(start, initial_world_model.uri, *paths)
    if start:
        print(f"  the trainings begin from {said}", file=sys.stderr)
