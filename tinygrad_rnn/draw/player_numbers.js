"use strict";
// The player, first part: the film and its numbers. The film is data: nodes, uses (what an operation adds to the gradient of an operand,
// one vector for each group of terms of the loss) and moments. The state is a few values; `show`
// makes the page from them, so that every moment looks the same whichever way one came to it.

const film = JSON.parse(document.getElementById("film").textContent);
const { nodes, uses, moments, terms } = film;
const at = (id) => document.getElementById(id);
const turn = moments.findIndex((m) => m.kind === "turn");
const state = { m: 0, off: new Set(), view: 0, zoom: 0, speed: "800", look: film.ledgers[0] ?? 0,
  theme: "" };
let timer = 0;
let shownView = -1;
let shownZoom = null;
let drawn = false; // whether the page has been shown once
let cursor = -1; // the node that the keys have gone to, -1 for none

uses.forEach((use) => { use.moment = -1; });
moments.forEach((m, i) => (m.uses ?? []).forEach((u) => { uses[u].moment = i; }));
const received = nodes.map(() => []); // node -> its uses, in the order in which they are added
uses.forEach((use, i) => received[use.x].push(i));
const computed = nodes.map(() => -1); // node -> the moment at which it gets its value
const left = nodes.map(() => -1); // node -> the moment at which its gradient goes on
moments.forEach((m, i) => {
  if (m.node < 0 || m.kind === "turn") return;
  if (m.kind === "forward") computed[m.node] = i; else left[m.node] = i;
});

// --- numbers -------------------------------------------------------------------------------------

function add(a, b) {
  return a === null ? b : b === null ? a : a.map((x, i) => x + b[i]);
}

function sumOf(use) { // the vector of a use: the groups that are switched on
  let total = null;
  let zero = null;
  for (const [group, vector] of use.parts) {
    const numbers = vector.map((x) => (x === null ? NaN : x));
    if (!state.off.has(group)) total = add(total, numbers);
    zero = numbers.map(() => 0);
  }
  return total ?? zero;
}

function gradientOf(x, until) { // what node x has received up to a moment; null if nothing
  let total = null;
  for (const u of received[x]) if (uses[u].moment <= until) total = add(total, sumOf(uses[u]));
  return total;
}

function norm(vector) {
  return vector === null ? 0 : Math.hypot(...vector);
}

function number(x) { // three digits, as in the drawings
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  if (x === 0) return "0";
  const size = Math.abs(x);
  let text;
  if (size >= 1e-3 && size < 9999.5) {
    text = size >= 999.5 ? x.toFixed(0) : String(Number(x.toPrecision(3)));
  } else {
    text = x.toExponential(1).replace(".0e", "e").replace("e+", "e");
  }
  return text.replaceAll("-", "−");
}

function slope(x) { // ∂L/∂x
  const { name } = nodes[x];
  return `∂${film.loss}/∂${name.includes("/") && !name.startsWith("‹") ? `(${name})` : name}`;
}

function written(x, vector) { // a gradient of node x: a number, its entries, or its norm
  if (vector === null) return "nothing yet";
  const { shape, entries } = nodes[x];
  if (shape.length === 0) return number(vector[0]);
  if (!entries) return `‖·‖ = ${number(norm(vector))}, shape ${shape.join(" × ")}`;
  const build = (dims, from) => {
    if (dims.length === 0) return number(vector[from]);
    const step = dims.slice(1).reduce((a, b) => a * b, 1);
    const parts = [];
    for (let i = 0; i < dims[0]; i++) parts.push(build(dims.slice(1), from + i * step));
    return `[${parts.join(" ")}]`;
  };
  return build(shape, 0);
}

function short(x, vector) { // the same in a table: a number, or a norm
  if (vector === null) return "";
  return nodes[x].shape.length === 0 ? number(vector[0]) : number(norm(vector));
}

function level(size) {
  const { largest, low, wide } = film.scale;
  const span = Math.log10(largest) - Math.log10(size);
  return Math.min(Math.max((-span - low) / wide, 0), 1);
}

function stops() { // the colours of gradients, from the smallest to the largest, on this paper
  return film.stops[document.documentElement.dataset.theme];
}

function paint(size) { // colour and width of a line that carries a gradient of this size
  if (Number.isNaN(size)) return ["#AA3377", 3, "7 3 1.5 3"];
  if (!Number.isFinite(size)) return ["currentColor", 6, ""];
  if (size === 0) return ["#8a8a8a", 1, "1.5 3"];
  const colours = stops();
  const place = level(size) * (colours.length - 1);
  const i = Math.min(Math.floor(place), colours.length - 2);
  const mix = [1, 3, 5].map((k) => {
    const [a, b] = [colours[i], colours[i + 1]].map((s) => parseInt(s.slice(k, k + 2), 16));
    return Math.round(a + (b - a) * (place - i));
  });
  return [`rgb(${mix.join(",")})`, 0.9 + 4.1 * level(size), ""];
}
