"""Reference controllers that know no target: what a policy must beat. `oracle` has the one that nothing beats."""

import numpy as np
from jaxtyping import Float

from sim_core.drive import ChooseForce
from sim_core.world import State


def zero_force(t: int, state: State, positions: Float[np.ndarray, "n time frames 2"]) -> Float[np.ndarray, "n 2"]:
    """Never pushes."""
    return np.zeros_like(state.position)


def random_force(seed: int) -> ChooseForce:
    """A controller that pushes with independent forces, uniform in [-1, 1]."""

    def choose_force(t: int, state: State, positions: Float[np.ndarray, "n time frames 2"]) -> Float[np.ndarray, "n 2"]:
        return np.random.default_rng([seed, t]).uniform(-1, 1, state.position.shape)

    return choose_force
