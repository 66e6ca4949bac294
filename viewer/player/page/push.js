// Your pushes: the arrow keys, or a spring from the block to the pointer.

const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
// Halves the distance to the pointer in each timestep of four frames; in 1/frame² and 1/frame.
const STIFFNESS = 1 / 64;
const DAMPING = 0.21;

class Push {
  constructor() {
    this.keys = new Map(); // whether each is still held: one that was only tapped pushes for a timestep too
    this.pointer = null; // px
  }

  get active() {
    return this.keys.size > 0 || this.pointer !== null;
  }

  // Of the next timestep. `before` and `now` are where the block was seen in the last two frames, in px.
  force(before, now, world) {
    const sum = [0, 0];
    for (const [key, held] of this.keys) {
      DIRECTIONS[key].forEach((part, axis) => (sum[axis] += part));
      if (!held) this.keys.delete(key);
    }
    if (this.pointer !== null && before !== null && now !== null) {
      for (let axis = 0; axis < 2; axis++) {
        const pull = STIFFNESS * (this.pointer[axis] - now[axis]) - DAMPING * (now[axis] - before[axis]);
        sum[axis] += pull / world.force;
      }
    }
    return sum.map((part) => Math.min(Math.max(part, -1), 1));
  }

  lift(key) {
    if (this.keys.has(key)) this.keys.set(key, false);
  }

  release() {
    this.keys.clear();
    this.pointer = null;
  }
}
