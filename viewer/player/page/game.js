// The game: what is chosen, what can be done, and the clock.

const RATE = 30; // frames of the world per second
const LATEST = 0.1; // seconds to catch up with at most, after the page was asleep

// Returns what a test, or a curious reader's console, can look into.
function startGame(board, { world, program }) {
  const play = new Play(program, world);
  const target = new Target(world);
  const push = new Push();
  const choices = { driver: "policy", steered: "reality", tool: "draw" };
  const view = readout(board, world);
  const last = world.frames - 1;
  let frame = last; // of the timestep, which is shown
  let running = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  let visible = true;
  let synced = true; // since the curve's last point

  const act = {
    run() {
      running = !running;
      tell();
    },
    sync() {
      play.sync();
      synced = true;
      show();
    },
    clear() {
      target.clear();
      act.target();
    },
    reset() {
      push.release();
      const [low, high] = [world.block / 2, world.size - world.block / 2];
      const random = (from, to) => from + (to - from) * Math.random();
      play.restart([random(low, high), random(low, high)], [random(-1, 1), random(-1, 1)]);
      for (let i = 1; i < program.past; i++) play.step([0, 0]);
      frame = last;
      act.sync();
    },
    choose(name, value) {
      choices[name] = value;
      if (name === "driver" && value === "nobody") push.release();
      tell();
      show();
    },
    target() {
      play.setTarget(target.pixels);
      tell();
      show();
    },
    pushed() {
      if (choices.driver === "nobody") act.choose("driver", "you");
    },
  };

  function steeredAt(i) {
    return choices.steered === "dream" ? centroid(play.dream[i], world) : play.centres[i];
  }

  function nextForce() {
    if (push.active) return push.force(steeredAt(Math.max(last - 1, 0)), steeredAt(last), world);
    return choices.driver === "policy" && !target.empty ? play.policy(choices.steered) : [0, 0];
  }

  function nextFrame() {
    frame = (frame + 1) % world.frames;
    if (frame > 0) return;
    play.step(nextForce());
    view.plot(play.apart.reduce((sum, px) => sum + px, 0) / world.frames, synced);
    synced = false;
  }

  function show() {
    view.show(play, target, frame, steeredAt(frame));
  }

  function tell() {
    view.tell(choices, target, running);
  }

  function tick(now) {
    const elapsed = Math.min((now - before) / 1000, LATEST);
    before = now;
    if (running && visible) {
      due += elapsed * RATE;
      if (due >= 1) {
        for (; due >= 1; due--) nextFrame();
        show();
      }
    }
    requestAnimationFrame(tick);
  }

  let due = 0; // frames
  let before = performance.now();
  listen(board, view.brush, { target, push, choices, act });
  // Of several changes that come at once the last counts.
  new IntersectionObserver((changes) => (visible = changes[changes.length - 1].isIntersecting)).observe(board);
  target.put([0.7 * world.size, 0.3 * world.size]);
  play.setTarget(target.pixels);
  act.reset();
  tell();
  board.hidden = false;
  requestAnimationFrame(tick);
  return { play, target, choices, act, nextFrame, show, advance, render };
}
