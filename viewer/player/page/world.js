// The world: physics and rasteriser, as sim_core/world.py and sim_core/raster.py have them.

const VISIBLE = 0.1; // pixel values up to here are background to the centroid

// One frame: the block moves on in place while `force` acts.
function advance(block, force, world) {
  const low = world.block / 2;
  const high = world.size - low;
  for (let axis = 0; axis < 2; axis++) {
    const before = block.velocity[axis];
    let velocity = before + force[axis] * world.force - before * world.drag;
    let position = block.position[axis] + velocity;
    while (position < low || position > high) {
      position = 2 * (position < low ? low : high) - position;
      velocity = -velocity;
    }
    block.position[axis] = position;
    block.velocity[axis] = velocity;
  }
}

// The frame of a block at a position, into an array of size x size numbers; returns the centre that an eye finds in it.
function render(position, world, frame) {
  const low = world.block / 2;
  const [column, row] = position.map((centre) => (world.raster === "pixel" ? nearestEven(centre - low) : centre - low));
  // Along each axis the block covers block + 1 pixels, the first and the last of them in part.
  const left = Math.min(Math.floor(column), world.size - world.block - 1);
  const top = Math.min(Math.floor(row), world.size - world.block - 1);
  frame.fill(0);
  for (let i = 0; i <= world.block; i++) {
    for (let j = 0; j <= world.block; j++) {
      frame[(top + i) * world.size + left + j] = share(i, row - top, world) * share(j, column - left, world);
    }
  }
  return [column + low, row + low];
}

function share(pixel, spill, world) {
  if (pixel === 0) return 1 - spill;
  return pixel === world.block ? spill : 1;
}

// As NumPy rounds: halves to the even neighbour.
function nearestEven(number) {
  const rounded = Math.round(number);
  return rounded - number === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

// Where the mass of a frame lies, in px, or null where nothing is to be seen.
function centroid(frame, world) {
  let mass = 0;
  let x = 0;
  let y = 0;
  for (let row = 0, i = 0; row < world.size; row++) {
    for (let column = 0; column < world.size; column++, i++) {
      const value = frame[i] - VISIBLE;
      if (value <= 0) continue;
      mass += value;
      x += value * (column + 0.5);
      y += value * (row + 0.5);
    }
  }
  return mass > 0 ? [x / mass, y / mass] : null;
}

// In px; a frame without a block counts as half the diagonal.
function distance(one, other, world) {
  if (one === null || other === null) return world.size / Math.SQRT2;
  return Math.hypot(one[0] - other[0], one[1] - other[1]);
}
