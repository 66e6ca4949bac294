// Pictures: frames as the red, green and blue of a canvas with one pixel for each of the frame's.

function picture(canvas, size) {
  canvas.width = canvas.height = size;
  const context = canvas.getContext("2d");
  const image = context.createImageData(size, size);
  for (let i = 3; i < image.data.length; i += 4) image.data[i] = 255;
  // `channels` are the frames, or null, of red, green and blue; ImageData clips and rounds.
  return (channels) => {
    for (let channel = 0; channel < 3; channel++) {
      const frame = channels[channel];
      for (let i = 0, o = channel; i < size * size; i++, o += 4) image.data[o] = frame ? 255 * frame[i] : 0;
    }
    context.putImageData(image, 0, 0);
  };
}

function svg(parent, name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return parent.appendChild(element);
}

// The force, as an arrow from the block that is steered, and the brush under the pointer. Lengths are in px of a frame.
function marks(root, world) {
  root.setAttribute("viewBox", `0 0 ${world.size} ${world.size}`);
  const force = svg(root, "path", { class: "player-force" });
  const brush = svg(root, "rect", { class: "player-brush", width: world.block, height: world.block });
  return {
    force(from, [x, y]) {
      const length = Math.hypot(x, y);
      if (from === null || length < 0.02) {
        force.setAttribute("d", "");
        return;
      }
      const tip = [from[0] + (world.size / 5) * x, from[1] + (world.size / 5) * y];
      const [back, side] = [(0.8 * x) / length, (0.8 * y) / length];
      const barbs = [1, -1].map((sign) => [tip[0] - back + (sign * side) / 2, tip[1] - side - (sign * back) / 2]);
      force.setAttribute("d", `M${from}L${tip}M${barbs[0]}L${tip}L${barbs[1]}`);
    },
    brush(centre) {
      brush.style.visibility = centre ? "visible" : "hidden";
      if (!centre) return;
      brush.setAttribute("x", centre[0] - world.block / 2);
      brush.setAttribute("y", centre[1] - world.block / 2);
    },
  };
}
