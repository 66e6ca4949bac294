// The target: an image that is drawn with a brush of the block's size and shape.

class Target {
  constructor(world) {
    this.world = world;
    this.pixels = new Float64Array(world.size * world.size);
    this.stamp = new Float64Array(world.size * world.size);
    this.kept = new Float64Array(world.size * world.size); // what a stroke is drawn over
    this.drawn = false; // by strokes, or put there by a click
  }

  get empty() {
    return this.pixels.every((value) => value <= VISIBLE);
  }

  // A block, and nothing else.
  put(centre) {
    this.pixels.fill(0);
    this.drawn = false;
    this.draw(centre, centre);
  }

  // A press begins a stroke: as long as it does not move it puts the target there; then it adds to what was drawn.
  begin(centre) {
    if (this.drawn) this.kept.set(this.pixels);
    else this.kept.fill(0);
    this.put(centre);
  }

  stroke(from, to) {
    if (!this.drawn) this.kept.forEach((value, i) => (this.pixels[i] = Math.max(value, this.pixels[i])));
    this.drawn = true;
    this.draw(from, to);
  }

  draw(from, to) {
    this.along(from, to, (before, covered) => Math.max(before, covered));
  }

  erase(from, to) {
    this.along(from, to, (before, covered) => before * (1 - covered));
  }

  clear() {
    this.pixels.fill(0);
    this.drawn = false;
  }

  // By whole pixels, unless a part would leave the field. Without a target, one is put in the middle.
  shift(right, down) {
    const { size } = this.world;
    if (this.empty) {
      this.put([size / 2, size / 2]);
      return;
    }
    const moved = this.stamp.fill(0);
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        const value = this.pixels[row * size + column];
        if (value === 0) continue;
        const [x, y] = [column + right, row + down];
        if (x < 0 || y < 0 || x >= size || y >= size) return;
        moved[y * size + x] = value;
      }
    }
    this.pixels.set(moved);
  }

  // The brush, half a pixel at a time.
  along(from, to, blend) {
    const low = this.world.block / 2;
    const steps = Math.max(1, Math.ceil(2 * Math.hypot(to[0] - from[0], to[1] - from[1])));
    for (let i = 0; i <= steps; i++) {
      const centre = [0, 1].map((axis) => {
        const place = from[axis] + ((to[axis] - from[axis]) * i) / steps;
        return Math.min(Math.max(place, low), this.world.size - low);
      });
      render(centre, this.world, this.stamp);
      this.stamp.forEach((covered, pixel) => (this.pixels[pixel] = blend(this.pixels[pixel], covered)));
    }
  }
}
