"use strict";
// The player. The film is data: nodes, uses (what an operation adds to the gradient of an operand,
// one vector for each group of terms of the loss) and moments. The state is a few values; `show`
// makes the page from them, so that every moment looks the same whichever way one came to it.

const film = JSON.parse(document.getElementById("film").textContent);
const { nodes, uses, moments, terms } = film;
const at = (id) => document.getElementById(id);
const turn = moments.findIndex((m) => m.kind === "turn");
const state = { m: 0, off: new Set(), fold: 0, look: film.ledgers[0] ?? 0, theme: "" };
let timer = 0;
let shownFold = -1;
let drawn = false; // whether the page has been shown once
let cursor = -1; // the node that the keys have gone to, -1 for none

uses.forEach((use) => { use.moment = -1; });
moments.forEach((m, i) => (m.uses ?? []).forEach((u) => { uses[u].moment = i; }));
const received = nodes.map(() => []); // node -> its uses, in the order in which they are added
uses.forEach((use, i) => received[use.x].push(i));
const computed = nodes.map(() => -1); // node -> the moment at which it gets its value
moments.forEach((m, i) => { if (m.kind === "forward" && m.node >= 0) computed[m.node] = i; });

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

function paint(size) { // colour and width of a line that carries a gradient of this size
  if (Number.isNaN(size)) return ["#AA3377", 3, "7 3 1.5 3"];
  if (!Number.isFinite(size)) return ["currentColor", 6, ""];
  if (size === 0) return ["#8a8a8a", 1, "1.5 3"];
  const place = level(size) * (film.stops.length - 1);
  const i = Math.min(Math.floor(place), film.stops.length - 2);
  const mix = [1, 3, 5].map((k) => {
    const [a, b] = [film.stops[i], film.stops[i + 1]].map((s) => parseInt(s.slice(k, k + 2), 16));
    return Math.round(a + (b - a) * (place - i));
  });
  return [`rgb(${mix.join(",")})`, 0.9 + 4.1 * level(size), ""];
}

// --- the picture ---------------------------------------------------------------------------------

function svg() { return at("picture").querySelector("svg"); }

function element(id) { return svg().getElementById(id); }

function unfold() { // put the drawing of this view on the page
  if (shownFold === state.fold) return;
  shownFold = state.fold;
  const template = document.querySelector(`template[data-view="${state.fold}"]`);
  at("picture").replaceChildren(template.content.cloneNode(true));
  svg().querySelectorAll("title").forEach((title) => title.remove()); // the page has its own
  nodes.forEach((node, i) => {
    for (const id of node.glyphs[state.fold]) {
      const g = element(id);
      if (!g || id === "gap") continue;
      g.classList.add("node");
      g.addEventListener("pointerenter", () => tip(i, g));
      g.addEventListener("pointerleave", () => { at("tip").hidden = true; });
      g.addEventListener("click", () => goTo(i));
    }
  });
  size();
}

function size() { // as high as there is room, as wide as it must be
  const { width, height } = svg().viewBox.baseVal;
  const room = at("picture").clientWidth - 2;
  const scale = Math.min(1.25, Math.max(0.56, innerHeight * 0.5 / height));
  const fit = width * scale > room && width * scale < room * 1.3 ? room / width : scale;
  svg().style.width = `${width * fit}px`;
  svg().style.height = `${height * fit}px`;
}

function dress() {
  const view = state.fold;
  const now = moments[state.m];
  const back = state.m >= turn;
  svg().querySelectorAll("polygon.turned").forEach((head) => head.remove());
  svg().querySelectorAll("path[data-way]").forEach((path) => {
    path.setAttribute("d", path.dataset.way);
    delete path.dataset.way;
  });
  svg().querySelectorAll("g").forEach((g) => {
    g.classList.remove("idle", "faint", "now", "forward", "looked");
    if (!g.classList.length) g.removeAttribute("class");
    g.querySelectorAll("path, polygon, circle, rect").forEach((part) => part.removeAttribute("style"));
  });
  const mark = (id, name) => id && element(id)?.classList.add(name);
  nodes.forEach((node, i) => {
    if (computed[i] > state.m) node.glyphs[view].forEach((id) => id !== "gap" && mark(id, "idle"));
  });
  moments.forEach((m, i) => {
    if (m.kind !== "forward" || m.node < 0) return;
    for (const id of m.lines[view]) {
      if (i > state.m) mark(id, "idle");
      else if (back) mark(id, "faint");
      else if (i === state.m) { mark(id, "now"); mark(id, "forward"); }
    }
    const [op, variable] = nodes[m.node].glyphs[view];
    if (variable && i > state.m) mark(`${op}--${variable}`, "idle");
  });
  if (back) uses.forEach((use) => colour(use, view));
  const gap = now.node < 0 ? ["gap"] : nodes[now.node].glyphs[view];
  gap.forEach((id) => mark(id, "now"));
  if (back) for (const u of now.uses) (uses[u].lines[view] ?? []).forEach((id) => mark(id, "now"));
  mark(nodes[state.look]?.glyphs[view].at(-1), "looked");
  follow(gap[0]);
}

function colour(use, view) { // the lines that a gradient has gone along
  if (use.moment > state.m) return;
  const [tint, width, dash] = paint(norm(sumOf(use)));
  for (const id of use.lines[view] ?? []) {
    const g = element(id);
    if (!g) continue;
    g.classList.remove("faint");
    g.querySelectorAll("path").forEach((path) => {
      path.style.stroke = tint;
      path.style.strokeWidth = width;
      path.style.strokeDasharray = dash;
    });
    turned(g, tint, width);
  }
}

function turned(g, tint, width) { // the arrow head at the other end: a gradient runs backwards
  const [path, old] = [g.querySelector("path"), g.querySelector("polygon")];
  if (!path || !old) return;
  const end = old.getAttribute("points").split(" ")[0].replace(",", " ");
  path.dataset.way = path.getAttribute("d");
  path.setAttribute("d", `${path.dataset.way}L${end}`);
  const long = Math.min(5 + 1.9 * width, path.getTotalLength());
  const [tip, base] = [path.getPointAtLength(0), path.getPointAtLength(long)];
  const [dx, dy] = [(base.x - tip.x) / long, (base.y - tip.y) / long];
  const half = 2.4 + 1.15 * width;
  const head = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
  head.setAttribute("class", "turned");
  head.setAttribute("points", [[tip.x, tip.y], [base.x - dy * half, base.y + dx * half],
    [base.x + dy * half, base.y - dx * half]].map((p) => p.join(",")).join(" "));
  head.style.fill = tint;
  if (!path.style.strokeDasharray) path.style.strokeDasharray = `0 ${long - 1} 100000`;
  old.style.display = "none";
  g.append(head);
}

function follow(id) { // scroll to what happens now; over a long way at once
  const g = id ? element(id) : null;
  if (!g) return;
  const picture = at("picture");
  const [box, frame] = [g.getBoundingClientRect(), picture.getBoundingClientRect()];
  let [left, top] = [picture.scrollLeft, picture.scrollTop];
  if (box.left < frame.left + 20 || box.right > frame.right - 20) {
    left += box.left - frame.left - frame.width / 2;
  }
  if (box.top < frame.top + 10 || box.bottom > frame.bottom - 10) {
    top += box.top - frame.top - frame.height / 2;
  }
  if (left === picture.scrollLeft && top === picture.scrollTop) return;
  const near = Math.abs(left - picture.scrollLeft) < 1.5 * frame.width && timer === 0;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  picture.scrollTo({ left, top, behavior: drawn && near && !calm ? "smooth" : "instant" });
  drawn = true;
}

function tip(i, g) {
  const node = nodes[i];
  const known = computed[i] <= state.m;
  const gradient = gradientOf(i, state.m);
  const where = [node.step === null ? "" : `step ${node.step}`, node.scope].filter(Boolean);
  const lines = [`${node.name}${where.length ? ` (${where.join(", ")})` : ""}`];
  lines.push(known ? `value: ${node.value}` : "value: not computed yet");
  const sign = complete(i) ? "=" : "so far:";
  lines.push(!node.wants ? "wants no gradient"
    : `∂${film.loss}/∂${node.name} ${sign} ${written(i, gradient)}`);
  const box = at("tip");
  box.textContent = lines.join("\n");
  box.hidden = false;
  const [spot, stage] = [g.getBoundingClientRect(), at("stage").getBoundingClientRect()];
  const left = Math.min(spot.left - stage.left, stage.width - box.offsetWidth - 4);
  box.style.left = `${Math.max(left, 0)}px`;
  const above = spot.top - stage.top - box.offsetHeight - 8;
  box.style.top = `${above > 0 ? above : spot.bottom - stage.top + 8}px`;
}

function complete(i) { // whether all that node i will receive has arrived
  return received[i].every((u) => uses[u].moment <= state.m);
}

function wander(by) { // the keys go from node to node, in the order of the program
  const seen = nodes.map((_, i) => i).filter((i) => {
    const id = nodes[i].glyphs[state.fold].at(-1);
    return id && id !== "gap" && element(id);
  });
  if (!seen.length) return;
  const from = seen.indexOf(cursor >= 0 ? cursor : moments[state.m].node);
  cursor = seen[(from + by + seen.length) % seen.length];
  svg().querySelectorAll("g.cursor").forEach((g) => g.classList.remove("cursor"));
  const id = nodes[cursor].glyphs[state.fold].at(-1);
  element(id).classList.add("cursor");
  follow(id);
  tip(cursor, element(id));
}

function leave() { // no node any more
  cursor = -1;
  svg().querySelectorAll("g.cursor").forEach((g) => g.classList.remove("cursor"));
  at("tip").hidden = true;
}

function goTo(i) { // a click on a node: its moment, on the way that we are on
  const wanted = state.m >= turn ? "backward" : "forward";
  const found = moments.findIndex((m) => m.node === i && m.kind === wanted);
  if (received[i].length) state.look = i;
  if (found >= 0) state.m = found;
  leave();
  show();
}

// --- the moment in words -------------------------------------------------------------------------

function item(name, text, kind = "") {
  const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
  dt.textContent = name;
  dd.textContent = text;
  dd.className = kind;
  return [dt, dd];
}

function place(node) { return node.step === null ? "" : `, step ${node.step}`; }

function source(use) { // who sends a gradient, in words
  if (use.by === -2) return "the start";
  if (use.by === -1) return film.gap;
  const node = nodes[use.by];
  return `${node.name}${node.step === null ? "" : ` at step ${node.step}`}`;
}

function tell() {
  const m = moments[state.m];
  const facts = document.createElement("dl");
  let title;
  if (m.kind === "turn") {
    title = "The way back begins";
    facts.append(...item("value", `${film.loss} = ${nodes[m.node].value}`, "number"),
      ...item("seed", `∂${film.loss}/∂${film.loss} = ${written(m.node, sumOf(uses[0]))}`, "number"));
  } else if (m.node < 0) {
    title = m.kind === "forward" ? "Forward: many steps" : "Backward: many steps";
    facts.append(...item("not drawn", film.gap));
    for (const u of m.uses ?? []) leaving(facts, uses[u]);
  } else if (m.kind === "forward") {
    const node = nodes[m.node];
    title = `Forward${place(node)}: ${node.op}`;
    facts.append(...item("equation", m.equation, "rule"));
    given(facts, m);
    facts.append(...item("gives", node.value, "number"));
  } else {
    const node = nodes[m.node];
    title = `Backward${place(node)}: ${node.op}`;
    facts.append(...item("equation", moments[computed[m.node]]?.equation ?? node.name, "rule"));
    arriving(facts, m.node);
    for (const u of m.uses) leaving(facts, uses[u], m);
  }
  at("moment").querySelector("h2").textContent = title;
  at("facts").replaceChildren(facts);
}

function given(facts, m) {
  for (const operand of m.operands) {
    if (operand.name && operand.name !== operand.value) {
      facts.append(...item(operand.name, operand.value, "number"));
    }
  }
}

function arriving(facts, i) { // g, and where its parts came from
  const parts = received[i].filter((u) => uses[u].moment <= state.m && uses[u].moment !== state.m);
  const name = nodes[i].name;
  if (parts.length > 1) {
    for (const u of parts) {
      facts.append(...item(`from ${source(uses[u])}`, written(i, sumOf(uses[u])), "number"));
    }
  }
  const label = parts.length > 1 ? "arrives, g = their sum"
    : parts.length ? `arrives from ${source(uses[parts[0]])}, g` : "arrives, g";
  facts.append(...item(label, `∂${film.loss}/∂${name} = ${written(i, gradientOf(i, state.m))}`,
    "number"));
}

function leaving(facts, use, m) {
  const name = nodes[use.x].name;
  const sent = sumOf(use);
  if (m) {
    const rule = use.rule.map((part) => (typeof part === "string" ? part
      : part[0] === "o" ? m.operands[part[1]]?.name || m.operands[part[1]]?.value : part[0]));
    facts.append(...item(`rule for ${name}`, rule.join(""), "rule"));
    const numbers = inNumbers(use, m);
    if (numbers) facts.append(...item("in numbers", `${numbers} = ${written(use.x, sent)}`, "number"));
    else for (const [symbol, value] of meant(use, m)) facts.append(...item(`with ${symbol}`, value, "number"));
  }
  const several = use.count > 1 ? ` (the sum of ${use.count} uses)` : "";
  facts.append(...item(`leaves to ${name}`, written(use.x, sent) + several, "number"));
  if (received[use.x].length > 1) {
    const now = received[use.x].filter((u) => uses[u].moment <= state.m).length;
    facts.append(...item("running sum", `${written(use.x, gradientOf(use.x, state.m))}   `
      + `(${now} of ${received[use.x].length})`, "number"));
  }
}

function meant(use, m) { // what the symbols of a rule stand for, apart from g
  const found = new Map();
  for (const part of use.rule) {
    if (part[0] === "y") found.set(`y${nodes[m.node].name.startsWith("‹") ? "" : ` = ${nodes[m.node].name}`}`, nodes[m.node].value);
    if (part[0] !== "o" || typeof part === "string") continue;
    const operand = m.operands[part[1]];
    if (operand?.name && operand.name !== operand.value) found.set(operand.name, operand.value);
  }
  return found;
}

function inNumbers(use, m) { // the rule with its numbers, where all of them are scalars
  const values = use.rule.map((part) => {
    if (typeof part === "string") return part;
    if (part[0] === "o") return scalar(m.operands[part[1]]);
    if (nodes[m.node].shape.length) return null;
    return part[0] === "y" ? nodes[m.node].value : number(gradientOf(m.node, state.m)[0]);
  });
  if (values.length < 2 || values.includes(null) || nodes[use.x].shape.length || !use.rule.some(Array.isArray)) return "";
  const negative = (text) => (text.startsWith("−") ? `(${text})` : text);
  return values.map((text, i) => (typeof use.rule[i] === "string" ? text : negative(text))).join("");
}

function scalar(operand) {
  if (!operand) return null;
  if (operand.node !== undefined && nodes[operand.node].shape.length) return null;
  return operand.value.includes("[") || operand.value.includes("shape") ? null : operand.value;
}

// --- the ledger ----------------------------------------------------------------------------------

function account() {
  const x = state.look;
  const scalarNode = nodes[x].shape.length === 0;
  const head = ["step", "from", scalarNode ? "contribution" : "‖contribution‖",
    scalarNode ? "running sum" : "‖running sum‖"];
  const table = document.createElement("table");
  const line = (cells, kind, tag = "td") => {
    const row = table.insertRow();
    row.className = kind;
    cells.forEach((text, i) => {
      const cell = document.createElement(tag);
      if (i !== 1) cell.className = "n";
      cell.textContent = text;
      row.append(cell);
    });
    return row;
  };
  line(head, "", "th");
  let running = null;
  let current = null;
  for (const u of received[x]) {
    const use = uses[u];
    const sent = sumOf(use);
    running = add(running, sent);
    const by = use.by >= 0 ? nodes[use.by] : null;
    const kind = use.moment > state.m ? "later" : use.moment === state.m ? "now" : "";
    const from = use.by === -2 ? "the start"
      : by ? moments[computed[use.by]]?.equation ?? by.name : `${film.gap}: ${use.count} uses`;
    const row = line([by?.step ?? "", from, short(x, sent),
      use.moment > state.m ? "" : short(x, running)], kind);
    if (kind === "now") current = row;
  }
  const so_far = gradientOf(x, state.m);
  const word = complete(x) ? "=" : "so far";
  line(["", `∂${film.loss}/∂${nodes[x].name} ${word}`, "", short(x, so_far) || "0"], "sum");
  const rows = document.createElement("div");
  rows.className = "rows";
  rows.append(table);
  at("ledger").replaceChildren(rows);
  if (current) rows.scrollTop = Math.max(0, current.offsetTop - rows.clientHeight / 2);
}

// --- the state, and the address that holds it -----------------------------------------------------

function address() {
  const parts = [`m=${state.m}`];
  if (state.off.size) parts.push(`off=${[...state.off].sort((a, b) => a - b).join(".")}`);
  if (state.fold) parts.push("fold=1");
  if (state.look !== film.ledgers[0]) parts.push(`look=${encodeURIComponent(nodes[state.look].id)}`);
  if (state.theme) parts.push(`theme=${state.theme}`);
  return `#${parts.join("&")}`;
}

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const m = Number(given.get("m") ?? 0);
  state.m = Number.isInteger(m) ? Math.min(Math.max(m, 0), moments.length - 1) : 0;
  const off = (given.get("off") ?? "").split(".").filter(Boolean).map(Number);
  state.off = new Set(off.filter((t) => Number.isInteger(t) && t >= 0 && t < terms.length));
  state.fold = given.get("fold") === "1" && document.querySelector('template[data-view="1"]') ? 1 : 0;
  const look = nodes.findIndex((node) => node.id === given.get("look"));
  state.look = look >= 0 && received[look].length ? look : film.ledgers[0] ?? 0;
  state.theme = ["light", "dark"].includes(given.get("theme")) ? given.get("theme") : "";
}

const night = matchMedia("(prefers-color-scheme: dark)");
const wanted = document.documentElement.dataset.theme; // light, dark or auto

function theme() {
  const own = wanted === "auto" ? (night.matches ? "dark" : "light") : wanted;
  document.documentElement.dataset.theme = state.theme || own;
}

function show() {
  theme();
  unfold();
  dress();
  tell();
  account();
  at("slider").value = state.m;
  at("slider").setAttribute("aria-valuetext", at("moment").querySelector("h2").textContent);
  at("count").textContent = `${state.m + 1} / ${moments.length}`;
  at("fold").setAttribute("aria-pressed", String(state.fold === 1));
  at("fold").textContent = state.fold ? "Unfold time" : "Fold time";
  at("look").value = String(state.look);
  at("terms").querySelectorAll("input").forEach((box, t) => { box.checked = !state.off.has(t); });
  history.replaceState(null, "", address());
}

function go(m) {
  if (cursor >= 0) leave();
  state.m = Math.min(Math.max(m, 0), moments.length - 1);
  show();
}

function pause() {
  clearInterval(timer);
  timer = 0;
  at("play").textContent = "Play";
  at("play").setAttribute("aria-pressed", "false");
  at("moment").setAttribute("aria-live", "polite");
}

function play() {
  if (timer) { pause(); return; }
  if (state.m === moments.length - 1) go(0);
  timer = setInterval(() => {
    if (state.m === moments.length - 1) pause(); else go(state.m + 1);
  }, Number(at("speed").value));
  at("moment").setAttribute("aria-live", "off"); // nobody can read so fast
  at("play").textContent = "Pause";
  at("play").setAttribute("aria-pressed", "true");
}

function fold() {
  if (!document.querySelector('template[data-view="1"]')) return;
  state.fold = 1 - state.fold;
  show();
}

// --- hands on ------------------------------------------------------------------------------------

at("first").onclick = () => { pause(); go(0); };
at("back").onclick = () => { pause(); go(state.m - 1); };
at("next").onclick = () => { pause(); go(state.m + 1); };
at("last").onclick = () => { pause(); go(moments.length - 1); };
at("turn").onclick = () => { pause(); go(turn); };
at("play").onclick = play;
at("fold").onclick = fold;
at("fold").hidden = !document.querySelector('template[data-view="1"]');
at("theme").onclick = () => {
  state.theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  show();
};
at("slider").max = moments.length - 1;
at("slider").oninput = () => { pause(); go(Number(at("slider").value)); };
at("speed").onchange = () => { if (timer) { pause(); play(); } };
at("look").append(...film.ledgers.map((i) => {
  const choice = document.createElement("option");
  choice.value = String(i);
  choice.textContent = nodes[i].name + (nodes[i].name.startsWith("‹") ? place(nodes[i]) : "")
    + (nodes[i].scope ? `  (${nodes[i].scope})` : "");
  return choice;
}));
at("look").onchange = () => { state.look = Number(at("look").value); show(); };
at("terms").hidden = terms.length < 2;
terms.forEach((name, t) => {
  const [label, box] = [document.createElement("label"), document.createElement("input")];
  box.type = "checkbox";
  box.onchange = () => { if (box.checked) state.off.delete(t); else state.off.add(t); show(); };
  label.append(box, name);
  at("terms").append(label);
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const tag = event.target.tagName;
  if (tag === "SELECT" || tag === "INPUT" && event.target.type === "range" && event.key !== " ") return;
  if (event.shiftKey && ["ArrowRight", "ArrowLeft"].includes(event.key)) {
    event.preventDefault();
    pause();
    wander(event.key === "ArrowRight" ? 1 : -1);
    return;
  }
  const keys = {
    Escape: leave,
    ArrowRight: () => { pause(); go(state.m + 1); }, ArrowLeft: () => { pause(); go(state.m - 1); },
    Home: () => { pause(); go(0); }, End: () => { pause(); go(moments.length - 1); },
    f: fold, F: fold, b: () => { pause(); go(turn); }, B: () => { pause(); go(turn); },
  };
  if (tag !== "BUTTON" && tag !== "INPUT") keys[" "] = play;
  if (tag !== "BUTTON" && tag !== "INPUT" && cursor >= 0) keys.Enter = () => goTo(cursor);
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});
addEventListener("hashchange", () => { readAddress(); show(); });
night.addEventListener("change", show);
addEventListener("resize", size);
const { largest, low, wide } = film.scale;
at("least").textContent = number(largest * 10 ** low);
at("most").textContent = number(largest * 10 ** Math.min(low + wide, 0));
at("bar").style.background = `linear-gradient(90deg, ${film.stops.join(", ")})`;
at("scale").hidden = !(largest > 0);
readAddress();
show();
