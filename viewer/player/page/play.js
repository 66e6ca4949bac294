// The play: reality and, on the same forces, the dream. One call of step is one timestep.

class Play {
  // `program` as viewer/player/export.py writes it, `world` as sim_core.world.World.
  constructor(program, world) {
    const pixels = world.size * world.size;
    this.world = world;
    this.networks = readNetworks(program);
    this.dreamer = new Dream(program, this.networks);
    this.block = { position: [0, 0], velocity: [0, 0] };
    this.force = new Float64Array(2); // of the last timestep
    this.reality = Array.from({ length: world.frames }, () => new Float64Array(pixels));
    this.dream = Array.from({ length: world.frames }, () => new Float64Array(pixels));
    this.centres = this.reality.map(() => [0, 0]); // px, of the block in each frame
    this.apart = new Float64Array(world.frames); // px, of each frame
    this.observation = new Float64Array(world.frames * pixels);
    this.aim = this.networks.aim(this.reality[0])[0].slice(); // the latent of the target
  }

  // One timestep in which nothing pushes is observed; the dream goes on from it.
  restart(position, velocity) {
    this.block = { position: [...position], velocity: [...velocity] };
    this.dreamer.observed.count = 0;
    this.force.fill(0);
    this.move();
    this.sync();
  }

  // One timestep in which `force` acts, in both.
  step(force) {
    this.force.set(force);
    this.move();
    this.dreamer.imagine(this.force);
    const pixels = this.dreamer.frames();
    this.dream.forEach((frame, i) => frame.set(pixels.subarray(i * frame.length, (i + 1) * frame.length)));
    this.compare();
  }

  // The dream sees what was last observed, and is shown as that.
  sync() {
    this.dreamer.wake();
    this.dream.forEach((frame, i) => frame.set(this.reality[i]));
    this.compare();
  }

  // Timesteps since the dream last saw reality.
  get dreamed() {
    return this.dreamer.imagined.count;
  }

  // What the policy would push now, when it sees reality or only the dream.
  policy(seen) {
    const { state, observed } = this.dreamer;
    return this.networks.act(...(seen === "dream" ? state : this.dreamer.filter(observed)), this.aim, this.force)[0];
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
    this.dreamer.observe(this.observation, this.force);
  }

  compare() {
    this.dream.forEach((frame, i) => {
      this.apart[i] = distance(centroid(frame, this.world), this.centres[i], this.world);
    });
  }
}
