// --- the picture ---------------------------------------------------------------------------------

function svg() { return at("picture").querySelector("svg"); }

function element(id) { return svg().getElementById(id); }

function unfold() { // put the drawing of this view on the page
  if (shownView === state.view) return;
  shownView = state.view;
  const template = document.querySelector(`template[data-view="${state.view}"]`);
  at("picture").replaceChildren(template.content.cloneNode(true));
  svg().querySelectorAll("title").forEach((title) => title.remove()); // the page has its own
  const shown = new Map(); // element -> the nodes it stands for: one, or rolled up one a step
  nodes.forEach((node, i) => node.glyphs[state.view].forEach((id) => {
    if (!outOfView(id)) shown.set(id, [...(shown.get(id) ?? []), i]);
  }));
  for (const [id, those] of shown) {
    const g = element(id);
    if (!g) continue;
    g.classList.add("node");
    g.addEventListener("pointerenter", () => tip(latest(those), g));
    g.addEventListener("pointerleave", () => { at("tip").hidden = true; });
    g.addEventListener("click", () => goTo(latest(those)));
  }
  shownZoom = null;
}

function outOfView(id) { return film.gaps[state.view].includes(id); }

function latest(those) { // of nodes in one place, the one that the film was at last
  const when = (i) => Math.max(...[computed[i], left[i]].filter((m) => m <= state.m), -1);
  return those.reduce((best, i) => (when(i) > when(best) ? i : best));
}

function size() { // as high as there is room, as long as it can be read; the rest is scrolled
  const { width, height } = svg().viewBox.baseVal;
  const room = at("picture").clientWidth - 2;
  const scale = Math.min(1.25, Math.max(0.75, innerHeight * 0.5 / height));
  const fit = width * scale > room && width * scale < room * 1.3 ? room / width : scale;
  const zoomed = fit * 1.25 ** state.zoom;
  svg().style.width = `${width * zoomed}px`;
  svg().style.height = `${height * zoomed}px`;
  shownZoom = state.zoom;
}

function dress() { // what is to come is pale, what happens now is framed, gradients are coloured
  const now = moments[state.m];
  const back = state.m >= turn;
  undress();
  const mark = (id, name) => id && element(id)?.classList.add(name);
  const [done, toCome] = [new Set(), new Set()];
  nodes.forEach((node, i) => {
    for (const id of node.glyphs[state.view]) (computed[i] > state.m ? toCome : done).add(id);
  });
  moments.forEach((m, i) => {
    if (m.kind !== "forward") return;
    for (const id of m.lines[state.view]) (i > state.m ? toCome : done).add(id);
    const [op, variable] = m.node < 0 ? [] : nodes[m.node].glyphs[state.view];
    if (variable) (i > state.m ? toCome : done).add(`${op}--${variable}`);
  });
  toCome.forEach((id) => { if (!done.has(id) && !outOfView(id)) mark(id, "idle"); });
  const lines = (now.lines ?? []).length ? now.lines[state.view] : [];
  if (back) {
    const along = new Map(); // line -> the last gradient that went along it
    const ahead = new Set();
    moments.forEach((m) => { if (m.lines) m.lines[state.view].forEach((id) => ahead.add(id)); });
    uses.forEach((use) => {
      if (use.moment <= state.m) for (const id of use.lines[state.view] ?? []) along.set(id, use);
    });
    ahead.forEach((id) => { if (!along.has(id)) mark(id, "faint"); });
    along.forEach((use, id) => colour(use, id));
    for (const u of now.uses) (uses[u].lines[state.view] ?? []).forEach((id) => mark(id, "now"));
  } else {
    lines.forEach((id) => { mark(id, "now"); mark(id, "forward"); });
  }
  const glyphs = now.node < 0 ? film.gaps[state.view] : nodes[now.node].glyphs[state.view];
  glyphs.forEach((id) => mark(id, "now"));
  mark(nodes[state.look]?.glyphs[state.view].at(-1), "looked");
  if (glyphs.length) follow(element(glyphs[0]), [...svg().querySelectorAll("g.now")]);
}

function undress() { // as the drawing was
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
}

function colour(use, id) { // a line that a gradient has gone along
  const g = element(id);
  if (!g) return;
  const [tint, width, dash] = paint(norm(sumOf(use)));
  g.querySelectorAll("path").forEach((path) => {
    path.style.stroke = tint;
    path.style.strokeWidth = width;
    path.style.strokeDasharray = dash;
  });
  turned(g, tint, width);
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

function around(parts) { // the box that holds some elements
  const boxes = parts.map((g) => g.getBoundingClientRect());
  const least = (side) => Math.min(...boxes.map((box) => box[side]));
  const most = (side) => Math.max(...boxes.map((box) => box[side]));
  return { left: least("left"), right: most("right"), top: least("top"), bottom: most("bottom") };
}

function follow(g, all = [g]) { // scroll to what happens now; over a long way at once
  if (!g) return;
  const picture = at("picture");
  const frame = picture.getBoundingClientRect();
  let [left, top] = [picture.scrollLeft, picture.scrollTop];
  const [own, whole] = [around([g]), around([g, ...all])]; // the weights too, where there is room
  const wide = whole.right - whole.left < frame.width - 40 ? whole : own;
  const high = whole.bottom - whole.top < frame.height - 40 ? whole : own;
  if (wide.left < frame.left + 20 || wide.right > frame.right - 20) {
    left += (wide.left + wide.right - frame.left - frame.right) / 2;
  }
  if (high.top < frame.top + 10 || high.bottom > frame.bottom - 20) {
    top += (high.top + high.bottom - frame.top - frame.bottom) / 2;
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
  const told = written(i, gradient);
  lines.push(!node.wants ? "wants no gradient"
    : complete(i) ? equal(slope(i), told) : `${slope(i)} so far: ${told}`);
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
    const id = nodes[i].glyphs[state.view].at(-1);
    return id && !outOfView(id) && element(id);
  });
  if (!seen.length) return;
  const from = seen.indexOf(cursor >= 0 ? cursor : moments[state.m].node);
  cursor = seen[(from + by + seen.length) % seen.length];
  svg().querySelectorAll("g.cursor").forEach((g) => g.classList.remove("cursor"));
  const id = nodes[cursor].glyphs[state.view].at(-1);
  element(id).classList.add("cursor");
  follow(element(id));
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
