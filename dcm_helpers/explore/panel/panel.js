// The content explorer: map beside decode. The same code runs in JupyterLab, where a kernel answers over a wire, and in
// a page that was mailed, where what was computed before is shown and controls that need a kernel are hidden.
function dcmExplorer(root, data) {
  const h = dcmElement;
  const points = data.points.map((row, index) => {
    const point = { index };
    data.columns.forEach((name, column) => (point[name] = row[column]));
    point.setName = data.sets[point.set].name;
    return point;
  });
  const text = new Map(points.map((point) => [point, `${point.question}\n${point.answer}\n${point.problem}`.toLowerCase()]));
  const partner = new Map(); // the same problem in the set before
  const bySet = data.sets.map((_, set) => points.filter((point) => point.set === set));
  bySet.forEach((those, set) => {
    const before = new Map((bySet[set - 1] ?? []).map((point) => [point.problem, point]));
    for (const point of those) partner.set(point, before.get(point.problem));
  });
  const state = {
    color: data.color, query: "", chosen: points[data.first] ?? points[0], selected: [], hidden: new Set(),
    layout: "together", time: data.sets.length - 1, lines: false, tool: "move", tab: "content", disturbed: null,
  };
  const wire = () => window.dcmWires?.[data.wire];
  let asked = 0; // number of the last question to the kernel; answers to earlier ones are out of date
  let waiting = false;
  let next = null;

  // --- the left side: map and what governs it
  const canvas = h("canvas", { class: "map", "aria-label": "contents in a plane" });
  const hover = h("div", { class: "hover", hidden: true });
  const legend = h("div", { class: "legend" });
  const found = h("span", { class: "soft" });
  const search = h("input", { type: "search", placeholder: "search the texts", oninput: () => { state.query = search.value.trim().toLowerCase(); refresh(); } });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const hits = shown().filter(matches).sort((one, two) => data.sets[one.set].hollow - data.sets[two.set].hollow); // contents first
    if (hits.length) open(hits[(hits.indexOf(state.chosen) + 1) % hits.length]);
  });
  const color = h("select", { onchange: () => { state.color = color.value; state.hidden.clear(); refresh(); } }, data.fields.map((field) => h("option", { value: field.key, selected: field.key === state.color }, field.name)));
  const tools = [["move", "drag to move, wheel to zoom, double click for all; keys: arrows, +, -, 0"], ["lasso", "draw around points (or hold shift)"], ["box", "drag a box"]].map(([tool, title]) =>
    h("button", { title, "data-tool": tool, onclick: () => { state.tool = tool; refresh(); } }, tool));
  const lines = h("label", { title: "joins restarts and paraphrases of one pair" }, h("input", { type: "checkbox", onchange: (event) => { state.lines = event.target.checked; refresh(); } }), " join points of a pair");
  const layout = h("select", { onchange: () => { state.layout = layout.value; refresh(); } }, [["together", "all sets together"], ["beside", "side by side"], ["slider", "one after another"]].map(([value, name]) => h("option", { value }, name)));
  const time = h("input", { type: "range", min: 0, max: data.sets.length - 1, step: 0.02, value: state.time, "aria-label": "from set to set", oninput: () => { state.time = Number(time.value); refresh(); } });
  const several = h("span", { class: "several", hidden: data.sets.length < 2 }, layout, time);
  const pairs = new Set();
  const repeated = points.some((point) => { const key = `${point.set} ${point.pair}`; if (pairs.has(key)) return true; pairs.add(key); return false; }) || data.sets.length > 1;
  lines.hidden = !repeated;

  // --- the right side: one content, or several
  const tabs = ["content", "chosen points"].map((name) => h("button", { role: "tab", onclick: () => { state.tab = name; refresh(); } }, name));
  const head = h("div", { class: "head" });
  const decodes = h("div", { class: "decodes" });
  const neighbors = h("div", { class: "neighbors" });
  const slots = h("details", { class: "slots", hidden: true }, h("summary", {}, "nearest vocabulary token of every slot"), h("div"));
  const controls = dcmControls(points.filter((point) => point.set === state.chosen?.set).map((point) => point.problem), data.slots, ask);
  const offline = h("div", { class: "soft offline" }, "To disturb a content, run this notebook.");
  const one = h("div", { class: "one" }, head, decodes, controls.element, offline, neighbors, slots);
  const many = h("div", { class: "many" });
  const body = h("div", { class: "dcm-panel mathjax_ignore tex2jax_ignore" },
    h("div", { class: "left" },
      h("div", { class: "bar" }, search, found, h("label", {}, "color ", color), h("span", { class: "tools" }, tools), lines, several),
      h("div", { class: "stage" }, canvas, hover), legend, h("div", { class: "soft method" }, data.method)),
    h("div", { class: "right-side" }, h("div", { class: "tabs", role: "tablist" }, tabs), one, many));
  root.replaceChildren(h("style", {}, data.css), body);

  const fieldOf = () => data.fields.find((field) => field.key === state.color);
  const matches = (point) => !state.query || text.get(point).includes(state.query);
  const scale = ["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"].map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  function shade(field, value) {
    if (value == null) return "#b5bac1";
    const at = (v) => (field.log ? Math.log10(Math.max(v, 1e-12)) : v);
    const share = Math.min(1, Math.max(0, (at(value) - at(field.low)) / (at(field.high) - at(field.low) || 1))) * (scale.length - 1);
    const low = Math.min(scale.length - 2, Math.floor(share));
    return `rgb(${scale[low].map((part, index) => Math.round(part + (share - low) * (scale[low + 1][index] - part))).join(",")})`;
  }
  const colorOf = (point) => { const field = fieldOf(); return field.colors ? field.colors[point[field.key]] ?? "#b5bac1" : shade(field, point[field.key]); };
  function shown() {
    if (state.layout !== "slider" || data.sets.length < 2) return points;
    return bySet[Math.round(state.time)];
  }

  function drawn(point, x = point.x, y = point.y) {
    const field = fieldOf();
    return {
      point, x, y, color: colorOf(point), symbol: point.set % 4, hollow: data.sets[point.set].hollow,
      dim: !matches(point) || (field.colors && state.hidden.has(String(point[field.key]))) || (state.selected.length > 0 && state.tab === "chosen points" && !state.selected.includes(point)),
    };
  }
  function facets() {
    const groups = data.sets.length < 2 || state.layout === "together" ? [[points, ""]]
      : state.layout === "beside" ? bySet.map((those, set) => [those, data.sets[set].name]) : null;
    let made;
    if (groups) made = groups.map(([those, title]) => ({ title, points: those.map((point) => drawn(point)) }));
    else {
      const [low, share] = [Math.floor(state.time), state.time % 1];
      const high = Math.min(low + 1, data.sets.length - 1);
      const title = share === 0 ? data.sets[low].name : `${data.sets[low].name} → ${data.sets[high].name}, ${Math.round(100 * share)} %`;
      const those = share === 0 ? bySet[low].map((point) => drawn(point))
        : bySet[high].flatMap((point) => {
            const from = partner.get(point);
            return from ? [drawn(share < 0.5 ? from : point, from.x + share * (point.x - from.x), from.y + share * (point.y - from.y))] : [];
          });
      made = [{ title, points: those }];
    }
    const near = new Set((state.chosen?.neighbors ?? []).map(([index]) => index));
    for (const facet of made) {
      const groupsOf = new Map();
      if (state.lines) for (const each of facet.points) groupsOf.set(each.point.pair, [...(groupsOf.get(each.point.pair) ?? []), each]);
      facet.lines = [...groupsOf.values()].flatMap((those) => those.slice(1).map((each) => [those[0], each, each.color]));
      facet.rings = facet.points.filter((each) => each.point === state.chosen || (near.has(each.point.index) && !each.dim)).map((each) => [each, each.point === state.chosen ? 2.5 : 1]);
    }
    return made;
  }
  const map = dcmMap(canvas, {
    onPick: (each) => each && open(each.point),
    onSelect: (those) => { state.selected = those.map((each) => each.point); state.tab = "chosen points"; refresh(); },
    onHover: (each, left, top) => {
      hover.hidden = !each;
      if (!each) return;
      const { point } = each;
      hover.replaceChildren(h("b", {}, point.question), h("div", {}, point.answer), h("div", { class: "soft" }, about(point)));
      hover.style.left = `${Math.min(left + 14, canvas.clientWidth - 260)}px`;
      hover.style.top = `${Math.min(top + 14, canvas.clientHeight - 90)}px`;
    },
  });

  function about(point) {
    const parts = [point.problem, point.topic, point.type];
    if (point.steps != null) parts.push(`exact after ${point.steps} steps`);
    if (point.loss != null) parts.push(`loss ${point.loss.toPrecision(2)}`);
    if (data.sets.length > 1) parts.push(data.sets[point.set].name);
    return parts.filter(Boolean).join(" · ");
  }
  function open(point) {
    state.chosen = point;
    state.disturbed = null;
    state.tab = "content";
    controls.reset();
    if (!point.decodes || point.decodes.some((view) => !view.tokens)) ask(controls.change());
    else slots.hidden = true;
    refresh();
  }
  // one question at a time: while the kernel works, only the latest change waits
  function ask(change) {
    next = { ask: ++asked, point: state.chosen.index, change };
    root.dataset.asked = asked;
    if (!waiting) send();
  }
  function send() {
    if (!next || !wire()) return;
    waiting = true;
    wire().send(next);
    next = null;
    body.classList.add("waiting");
  }
  function hear(message) {
    if (message.ask == null) return;
    if (message.partial) {
      if (message.ask === asked && points[message.point] === state.chosen) {
        root.dataset.begun = message.ask;
        showDecodes(message.views.map((view) => ({ ...view, partial: true })));
      }
      return;
    }
    waiting = false;
    body.classList.remove("waiting");
    const point = points[message.point];
    if (message.error) decodes.replaceChildren(h("div", { class: "wrong" }, message.error));
    else if (message.ask === asked && point === state.chosen) {
      root.dataset.answered = message.ask;
      if (dcmUndisturbed(message.change)) point.decodes = message.views;
      state.disturbed = message.views; // stays until another point is chosen, whatever else is redrawn
      showOne();
      slots.hidden = false;
      slots.lastChild.replaceChildren(table(["slot", "norm", "by distance", "distance", "by direction", "cosine"], message.slots));
    }
    send();
  }
  const table = (names, rows, classes = "") => h("table", { class: classes }, h("tr", {}, names.map((name) => h("th", {}, name))), rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell instanceof Node ? cell : String(cell ?? ""))))));
  const showDecodes = (views) => decodes.replaceChildren(...(views?.map(dcmDecode)
    ?? [h("div", { class: "soft" }, "What is written from a start is decoded where a notebook runs.")]));

  function showOne() {
    const point = state.chosen;
    if (!point) return;
    const is = state.disturbed && !dcmUndisturbed(controls.change()) ? " · disturbed" : "";
    head.replaceChildren(h("b", {}, h("bdi", {}, point.question)), " → ", h("b", {}, h("bdi", {}, point.answer)), h("div", { class: "soft" }, about(point), h("b", {}, is)));
    showDecodes(state.disturbed ?? point.decodes);
    neighbors.replaceChildren(h("div", { class: "soft" }, `nearest in the full space (${data.similarity})`),
      ...(point.neighbors ?? []).map(([index, similarity]) => {
        const other = points[index];
        return h("button", { class: "neighbor", onclick: () => open(other), title: about(other) }, h("i", { style: `background: ${colorOf(other)}` }), h("span", { class: "figure" }, similarity.toFixed(2)), h("bdi", {}, other.question), " → ", h("bdi", {}, other.answer), data.sets.length > 1 ? h("span", { class: "soft" }, ` · ${other.setName}`) : null);
      }));
  }
  function showMany() {
    const those = state.selected;
    if (!those.length) return many.replaceChildren(h("div", { class: "soft" }, "Draw around points with lasso or box (or hold shift and drag) to list them here."));
    const sets = new Set(those.map((point) => point.set));
    const once = (list) => [...new Map(list.map((point) => [point.pair, point])).values()]; // restarts and starts are no further pairs
    const shared = dcmShared(once(those), once(points.filter((point) => sets.has(point.set))), data.fields.filter((field) => field.colors && field.key !== "setName" && field.key !== "run"));
    many.replaceChildren(
      h("div", {}, h("b", {}, `${those.length} points of ${once(those).length} pairs`), " ", h("button", { onclick: () => { state.selected = []; refresh(); } }, "clear")),
      h("div", { class: "soft" }, shared.length ? "What they share more than all do:" : "They share nothing that others share less."),
      h("ul", {}, shared.map((line) => h("li", {}, line))),
      h("div", { class: "scroll" }, table(["question", "answer", "topic", "steps to exact", "loss", ...(data.sets.length > 1 ? ["set"] : [])], those.slice(0, 300).map((point) => [
        h("a", { href: "#", onclick: (event) => { event.preventDefault(); open(point); } }, point.question), point.answer, point.topic, point.steps, point.loss?.toPrecision(2), ...(data.sets.length > 1 ? [point.setName] : [])]))));
  }
  function showLegend() {
    drawLegend();
    if (data.sets.length > 1)
      legend.prepend(...data.sets.map((set, index) => h("span", { class: "soft" }, ` ${(set.hollow ? "○□△◇" : "●■▲◆")[index % 4]} ${set.name} `)));
  }
  function drawLegend() {
    const field = fieldOf();
    if (!field.colors) {
      const stops = scale.map((part) => `rgb(${part.join(",")})`).join(",");
      return legend.replaceChildren(`${field.name} ${field.low}`, h("span", { class: "ramp", style: `background: linear-gradient(90deg, ${stops})` }), `${field.high}${field.log ? " (logarithmic)" : ""}`);
    }
    const counts = new Map();
    for (const point of shown()) counts.set(String(point[field.key]), (counts.get(String(point[field.key])) ?? 0) + 1);
    legend.replaceChildren(...Object.entries(field.colors).filter(([name]) => counts.has(name)).slice(0, 40).map(([name, hue]) =>
      h("button", { class: state.hidden.has(name) ? "off" : "", title: `show or hide; ${counts.get(name)} points`, onclick: () => { state.hidden.has(name) ? state.hidden.delete(name) : state.hidden.add(name); refresh(); } }, h("i", { style: `background: ${hue}` }), `${name} ${counts.get(name)}`)));
  }
  function refresh() {
    const live = Boolean(wire());
    controls.element.hidden = !live;
    offline.hidden = live;
    root.dataset.live = live;
    root.dataset.chosen = state.chosen?.problem ?? "";
    found.textContent = state.query ? `${shown().filter(matches).length} found` : "";
    time.hidden = state.layout !== "slider";
    for (const tool of tools) tool.setAttribute("aria-pressed", String(tool.dataset.tool === state.tool));
    tabs.forEach((tab, index) => tab.setAttribute("aria-selected", String(["content", "chosen points"][index] === state.tab)));
    tabs[1].textContent = state.selected.length ? `chosen points (${state.selected.length})` : "chosen points";
    one.hidden = state.tab !== "content";
    many.hidden = state.tab === "content";
    map.show({ facets: facets(), tool: state.tool });
    showLegend();
    if (state.tab === "content") showOne();
    else showMany();
  }
  // keys typed in the panel are not JupyterLab's shortcuts, but those with control are, such as save; it looks for this
  // attribute on what has the focus, before any other listener hears the key
  window.addEventListener("keydown", (event) => {
    if (body.contains(event.target)) event.target.toggleAttribute("data-lm-suppress-shortcuts", !(event.ctrlKey || event.metaKey));
  }, true);
  let heard = null; // a wire is connected once; in JupyterLab it may come before or after this drawing
  function connect() {
    if (wire() && wire() !== heard) (heard = wire()).on("msg:custom", hear);
    refresh();
  }
  window.addEventListener("dcm-wire", (event) => event.detail === data.wire && connect());
  connect();
}
