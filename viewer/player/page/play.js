// The play: reality and, on the same forces, the dream. One call of step is one timestep.

class Play {
  // `program` as viewer/player/export.py writes it, `world` as sim_core.world.World.
  constructor(program, world) {
    const pixels = world.size * world.size;
    this.world = world;
    this.networks = readNetworks(program);
    this.block = { position: [0, 0], velocity: [0, 0] };
    this.force = new Float64Array(2); // of the last timestep
    this.reality = Array.from({ length: world.frames }, () => new Float64Array(pixels));
    this.dream = Array.from({ length: world.frames }, () => new Float64Array(pixels));
    this.centres = this.reality.map(() => [0, 0]); // px, of the block in each frame
    this.apart = new Float64Array(world.frames); // px, of each frame
    this.observation = new Float64Array(world.frames * pixels);
    this.state = this.networks.start().map((part) => Float64Array.from(part)); // the dream's
    this.latents = Array.from({ length: program.past }, () => this.networks.encode(this.observation)[0].slice());
    this.forces = Array.from({ length: program.past }, () => new Float64Array(2));
    this.aim = this.networks.aim(this.reality[0])[0].slice(); // the latent of the target
  }

  // One timestep in which nothing pushes is observed; the dream goes on from it.
  restart(position, velocity) {
    this.block = { position: [...position], velocity: [...velocity] };
    this.observed = 0;
    this.force.fill(0);
    this.move();
    this.sync();
  }

  // One timestep in which `force` acts, in both.
  step(force) {
    this.force.set(force);
    this.move();
    this.remember(this.networks.imagine(...this.state, this.force));
    const pixels = this.networks.show(...this.state)[0];
    this.dream.forEach((frame, i) => frame.set(pixels.subarray(i * frame.length, (i + 1) * frame.length)));
    this.dreamed++;
    this.compare();
  }

  // The dream sees what was last observed, and is shown as that.
  sync() {
    this.remember(this.filter());
    this.dream.forEach((frame, i) => frame.set(this.reality[i]));
    this.dreamed = 0; // timesteps since it last saw reality
    this.compare();
  }

  // The state after the last observations, always from the start: one carried on for longer would drift.
  filter() {
    const past = Math.min(this.observed, this.latents.length);
    const places = Array.from({ length: past }, (_, i) => (this.observed - past + i) % this.latents.length);
    let state = this.networks.start();
    for (const place of places) state = this.networks.observe(...state, this.latents[place], this.forces[place]);
    if (!this.networks.refine || past < this.latents.length) return state;
    const [latents, forces] = [this.latents, this.forces].map((all) => places.flatMap((place) => [...all[place]]));
    return this.networks.refine(...state, latents, forces);
  }

  // What the policy would push now, when it sees reality or only the dream.
  policy(seen) {
    return this.networks.act(...(seen === "dream" ? this.state : this.filter()), this.aim, this.force)[0];
  }

  setTarget(target) {
    this.aim.set(this.networks.aim(target)[0]);
  }

  move() {
    this.reality.forEach((frame, i) => {
      advance(this.block, this.force, this.world);
      this.centres[i] = render(this.block.position, this.world, frame);
      this.observation.set(frame, i * frame.length);
    });
    const place = this.observed % this.latents.length;
    this.latents[place].set(this.networks.encode(this.observation)[0]);
    this.forces[place].set(this.force);
    this.observed++;
  }

  remember(state) {
    this.state.forEach((part, i) => part.set(state[i]));
  }

  compare() {
    this.dream.forEach((frame, i) => {
      this.apart[i] = distance(centroid(frame, this.world), centroid(this.reality[i], this.world), this.world);
    });
  }
}
