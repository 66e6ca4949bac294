// The curve of how far dream and reality have come apart, timestep by timestep, on a logarithmic axis.

const SPAN = 120; // timesteps
const LEAST = 0.01; // px

function curve(root, world) {
  const most = Math.max(30, world.size / Math.SQRT2); // px
  const points = []; // [px, whether the dream was re-synced then]
  const height = (px) => 100 * (1 - Math.log(Math.min(Math.max(px, LEAST), most) / LEAST) / Math.log(most / LEAST));
  const across = (i) => ((100 * i) / (SPAN - 1)).toFixed(2);
  const plot = svg(root, "svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none" });
  for (const px of [0.1, 1, 10]) {
    svg(plot, "path", { class: "player-grid", d: `M0 ${height(px)}H100` });
    const label = root.appendChild(document.createElement("span"));
    label.textContent = `${px} px`;
    label.style.top = `${height(px)}%`;
  }
  const syncs = svg(plot, "path", { class: "player-syncs" });
  const line = svg(plot, "polyline", { class: "player-line" });

  return (px, synced) => {
    points.push([px, synced]);
    if (points.length > SPAN) points.shift();
    line.setAttribute("points", points.map(([value], i) => `${across(i)},${height(value).toFixed(2)}`).join(" "));
    syncs.setAttribute("d", points.map(([, mark], i) => (mark ? `M${across(i)} 0V100` : "")).join(""));
    root.setAttribute("aria-label", `Curve of the last timesteps: dream and reality are ${px.toFixed(2)} px apart now`);
  };
}
