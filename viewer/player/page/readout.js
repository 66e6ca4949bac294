// What is shown: the pictures, the numbers beside them, the buttons' state and the sentence that says who does what.

function readout(board, world) {
  const part = (name) => board.querySelector(`[data-part="${name}"]`);
  const [field, reality, dream] = ["field", "reality", "dream"].map((name) => picture(part(name), world.size));
  const overlay = marks(part("marks"), world);

  return {
    brush: overlay.brush,
    plot: curve(part("curve"), world),

    // One frame of the timestep, with the block that is steered at `steered`.
    show(play, target, frame, steered) {
      const [real, dreamt] = [play.reality[frame], play.dream[frame]];
      field([dreamt, real, target.pixels]);
      reality([null, real, null]);
      dream([dreamt, null, null]);
      overlay.force(steered, play.force);
      const far = target.empty ? null : distance(steered, centroid(target.pixels, world), world);
      part("apart").textContent = `${play.apart[frame].toFixed(2)} px`;
      part("distance").textContent = far === null ? "–" : `${far.toFixed(2)} px`;
      part("dreamed").textContent = play.dreamed === 1 ? "1 timestep" : `${play.dreamed} timesteps`;
    },

    // A screen reader reads the sentence when it changes.
    tell(choices, target, running) {
      for (const button of board.querySelectorAll("[data-value]")) {
        const { choice } = button.closest("[data-choice]").dataset;
        button.setAttribute("aria-pressed", choices[choice] === button.dataset.value);
      }
      part("run").textContent = running ? "Stop" : "Start";
      const sentence = explain(choices, target.empty) + (running ? "" : " Stopped.");
      if (part("status").textContent !== sentence) part("status").textContent = sentence;
    },
  };
}

function explain({ driver, steered }, empty) {
  if (driver === "nobody") return "Nobody pushes: reality and the dream fly on by themselves.";
  if (driver === "you") {
    return steered === "dream"
      ? "You push the dream with the arrow keys or the pointer; reality gets the same forces."
      : "You push reality with the arrow keys or the pointer; the dream is told the forces, nothing else.";
  }
  if (empty) return "The target is empty: the policy rests.";
  return steered === "dream"
    ? "The policy steers the dream and sees nothing else; reality gets the same forces, unseen."
    : "The policy sees reality and steers the block to the target; the dream is told the forces, nothing else.";
}
