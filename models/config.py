"""What the networks and their trainings are made of. No torch here: the pipeline's `plan` step reads this alone."""

from dataclasses import dataclass, fields

MOST_SHARDS = 128  # the files that a training keeps open, of which macOS allows 256
MOST_LAYERS = 64  # each is a module, which takes memory before a file's weights are looked at


def require_at_least(config, least: int, *names: str) -> None:
    """Raise ValueError for the first of the config's fields `names` that is no whole number of at least `least`."""
    for name in names:
        value = getattr(config, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")


@dataclass(frozen=True)
class DataConfig:
    """How much random data the learners get."""

    seed: int = 0
    episodes: int = 8192
    timesteps: int = 16  # after the first
    shards: int = 4  # made in parallel
    original_share: float = 0.0  # of the episodes, that start and are pushed as the original's
    endless: bool = False  # each batch of the dynamics is of new episodes, that follow on those of the shards

    def __post_init__(self):
        require_at_least(self, 0, "seed")
        require_at_least(self, 1, "episodes", "timesteps", "shards")
        if not 0 <= self.original_share <= 1:
            raise ValueError(f"original_share must be at least 0 and at most 1, got {self.original_share!r}")
        if not isinstance(self.endless, bool):
            raise ValueError(f"endless must be true or false, got {self.endless!r}")
        if self.shards > MOST_SHARDS:
            raise ValueError(f"shards must be at most {MOST_SHARDS}, got {self.shards}")
        if self.shards > self.episodes:
            raise ValueError(f"shards must be at most the number of episodes ({self.episodes}), got {self.shards}")


@dataclass(frozen=True)
class WorldModelConfig:
    """The world model's architecture. `size` and `frames` are the world's and follow it."""

    size: int = 32  # px, height and width of a frame
    frames: int = 4  # frames per timestep
    maps: int = 16  # feature maps of the encoder, each read as a coordinate
    latent: int = 32  # numbers that describe an observation
    hidden: int = 64  # width of the decoder's hidden layers
    rank: int = 8  # outer products that make a frame
    state: int = 64  # numbers on the residual path of the recurrent state
    lstm: int = 64  # cells of the LSTM
    mlp: int = 128  # width of the residual branch
    depth: int = 2  # hidden layers of the residual branch
    memory: int = 4  # observations that a state is filtered from at most: in training, dreams and control alike
    refinements: int = 0  # passes over all of them at once that correct a state of as many: what whole pixels need

    def __post_init__(self):
        require_at_least(self, 1, *(field.name for field in fields(self) if field.name != "refinements"))
        require_at_least(self, 0, "refinements")
        for name in ("depth", "refinements"):
            if getattr(self, name) > MOST_LAYERS:
                raise ValueError(f"{name} must be at most {MOST_LAYERS}, got {getattr(self, name)}")


@dataclass(frozen=True)
class WorldModelTraining:
    """How the world model is trained: the autoencoder, the dynamics of its latents, and the decoder on dreams."""

    seed: int = 0
    autoencoder_steps: int = 6000
    autoencoder_batch: int = 64  # observations
    autoencoder_rate: float = 0.04  # Muon's learning rate
    dynamics_steps: int = 9000
    dynamics_batch: int = 256  # sequences
    dynamics_rate: float = 0.01
    horizons: tuple[int, ...] = (2, 4, 8)  # timesteps dreamed in the first tenth, until six tenths, and then
    decoder_steps: int = 1500  # of the autoencoder's batch and rate
    delta: float = 0.03  # latent error, in standard deviations, from which the loss grows like a logarithm
    lost: float = 10.0  # latent error after which a dream teaches nothing more; none is off by ten standard deviations
    average: float = 0.999  # decay of the averaged weights, which are the ones that are kept

    def __post_init__(self):
        require_at_least(self, 0, "seed")
        require_at_least(self, 1, "autoencoder_steps", "autoencoder_batch", "dynamics_steps", "dynamics_batch")
        require_at_least(self, 1, "decoder_steps")
        _check_rates(self, "autoencoder_rate", "dynamics_rate")
        if len(self.horizons) != 3 or min(self.horizons) < 1:
            raise ValueError(f"horizons must be three numbers of at least 1, got {self.horizons!r}")
        for name in ("delta", "lost"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)!r}")
        if not 0 <= self.average < 1:
            raise ValueError(f"average must be at least 0 and below 1, got {self.average!r}")


@dataclass(frozen=True)
class CheckConfig:
    """When a world model is good enough to teach a policy."""

    episodes: int = 300  # of the validation set
    horizon: int = 5  # timesteps
    largest_error: float = 5.0  # px, mean centroid error at the horizon; copying the last frame is off by 14

    def __post_init__(self):
        require_at_least(self, 1, "episodes", "horizon")
        if not self.largest_error > 0:
            raise ValueError(f"largest_error must be above 0, got {self.largest_error!r}")


@dataclass(frozen=True)
class PolicyConfig:
    """The policy's architecture."""

    hidden: int = 128  # width of its two hidden layers

    def __post_init__(self):
        require_at_least(self, 1, "hidden")


@dataclass(frozen=True)
class PolicyTraining:
    """How the policy is trained through the dream."""

    seed: int = 0
    steps: int = 3000
    batch: int = 64  # dreams
    rate: float = 0.007  # Muon's learning rate
    horizon: int = 8  # timesteps from the start to the last that is scored
    lead: int = 8  # timesteps that it dreams at most before the start: what it brings about, it has to master
    shift: int = 2  # px by which targets are moved at most, even into a wall
    average: float = 0.999  # decay of the averaged weights, which are the ones that are kept

    def __post_init__(self):
        require_at_least(self, 0, "seed", "lead", "shift")
        require_at_least(self, 1, "steps", "batch", "horizon")
        _check_rates(self, "rate")
        if not 0 <= self.average < 1:
            raise ValueError(f"average must be at least 0 and below 1, got {self.average!r}")


@dataclass(frozen=True)
class EvaluationConfig:
    """How much is evaluated."""

    episodes: int = 1000  # for the dreams, and as many goals
    horizon: int = 25  # timesteps dreamed
    timesteps: int = 50  # for which a goal is pursued

    def __post_init__(self):
        require_at_least(self, 1, "episodes", "horizon")
        require_at_least(self, 10, "timesteps")


def _check_rates(config, *names: str) -> None:
    for name in names:
        if not 0 < getattr(config, name) <= 1:
            raise ValueError(f"{name} must be above 0 and at most 1, got {getattr(config, name)!r}")
