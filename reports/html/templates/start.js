const DATA = JSON.parse(document.getElementById("data").textContent);

// An element with attributes and children; text is never read as HTML.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

// A labelled select; options are [value, text] pairs.
function choice(id, label, options, wide = false) {
  const select = make("select", { id, name: id });
  select.append(...options.map(([value, text]) => make("option", { value }, text)));
  return make("label", { class: wide ? "wide" : null }, label, select);
}

function field(id, label, attributes = {}) {
  return make("label", {}, label, make("input", { id, name: id, ...attributes }));
}

function refill(select, options) {
  const before = select.value;
  select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
  if (options.some(([value]) => value === before)) select.value = before;
}

function recordLink(records, text) {
  return make("a", { href: `#record-${records.join(",")}` }, text);
}

function table(head, rows, label) {
  const body = rows.map((row) => make("tr", {}, ...row.map((entry) => make("td", {}, entry))));
  const found = make("table", { class: "sortable" },
    make("thead", {}, make("tr", {}, ...head.map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, ...body));
  readyTable(found, false);
  return make("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": label }, found);
}

const shortName = (metric) => metric.split("/")[0];
const bitsName = (bits) => (bits === null ? "float" : `${bits} bits`);
const named = (point) => `${point.method} at ${bitsName(point.bits)}`;
const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(4);
const figure = (value) =>
  (value === null ? "-" : value.toLocaleString("en", { maximumSignificantDigits: 3 }));
const probability = (p) => (p < 0.0001 ? "< 0.0001" : p.toFixed(4));
const seconds = (value) => `${figure(value)} s`;
const several = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

// A value is [mean, deviation, low, high, n, records].
function spread(value) {
  const [mean, deviation, low, high] = value;
  if (low !== null) return `${mean.toFixed(4)} [${low.toFixed(4)}, ${high.toFixed(4)}]`;
  return deviation === null ? mean.toFixed(4) : `${mean.toFixed(4)} ± ${deviation.toFixed(4)}`;
}

// The difference of two points of an arena, the first minus the second; null if not computed.
function difference(arena, first, second, metric) {
  for (const [a, b, name, mean, low, high, p, over] of arena.differences) {
    if (name !== metric) continue;
    if (a === first && b === second) return { mean, low, high, p, over };
    if (a === second && b === first) return { mean: -mean, low: -high, high: -low, p, over };
  }
  return null;
}

const theme = document.getElementById("theme");
theme.hidden = false;
theme.addEventListener("click", () => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  root.dataset.theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
});
