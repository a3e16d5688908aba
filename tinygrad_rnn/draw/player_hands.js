// The player, last part: the state, and what hands do.

// --- the state, and the address that holds it -----------------------------------------------------

function address() {
  const parts = [`m=${state.m}`];
  if (state.off.size) parts.push(`off=${[...state.off].sort((a, b) => a - b).join(".")}`);
  if (state.view) parts.push(`time=${short_name(state.view)}`);
  if (state.zoom) parts.push(`zoom=${state.zoom}`);
  if (state.speed !== "800") parts.push(`speed=${state.speed}`);
  if (state.look !== film.ledgers[0]) parts.push(`look=${encodeURIComponent(nodes[state.look].id)}`);
  if (state.theme) parts.push(`theme=${state.theme}`);
  return `#${parts.join("&")}`;
}

function short_name(view) { return film.views[view].split(" ")[0]; } // rolled up: rolled

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const m = Number(given.get("m") ?? 0);
  state.m = Number.isInteger(m) ? Math.min(Math.max(m, 0), moments.length - 1) : 0;
  const off = (given.get("off") ?? "").split(".").filter(Boolean).map(Number);
  state.off = new Set(off.filter((t) => Number.isInteger(t) && t >= 0 && t < terms.length));
  state.view = Math.max(0, film.views.findIndex((_, i) => short_name(i) === given.get("time")));
  const zoom = Number(given.get("zoom") ?? 0);
  state.zoom = Number.isInteger(zoom) ? Math.min(Math.max(zoom, -MOST_ZOOM), MOST_ZOOM) : 0;
  const speeds = [...at("speed").options].map((choice) => choice.value);
  state.speed = speeds.includes(given.get("speed")) ? given.get("speed") : "800";
  const look = nodes.findIndex((node) => node.id === given.get("look"));
  state.look = look >= 0 && received[look].length ? look : film.ledgers[0] ?? 0;
  state.theme = ["light", "dark"].includes(given.get("theme")) ? given.get("theme") : "";
}

let noting = 0; // the timer that writes the address
const MOST_ZOOM = 5; // steps of a quarter, in and out
const night = matchMedia("(prefers-color-scheme: dark)");
const wanted = document.documentElement.dataset.theme; // light, dark or auto

function theme() {
  const own = wanted === "auto" ? (night.matches ? "dark" : "light") : wanted;
  document.documentElement.dataset.theme = state.theme || own;
  at("bar").style.background = `linear-gradient(90deg, ${stops().join(", ")})`;
}

function show() {
  theme();
  unfold();
  if (shownZoom !== state.zoom) size();
  dress();
  tell();
  account();
  at("slider").value = state.m;
  at("slider").setAttribute("aria-valuetext", at("moment").querySelector("h2").textContent);
  at("count").textContent = `${state.m + 1} / ${moments.length}`;
  at("time").value = String(state.view);
  at("speed").value = state.speed;
  at("out").disabled = state.zoom === -MOST_ZOOM;
  at("in").disabled = state.zoom === MOST_ZOOM;
  at("look").value = String(state.look);
  at("terms").querySelectorAll("input").forEach((box, t) => { box.checked = !state.off.has(t); });
  clearTimeout(noting);
  noting = setTimeout(note, 150); // a browser counts how often the address changes
}

function note() { // a page within a page (a notebook's) has no address of its own
  if (location.protocol !== "about:") history.replaceState(null, "", address());
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
  at("moment").setAttribute("aria-live", "polite");
}

function play() {
  if (timer) { pause(); return; }
  if (state.m === moments.length - 1) go(0);
  timer = setInterval(() => {
    if (state.m === moments.length - 1) pause(); else go(state.m + 1);
  }, Number(state.speed));
  at("moment").setAttribute("aria-live", "off"); // nobody can read so fast
  at("play").textContent = "Pause";
}

function fold() { // the next view: unfolded, folded, rolled up
  state.view = (state.view + 1) % film.views.length;
  show();
}

function zoom(by) { // larger or smaller; 0 is as large as at first
  state.zoom = by ? Math.min(Math.max(state.zoom + by, -MOST_ZOOM), MOST_ZOOM) : 0;
  show();
}

// --- hands on ------------------------------------------------------------------------------------

at("first").onclick = () => { pause(); go(0); };
at("back").onclick = () => { pause(); go(state.m - 1); };
at("next").onclick = () => { pause(); go(state.m + 1); };
at("last").onclick = () => { pause(); go(moments.length - 1); };
at("turn").onclick = () => { pause(); go(turn); };
at("play").onclick = play;
film.views.forEach((name, i) => at("time").append(new Option(name, String(i))));
at("time").onchange = () => { state.view = Number(at("time").value); show(); };
at("time").parentElement.hidden = film.views.length < 2;
at("out").onclick = () => zoom(-1);
at("in").onclick = () => zoom(1);
at("theme").onclick = () => {
  state.theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  show();
};
at("slider").max = moments.length - 1;
at("slider").oninput = () => { pause(); go(Number(at("slider").value)); };
at("speed").onchange = () => {
  state.speed = at("speed").value;
  if (timer) { pause(); play(); }
  show();
};
at("look").append(...film.ledgers.map((i) => new Option(
  nodes[i].name + (nodes[i].name.startsWith("‹") ? place(nodes[i]) : ""), String(i))));
at("look").onchange = () => { state.look = Number(at("look").value); show(); };
at("terms").hidden = terms.length < 2;
terms.forEach((name, t) => {
  const [label, box] = [document.createElement("label"), document.createElement("input")];
  box.type = "checkbox";
  box.onchange = () => { if (box.checked) state.off.delete(t); else state.off.add(t); show(); };
  label.append(box, name);
  at("terms").append(label);
});
let held = null; // where the picture was taken hold of, to be moved
let moved = false; // and whether it was: then letting go is no click
at("picture").onpointerdown = (event) => {
  if (event.pointerType !== "mouse" || event.button !== 0) return; // a finger moves it anyway
  const { scrollLeft, scrollTop } = at("picture");
  held = { x: event.clientX + scrollLeft, y: event.clientY + scrollTop, from: event.clientX + event.clientY };
  moved = false;
};
addEventListener("pointermove", (event) => {
  if (!held) return;
  moved ||= Math.abs(event.clientX + event.clientY - held.from) > 4;
  at("picture").scrollTo(held.x - event.clientX, held.y - event.clientY);
});
addEventListener("pointerup", () => { held = null; });
at("picture").addEventListener("click", (event) => { if (moved) event.stopPropagation(); }, true);
at("picture").addEventListener("wheel", (event) => {
  if (!event.ctrlKey) return;
  event.preventDefault(); // the picture is larger, and not the page
  zoom(event.deltaY < 0 ? 1 : -1);
}, { passive: false });
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
    f: fold, F: fold, "+": () => zoom(1), "-": () => zoom(-1), 0: () => zoom(0),
    b: () => { pause(); go(turn); }, B: () => { pause(); go(turn); },
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
at("scale").hidden = !(largest > 0);
readAddress();
show();
