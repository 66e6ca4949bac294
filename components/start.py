"""What the trainings begin from."""

from kfp.dsl import Output

from components import artifacts
from components.component import component


@component
def start(
    start: dict,
    initial_world_model: Output[artifacts.WorldModel],
    initial_policy: Output[artifacts.Policy],
):
    """Copy the weights that the trainings begin from: those of the champion, else the pretrained ones, else none."""
    import sys

    from components.starting import write_start

    paths = initial_world_model.path, initial_policy.path
    said = write_start(start, initial_world_model.uri, *paths)
    if start:
        print(f"  the trainings begin from {said}", file=sys.stderr)
