// --- the moment in words -------------------------------------------------------------------------

function item(name, text, kind = "") {
  const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
  dt.textContent = name;
  const rows = text.replaceAll("] [", "]\n ["); // a row a line, below each other
  dd.textContent = kind !== "number" ? text
    : rows.includes("\n") ? rows.replace("= [[", "=\n[[") : rows;
  dd.className = kind;
  return [dt, dd];
}

function place(node) { // where in time, and in which part of the network
  return `${node.step === null ? "" : `, step ${node.step}`}${node.scope ? `, ${node.scope}` : ""}`;
}

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

function equal(name, text) { // of a large array only the size is told, which is not equal to it
  return text.startsWith("‖") ? `${name}: ${text}` : `${name} = ${text}`;
}

function arriving(facts, i) { // g, and where its parts came from
  const parts = received[i].filter((u) => uses[u].moment <= state.m && uses[u].moment !== state.m);
  if (parts.length > 1) {
    for (const u of parts) {
      facts.append(...item(`from ${source(uses[u])}`, written(i, sumOf(uses[u])), "number"));
    }
  }
  const label = parts.length > 1 ? "g, their sum, arrives"
    : parts.length ? `g arrives from ${source(uses[parts[0]])}` : "g arrives";
  facts.append(...item(label, equal(slope(i), written(i, gradientOf(i, state.m))), "number"));
}

function leaving(facts, use, m) {
  const name = nodes[use.x].name;
  const sent = sumOf(use);
  if (m) {
    const rule = use.rule.map((part) => (typeof part === "string" ? part
      : part[0] === "o" ? m.operands[part[1]]?.name || m.operands[part[1]]?.value : part[0]));
    facts.append(...item(`rule for ${name}`, rule.join(""), "rule"));
    const numbers = inNumbers(use, m), result = written(use.x, sent);
    if (numbers && numbers !== result) facts.append(...item("in numbers", `${numbers} = ${result}`, "number"));
    else if (!numbers) for (const [symbol, value] of meant(use, m)) facts.append(...item(`with ${symbol}`, value, "number"));
  }
  const several = use.count > 1 ? ` (the sum of ${use.count} uses)` : "";
  facts.append(...item(`leaves to ${name}`, written(use.x, sent) + several, "number"));
  if (received[use.x].length > 1) {
    const now = received[use.x].filter((u) => uses[u].moment <= state.m).length;
    facts.append(...item(`running sum for ${name}`, `${written(use.x, gradientOf(use.x, state.m))}   `
      + `(${now} of ${received[use.x].length})`, "number"));
  }
}

function meant(use, m) { // what the symbols of a rule stand for, apart from g
  const found = new Map();
  const node = nodes[m.node];
  for (const part of use.rule) {
    if (typeof part === "string") continue;
    if (part[0] === "y") found.set(node.name.startsWith("‹") ? "y" : `y = ${node.name}`, node.value);
    if (part[0] !== "o") continue;
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
  const symbols = use.rule.some(Array.isArray) && values.length > 1;
  if (!symbols || values.includes(null) || nodes[use.x].shape.length) return "";
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
  const size = (text) => (nodes[x].shape.length === 0 ? text : `‖${text}‖`);
  const timed = received[x].some((u) => uses[u].by >= 0 && nodes[uses[u].by].step !== null);
  const table = document.createElement("table");
  const line = (cells, kind, tag = "td") => {
    const row = table.insertRow();
    row.className = kind;
    cells.forEach((text, i) => {
      if (i === 0 && !timed) return;
      const cell = document.createElement(tag);
      if (tag === "th") cell.scope = "col";
      if (i !== 1) cell.className = "n";
      cell.textContent = text;
      row.append(cell);
    });
    return row;
  };
  line(["step", "from", size("contribution"), size("running sum")], "", "th");
  let running = null;
  let current = null;
  for (const u of received[x]) {
    const use = uses[u];
    running = add(running, sumOf(use));
    const by = use.by >= 0 ? nodes[use.by] : null;
    const kind = use.moment > state.m ? "later" : use.moment === state.m ? "now" : "";
    const from = use.by === -2 ? "the start"
      : by ? moments[computed[use.by]]?.equation ?? by.name : `${film.gap}: ${use.count} uses`;
    const row = line([by?.step ?? "", from, short(x, sumOf(use)),
      use.moment > state.m ? "" : short(x, running)], kind);
    if (kind === "now") current = row;
  }
  const word = complete(x) ? "=" : "so far";
  line(["", `${slope(x)} ${word}`, "",
    short(x, gradientOf(x, state.m)) || "0"], "sum");
  const rows = document.createElement("div");
  rows.className = "rows";
  rows.append(table);
  at("ledger").replaceChildren(rows);
  if (current) rows.scrollTop = Math.max(0, current.offsetTop - rows.clientHeight / 2);
}
