// The world model as models/world_model.py has it: it filters what was observed, and dreams on.

// The last of some latents, each with the force of its timestep.
class Recent {
  constructor(past, latent) {
    this.latents = Array.from({ length: past }, () => new Float64Array(latent));
    this.forces = Array.from({ length: past }, () => new Float64Array(2));
    this.count = 0; // of all that there were
  }

  add(latent, force) {
    const place = this.count % this.latents.length;
    this.latents[place].set(latent);
    this.forces[place].set(force);
    this.count++;
  }

  // Calls `visit` with each latent and force, the oldest first.
  each(visit) {
    for (let i = Math.max(0, this.count - this.latents.length); i < this.count; i++) {
      const place = i % this.latents.length;
      visit(this.latents[place], this.forces[place]);
    }
  }
}

class Dream {
  // `program` as viewer/player/export.py writes it, `networks` as readNetworks makes them of it.
  constructor(program, networks) {
    this.networks = networks;
    this.horizon = program.horizon;
    this.state = networks.start().map((part) => Float64Array.from(part));
    const latent = networks.read(...this.state)[0].length;
    this.observed = new Recent(program.past, latent);
    this.imagined = new Recent(program.past, latent); // since it last saw what was observed
  }

  // Reality went on; the dream does not know until it wakes.
  observe(observation, force) {
    this.observed.add(this.networks.encode(observation)[0], force);
  }

  wake() {
    this.remember(this.filter(this.observed));
    this.imagined.count = 0;
  }

  // One timestep in which `force` acts. A state moved on for longer than in training is filtered anew.
  imagine(force) {
    const timesteps = this.imagined.count;
    if (timesteps && timesteps % this.horizon === 0) this.remember(this.filter(this.imagined));
    this.remember(this.networks.imagine(...this.state, force));
    this.imagined.add(this.networks.read(...this.state)[0], force);
  }

  // The frames of the timestep that was imagined last, one after the other.
  frames() {
    return this.networks.show(...this.state)[0];
  }

  // The state after the last of some timesteps, always from the start: one carried on for longer would drift.
  filter(recent) {
    let state = this.networks.start();
    recent.each((latent, force) => (state = this.networks.observe(...state, latent, force)));
    return state;
  }

  remember(state) {
    this.state.forEach((part, i) => part.set(state[i]));
  }
}
