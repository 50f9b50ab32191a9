// One content: what is written from it, disturbed or not; its neighbors; and a table of several with what they share.
// Texts of the data become text nodes only, so none of them can bring markup.
function dcmElement(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") element.style.cssText = value;
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child != null));
  return element;
}

// from improbable to probable, the colors that the dashboard uses for failed and reconstructed
function dcmTokenColor(p) {
  const mix = (low, high) => Math.round(low + p * (high - low));
  return `rgba(${mix(213, 0)}, ${mix(94, 158)}, ${mix(0, 115)}, 0.35)`;
}

function dcmDecode(view) {
  const h = dcmElement;
  const tokens = view.tokens
    ? view.tokens.map(([text, p]) =>
        h("span", { class: "token", title: `p = ${p.toFixed(3)}`, style: `background: ${dcmTokenColor(p)}` }, text),
      )
    : [h("span", {}, view.text)];
  const least = view.tokens?.length ? `, least probable token ${Math.min(...view.tokens.map(([, p]) => p)).toFixed(2)}` : "";
  return h("div", { class: "decode", "data-exact": String(view.exact) },
    h("div", { class: "soft" }, `mode ${view.mode} writes`),
    h("div", { class: "written" }, tokens),
    view.partial ? h("div", { class: "soft" }, "writing …")
      : h("div", { class: view.exact ? "right" : "wrong" }, view.exact ? "exactly the target" : "not the target", h("span", { class: "soft" }, least)),
    view.exact || view.partial ? null : h("div", { class: "soft" }, `wanted: ${view.target}`),
  );
}

// what the chosen points share: values that are more frequent among them than among all, and words of their questions
function dcmShared(points, all, categories) {
  const shared = [];
  for (const { key, name } of categories) {
    const counts = new Map();
    for (const point of points) counts.set(point[key], (counts.get(point[key]) ?? 0) + 1);
    const [value, count] = [...counts].sort((one, two) => two[1] - one[1])[0] ?? [];
    const base = all.filter((point) => point[key] === value).length / all.length;
    if (count > 1 && counts.size < points.length && count / points.length > 1.2 * base && !String(value).startsWith("no "))
      shared.push({ lift: count / points.length / base, text: `${name} ${value}: ${count} of ${points.length} (${Math.round(100 * base)} % of all)` });
  }
  const words = (point) => new Set(point.question.toLowerCase().match(/\p{L}{3,}/gu) ?? []);
  const among = new Map();
  for (const point of points) for (const word of words(point)) among.set(word, (among.get(word) ?? 0) + 1);
  const frequent = [...among].filter(([, count]) => count > 1 && count >= points.length / 4);
  if (frequent.length) {
    const everywhere = new Map(frequent.map(([word]) => [word, 0]));
    for (const point of all) for (const word of words(point)) if (everywhere.has(word)) everywhere.set(word, everywhere.get(word) + 1);
    for (const [word, count] of frequent) {
      const base = everywhere.get(word) / all.length;
      if (count / points.length > 1.5 * base)
        shared.push({ lift: count / points.length / base, text: `“${word}” in the question: ${count} of ${points.length} (${Math.round(100 * base)} % of all)` });
    }
  }
  return shared.sort((one, two) => two.lift - one.lift).slice(0, 6).map((each) => each.text);
}

const dcmUndisturbed = (change) => !change.noise && !(change.blend && change.other) && !change.swapped && !change.emptied.length;

// controls that disturb a content; `changed` is called with the whole change, and shown only where a kernel hears it
function dcmControls(names, slots, changed) {
  const h = dcmElement;
  const list = `dcm-names-${Math.random().toString(36).slice(2)}`;
  const slider = (max) => h("input", { type: "range", min: 0, max, step: 0.02, value: 0 });
  const select = () => h("select", {}, h("option", { value: "" }, "none"), [...Array(slots).keys()].map((slot) => h("option", { value: slot }, `slot ${slot + 1}`)));
  const noise = slider(2);
  const seed = h("input", { type: "number", min: 0, max: 999, value: 0, style: "width: 4em" });
  const blend = slider(1);
  const other = h("input", { list, placeholder: "another pair", style: "width: 8.5em" });
  const options = h("datalist", { id: list }, names.slice(0, 2000).map((name) => h("option", { value: name })));
  const [one, two] = [select(), select()];
  const zero = [...Array(slots).keys()].map((slot) => h("button", { class: "slot", "aria-pressed": "false", title: `set slot ${slot + 1} to zero` }, String(slot + 1)));
  const figures = [h("output", {}, "0.00"), h("output", {}, "0.00")];
  const known = new Set(names);
  const change = () => ({
    noise: Number(noise.value),
    seed: Number(seed.value) || 0,
    blend: Number(blend.value),
    other: other.value,
    swapped: one.value !== "" && two.value !== "" ? [Number(one.value), Number(two.value)] : null,
    emptied: zero.flatMap((button, slot) => (button.getAttribute("aria-pressed") === "true" ? [slot] : [])),
  });
  const tell = () => {
    figures[0].textContent = Number(noise.value).toFixed(2);
    figures[1].textContent = Number(blend.value).toFixed(2);
    other.classList.toggle("bad", other.value !== "" && !known.has(other.value));
    other.title = other.value && !known.has(other.value) ? "no such pair here" : "";
    changed(change());
  };
  for (const control of [noise, seed, blend, other, one, two]) control.addEventListener("input", tell);
  for (const button of zero)
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") === "true" ? "false" : "true");
      tell();
    });
  const reset = () => {
    for (const control of [noise, seed, blend]) control.value = 0;
    for (const control of [other, one, two]) control.value = "";
    for (const button of zero) button.setAttribute("aria-pressed", "false");
    figures.forEach((figure) => (figure.textContent = "0.00"));
  };
  const element = h("div", { class: "controls" },
    h("label", { title: "noise of this norm is added to every slot, in units of the slot's own norm" }, "noise × norm ", noise, figures[0]), h("label", {}, "seed ", seed),
    h("label", { title: "how far towards the other content" }, "blend ", blend, figures[1]), h("label", {}, "with ", other), options,
    h("label", {}, "swap ", one), h("label", {}, "and ", two),
    h("div", { class: "wide" }, "set to zero ", zero, h("button", { class: "reset", onclick: () => { reset(); tell(); } }, "undo all")),
  );
  return { element, reset, change };
}
