"""The types of what flows between components. KFP refuses at compile time to wire one where another belongs.

In signatures they are named through this module, `Input[artifacts.WorldModel]`: KFP copies the import of what stands
first in the annotation into the source that it ships, and inside of a list it would find the list.
"""

from kfp import dsl


class Episodes(dsl.Artifact):
    """A shard of the training set: frames and forces, as `models.dataset` writes and reads them."""

    schema_title = "system.DreamblockEpisodes"
    schema_version = "0.0.1"


class WorldModel(dsl.Artifact):
    """The weights of a world model, its architecture, and the figures of its training."""

    schema_title = "system.DreamblockWorldModel"
    schema_version = "0.0.1"


class Policy(dsl.Artifact):
    """The weights of a policy, its architecture and its world model's, and the figures of its training."""

    schema_title = "system.DreamblockPolicy"
    schema_version = "0.0.1"


class Evaluation(dsl.Artifact):
    """`evaluation.json`, the films `model.gif` and `policy.gif`, and `report.html`."""

    schema_title = "system.DreamblockEvaluation"
    schema_version = "0.0.1"


Shards = list[Episodes]
