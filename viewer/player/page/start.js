// The start: the player, or one sentence that says why there is none.

function startPlayer(root) {
  const data = root.querySelector("script[type='application/json']");
  const sentence = root.querySelector(".player-without");
  try {
    const missing = lacking();
    if (missing) {
      sentence.textContent = `The player needs ${missing}, which this browser does not offer.`;
      return;
    }
    root.player = startGame(root.querySelector(".player-board"), JSON.parse(data.textContent));
    sentence.remove();
  } catch (error) {
    sentence.textContent = `The player could not start: ${error.message}.`;
  }
}

function lacking() {
  if (!document.createElement("canvas").getContext?.("2d")) return "a canvas to draw on";
  if (!window.PointerEvent) return "pointer events";
  if (!window.IntersectionObserver) return "intersection observers";
  return null;
}
