// The controls: buttons, keys and the pointer on the field, as calls of what they mean.

const ERASER = 2; // the right button

// `game` has the target, the push, what is chosen, and in `act` what can be done: run, sync, clear, reset,
// choose(name, value), target() after it was changed and pushed() after a push began.
function listen(board, brush, game) {
  const field = board.querySelector("[data-part=field]");
  const { act } = game;
  for (const group of board.querySelectorAll("[data-choice]")) {
    for (const button of group.querySelectorAll("button")) {
      button.addEventListener("click", () => act.choose(group.dataset.choice, button.dataset.value));
    }
  }
  for (const button of board.querySelectorAll("[data-action]")) {
    button.addEventListener("click", act[button.dataset.action]);
  }
  // After a click the keys belong to the game again; who came by keyboard stays on the button.
  board.addEventListener("click", (event) => {
    if (event.detail > 0 && event.target.closest("button")) field.focus({ preventScroll: true });
  });
  listenToKeys(board, game);
  listenToPointer(field, brush, game);
}

function listenToKeys(board, { target, push, act }) {
  board.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === " " && !event.target.closest("button")) {
      if (!event.repeat) act.run();
    } else if (event.key in DIRECTIONS && event.shiftKey) {
      target.shift(...DIRECTIONS[event.key]);
      act.target();
    } else if (event.key in DIRECTIONS) {
      push.keys.set(event.key, true);
      act.pushed();
    } else {
      return;
    }
    event.preventDefault();
  });
  addEventListener("keyup", (event) => push.lift(event.key));
  addEventListener("blur", () => push.release());
}

function listenToPointer(field, brush, { target, push, choices, act }) {
  let stroke = null; // {tool, last, moved}, while a button is held
  const place = (event) => {
    const box = field.getBoundingClientRect();
    const { size, block } = target.world;
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height].map((share) =>
      Math.min(Math.max(share * size, block / 2), size - block / 2),
    );
  };
  field.addEventListener("contextmenu", (event) => event.preventDefault());
  field.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || stroke || ![0, ERASER].includes(event.button)) return;
    event.preventDefault();
    field.focus({ preventScroll: true });
    field.setPointerCapture(event.pointerId);
    const at = place(event);
    stroke = { tool: event.button === ERASER ? "erase" : choices.tool, last: at, moved: false };
    if (stroke.tool === "push") {
      push.pointer = at;
      act.pushed();
      return;
    }
    if (stroke.tool === "draw") target.begin(at);
    else target.erase(at, at);
    act.target();
  });
  field.addEventListener("pointermove", (event) => {
    const at = place(event);
    if (event.isPrimary) brush(choices.tool === "push" ? null : at);
    if (!stroke || !event.isPrimary) return;
    if (stroke.tool === "push") {
      push.pointer = at;
      return;
    }
    // A hand that clicks is never quite still.
    stroke.moved ||= Math.hypot(at[0] - stroke.last[0], at[1] - stroke.last[1]) >= 1;
    if (!stroke.moved) return;
    if (stroke.tool === "draw") target.stroke(stroke.last, at);
    else target.erase(stroke.last, at);
    stroke.last = at;
    act.target();
  });
  const end = (event) => {
    if (!event.isPrimary) return;
    stroke = null;
    push.pointer = null;
  };
  field.addEventListener("pointerup", end);
  field.addEventListener("pointercancel", end);
  field.addEventListener("pointerleave", () => brush(null));
}
