"""What is trained to see what it brings: the baseline, and variants that differ from it in one thing each.

Trainings are short, so that many fit into an hour: what matters is how they compare, not how good they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from viewer.learning import parts

SEEDS = (0, 1)
WORLD_MODEL, POLICY = "world_model", "policy"


@dataclass(frozen=True)
class Lengths:
    """How long every training is, in steps, and on how much it learns and is judged."""

    episodes: int = 4096  # of training data
    autoencoder_steps: int = 2000
    dynamics_steps: int = 4000
    decoder_steps: int = 400
    policy_steps: int = 1200
    dreams: int = 1000  # validation dreams that judge a world model
    goals: int = 500  # validation goals that judge a policy, and drawings


FULL = Lengths()
TINY = Lengths(
    episodes=64, autoencoder_steps=8, dynamics_steps=8, decoder_steps=4, policy_steps=4, dreams=8, goals=4
)  # to see in seconds that all works


@dataclass(frozen=True)
class Variant:
    """One training, by how it differs from the baseline of its learner."""

    name: str  # of its results
    learner: str
    group: str  # what of the learner it asks about
    label: str  # for a row of the table
    training: Mapping[str, Any] = field(default_factory=dict)  # of WorldModelTraining or PolicyTraining
    network: Mapping[str, Any] = field(default_factory=dict)  # of WorldModelConfig
    scaled: Mapping[str, float] = field(default_factory=dict)  # factors of lengths
    parts: Mapping[str, Any] = field(default_factory=dict)  # what stands in for what, as `replaced` takes it


def _model(name: str, group: str, label: str, **differences: Any) -> Variant:
    return Variant(name, WORLD_MODEL, group, label, **differences)


def _policy(name: str, group: str, label: str, **differences: Any) -> Variant:
    return Variant(f"policy-{name}" if name else POLICY, POLICY, group, label, **differences)


BASELINE = _model("baseline", "Baseline", "as it is")
POLICY_BASELINE = _policy("", "Baseline", "as it is")

_DECODED = {"models.train_policy.InnerEye": parts.DecodingEye}
_LOSS = "models.train_policy.target_distance"
_LEVEL = "models.train_world_model.LEVEL"
_FORCES = {"sim_core.episodes._forces": parts.independent_forces}

# The most telling first: a training that is cut off in the middle of the list has told most of it.
VARIANTS = (
    BASELINE,
    _model("one-step", "Rollouts", "trained one timestep ahead only", training={"horizons": (1, 1, 1)}),
    _model(
        "latents-back",
        "Rollouts",
        "each imagined latent fed back as an observation, in training and in dreams",
        parts={"models.world_model.WorldModel.dream": parts.dream_on_latents},
    ),
    _model("memory-1", "Memory", "1 observation remembered", network={"memory": 1}),
    _model("slow", "Data", "start velocities to ±1, as in the evaluation", parts=parts.start_velocity(1)),
    _model("independent", "Data", "independent forces only, as in the evaluation", parts=_FORCES),
    _model("eighth", "Data", "an eighth of the episodes", scaled={"episodes": 1 / 8}),
    _model(
        "adamw",
        "Optimizer",
        "AdamW at 0.002 in place of Muon",
        training={"autoencoder_rate": 0.002, "dynamics_rate": 0.002},
        parts={"models.optimizer.Muon": parts.AdamW},
    ),
    _model("no-average", "Averaging", "the last weights, not averaged ones", training={"average": 0.0}),
    _model(
        "plain-lstm",
        "Network",
        "an LSTM of 128 cells, without the residual branch and path",
        network={"lstm": 128},
        parts={"models.core.Branch": parts.LstmBranch, "models.core.Core.imagine": parts.imagine_anew},
    ),
    _model(
        "plain-encoder",
        "Network",
        "a plain convolutional encoder, without expected coordinates",
        parts={"models.world_model.Encoder": parts.PlainEncoder},
    ),
    _model("natural", "Latents", "as the encoder gives them, not levelled", parts={_LEVEL: 1.0}),
    _model("whitened", "Latents", "levelled until all of them vary alike", parts={_LEVEL: 0.0}),
    _model(
        "squared",
        "Loss",
        "the squared error of latents, not its logarithm",
        parts={"models.train_world_model.latent_loss": parts.squared_error},
    ),
    _model("double", "Length", "twice as many steps of the dynamics", scaled={"dynamics_steps": 2}),
    POLICY_BASELINE,
    _policy("pixels", "Loss", "cross-entropy of decoded pixels", parts={**_DECODED, _LOSS: parts.pixel_entropy}),
    _policy(
        "transport",
        "Loss",
        "transport distance of decoded frames, of the target too",
        parts={**_DECODED, _LOSS: parts.transport_distance},
    ),
    _policy("horizon-1", "Horizon", "1 timestep", training={"horizon": 1}),
    _policy("horizon-3", "Horizon", "3 timesteps", training={"horizon": 3}),
    _policy(
        "no-lead", "Start of a dream", "always from observations, never where the policy led", training={"lead": 0}
    ),
    _policy("no-shift", "Targets", "none shifted into a wall", training={"shift": 0}),
    _policy(
        "adamw",
        "Optimizer",
        "AdamW at 0.002 in place of Muon",
        training={"rate": 0.002},
        parts={"models.optimizer.Muon": parts.AdamW},
    ),
    _policy("no-average", "Averaging", "the last weights, not averaged ones", training={"average": 0.0}),
    _model("long", "Rollouts", "8 timesteps from the first step on", training={"horizons": (8, 8, 8)}),
    _model("short", "Rollouts", "2 timesteps to the end", training={"horizons": (2, 2, 2)}),
    _model("longer", "Rollouts", "4, 8 and at last 12 timesteps", training={"horizons": (4, 8, 12)}),
    _model("memory-2", "Memory", "2 observations remembered", network={"memory": 2}),
    _model("memory-8", "Memory", "8 observations remembered", network={"memory": 8}),
    _model(
        "as-judged",
        "Data",
        "start velocities and forces as in the evaluation",
        parts={**_FORCES, **parts.start_velocity(1)},
    ),
    _model("fast", "Data", "start velocities to ±3: more wall contacts", parts=parts.start_velocity(3)),
    _model(
        "adamw-fast",
        "Optimizer",
        "AdamW at 0.005",
        training={"autoencoder_rate": 0.005, "dynamics_rate": 0.005},
        parts={"models.optimizer.Muon": parts.AdamW},
    ),
    _model(
        "not-preconditioned",
        "Optimizer",
        "Muon on gradients as they are, at the rates that it is best at",
        training={"autoencoder_rate": 0.05, "dynamics_rate": 0.03},
        parts={"models.optimizer.due": parts.never},
    ),
    _model("absolute", "Loss", "the error of latents itself", training={"delta": 1e6}),
    _model(
        "frames-by-pixels",
        "Loss",
        "frames compared by cross-entropy only, without the transport distance",
        parts={"models.losses.transport": parts.no_transport},
    ),
    _model("decoder-untuned", "Length", "the decoder not tuned on dreams", scaled={"decoder_steps": 0}),
    _policy("horizon-16", "Horizon", "16 timesteps", training={"horizon": 16}),
)

BY_NAME = {variant.name: variant for variant in VARIANTS}
