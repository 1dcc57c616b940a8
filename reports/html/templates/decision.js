const RANKED_AT_MOST = 8;
const arenaOptions = DATA.arenas.map((arena, number) => [String(number), arena.title]);

function lengths(arena) {
  return [...new Set(arena.points.map((point) => point.bits))].filter((bits) => bits !== null)
    .sort((a, b) => a - b);
}

function settings(arena) {
  return [...new Set(arena.points.flatMap((point) => Object.keys(point.latencies)))].sort();
}

function metricsOf(points) {
  const counts = new Map();
  for (const point of points)
    for (const name of Object.keys(point.metrics)) counts.set(name, (counts.get(name) || 0) + 1);
  return [...counts.keys()];
}

// A point's latency at a setting: its 95th percentile, or its median where too few were timed.
function timed(point, setting) {
  const found = point.latencies[setting];
  if (!found) return null;
  return found[1] !== null ? { ms: found[1], called: "p95" } : { ms: found[0], called: "median" };
}

// Why a point is out of the question; an empty text if it is not.
function objection(point, wish) {
  if (wish.labels === "none" && point.labels === "labels") return "needs labels";
  if (wish.labels === "none" && point.labels === "unknown")
    return "may need labels (its component is not installed)";
  if (point.bits === null && wish.bits !== "float") return "has float embeddings, not codes";
  if (!["any", "float"].includes(wish.bits) && point.bits > Number(wish.bits))
    return `has more than ${wish.bits} bits`;
  if (!(wish.metric in point.metrics)) return `was not evaluated by ${shortName(wish.metric)}`;
  if (wish.seconds !== null && !point.seconds) return "has no recorded training time";
  if (wish.seconds !== null && point.seconds[0] > wish.seconds)
    return `trained longer than ${seconds(wish.seconds)}`;
  if (wish.ms === null) return "";
  const latency = timed(point, wish.setting);
  if (!latency || latency.ms === null) return "was not timed at this latency setting";
  return latency.ms > wish.ms ? `answers a query slower than ${figure(wish.ms)} ms` : "";
}

function limit(id) {
  const text = document.getElementById(id).value;
  return text === "" ? null : Number(text);
}

function readWish() {
  const value = (name) => document.getElementById(`decision-${name}`).value;
  return {
    arena: Number(value("arena")), metric: value("metric"), labels: value("labels"),
    bits: value("bits"), setting: value("setting"), ms: limit("decision-ms"),
    seconds: limit("decision-seconds"),
  };
}

function costWords(point, wish) {
  const parts = [point.labels === "none" ? "learns without labels"
    : point.labels === "labels" ? "needs labels" : "may need labels"];
  if (point.seconds) parts.push(`trained in ${seconds(point.seconds[0])}`);
  const latency = timed(point, wish.setting);
  if (latency && latency.ms !== null) parts.push(`answers a query in ${figure(latency.ms)} ms (${latency.called})`);
  return parts.join(", ");
}

// What stands against the next method, at the same length if there is one.
function rivalWords(arena, wish, ranked) {
  const best = ranked[0];
  const others = ranked.filter(({ point }) => point.method !== best.point.method);
  const next = others.find(({ point }) => point.bits === best.point.bits) || others[0];
  if (!next) return "No other method is within your limits.";
  const gap = difference(arena, best.number, next.number, wish.metric);
  const lead = `The next method is ${named(next.point)} with ${next.value[0].toFixed(4)}`;
  if (!gap)
    return `${lead}; no interval of their difference was computed for this page.`;
  const figures = `difference ${signed(gap.mean)}, 95 % interval [${signed(gap.low)}, ${signed(gap.high)}]`;
  const test = `p ${gap.p < 0.0001 ? "" : "= "}${probability(gap.p)} after Holm's correction over all pairs of this page`;
  return gap.p < 0.05 ? `${lead}; ${figures}: shown to be lower (${test}).`
    : `${lead}; ${figures}: not shown to be lower (${test}), so let the cost decide.`;
}

// Cheaper choices that were not shown to be worse.
function cheaperWords(arena, wish, ranked) {
  const best = ranked[0];
  if (!best.point.seconds) return "";
  const equals = ranked.slice(1).filter(({ point, number }) => {
    const gap = difference(arena, best.number, number, wish.metric);
    return gap && gap.p >= 0.05 && point.seconds && point.seconds[0] < best.point.seconds[0];
  }).sort((a, b) => a.point.seconds[0] - b.point.seconds[0]);
  if (!equals.length) return "";
  const { point, value } = equals[0];
  return `The cheapest to train that was not shown to be lower: ${named(point)} ` +
    `(${value[0].toFixed(4)}, ${seconds(point.seconds[0])}).`;
}

function leftOutWords(objections, total) {
  if (!objections.size) return `All ${total} choices are within your limits.`;
  const parts = [...objections].map(([why, count]) => `${why}: ${count}`);
  return `Left out of ${several(total, "choice")}: ${parts.join("; ")}.`;
}

function answer(arena, wish, ranked, objections) {
  const leftOut = leftOutWords(objections, arena.points.length);
  if (!ranked.length)
    return make("div", { class: "answer" },
      make("p", { class: "first" }, "No method is within your limits."), make("p", {}, leftOut));
  const { point, value } = ranked[0];
  const why = `${shortName(wish.metric)} ${spread(value)} over ${several(value[4], "seed")}, the highest of ` +
    `${several(ranked.length, "choice")} within your limits. It ${costWords(point, wish)}.`;
  const seeds = value[4] < 3 ? make("p", {}, "Fewer than three seeds: another run may rank otherwise.") : null;
  const cheaper = cheaperWords(arena, wish, ranked);
  return make("div", { class: "answer" },
    make("p", { class: "first" }, make("strong", {}, recordLink(value[5], named(point)))),
    make("p", {}, why), make("p", {}, rivalWords(arena, wish, ranked)),
    cheaper ? make("p", {}, cheaper) : null, seeds, make("p", {}, leftOut));
}

function ranking(wish, ranked) {
  const rows = ranked.slice(0, RANKED_AT_MOST).map(({ point, value }) => {
    const latency = timed(point, wish.setting);
    return [point.method, bitsName(point.bits).replace(" bits", ""), recordLink(value[5], spread(value)),
      String(value[4]), { labels: "yes", none: "no" }[point.labels] || "unknown",
      point.seconds ? recordLink(point.seconds[5], figure(point.seconds[0])) : "-",
      latency && latency.ms !== null
        ? recordLink(point.latencies[wish.setting][3], `${figure(latency.ms)}`) : "-"];
  });
  return table(["method", "bits", shortName(wish.metric), "n", "labels", "training s", "query ms"],
    rows, "The best choices within your limits");
}

function decide() {
  const wish = readWish();
  const arena = DATA.arenas[wish.arena];
  const objections = new Map();
  const ranked = [];
  for (const [number, point] of arena.points.entries()) {
    const why = objection(point, wish);
    if (why) objections.set(why, (objections.get(why) || 0) + 1);
    else ranked.push({ number, point, value: point.metrics[wish.metric] });
  }
  // Of equal means the shorter code, then the shorter training.
  ranked.sort((a, b) => b.value[0] - a.value[0] || a.point.bits - b.point.bits ||
    (a.point.seconds || [0])[0] - (b.point.seconds || [0])[0]);
  const parts = [answer(arena, wish, ranked, objections)];
  if (ranked.length > 1) parts.push(ranking(wish, ranked));
  document.getElementById("decision-answer").replaceChildren(...parts);
}

function refillDecision() {
  const arena = DATA.arenas[Number(document.getElementById("decision-arena").value)];
  const metric = document.getElementById("decision-metric");
  refill(metric, metricsOf(arena.points).map((name) => [name, name]));
  metric.value = arena.metric;
  refill(document.getElementById("decision-bits"), [["any", "any length"],
    ...lengths(arena).map((bits) => [String(bits), `at most ${bits}`]),
    ["float", "any length, also float embeddings"]]);
  const known = settings(arena);
  refill(document.getElementById("decision-setting"),
    known.length ? known.map((name) => [name, name]) : [["", "not measured"]]);
}

if (DATA.arenas.length) {
  const form = document.getElementById("decision-form");
  form.hidden = false;
  const number = { type: "number", min: "0", step: "any", inputmode: "decimal", placeholder: "no limit" };
  form.append(
    choice("decision-arena", "Protocol and device", arenaOptions),
    choice("decision-metric", "Judged by", []),
    choice("decision-labels", "Training images with labels",
      [["labels", "I have them"], ["none", "I have none"]]),
    choice("decision-bits", "Bits a code", []),
    field("decision-seconds", "Training budget, seconds", number),
    field("decision-ms", "Latency of a query, at most ms", number),
    choice("decision-setting", "Latency measured with", [], true));
  refillDecision();
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("decision-arena").addEventListener("change", refillDecision);
  for (const kind of ["input", "change"]) form.addEventListener(kind, decide);
  decide();
}
