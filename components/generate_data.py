"""The training set, one shard a run."""

from kfp.dsl import Output

from components import artifacts
from components.component import component


@component
def generate_data(shard: dict, episodes: Output[artifacts.Episodes]):
    """Simulate random episodes and render what the learners may see of them."""
    from components import storage
    from components.configuration import from_dict
    from components.shards import Shard
    from models.dataset import write_shard

    part = from_dict(Shard, shard)
    with storage.writing(episodes.path) as folder:
        part.require_room(folder)
        write_shard(folder, part.made(), part.world)
