function methodsOf(arena) {
  return [...new Set(arena.points.map((point) => point.method))];
}

function byBits(arena, method) {
  const found = new Map();
  for (const [number, point] of arena.points.entries())
    if (point.method === method) found.set(point.bits, { number, point });
  return found;
}

function metricRows(arena, bits, one, two) {
  return metricsOf([one.point]).filter((name) => name in two.point.metrics).map((name) => {
    const [first, second] = [one, two].map(({ point }) => point.metrics[name]);
    const gap = difference(arena, one.number, two.number, name);
    return [`${shortName(name)}`, bitsName(bits).replace(" bits", ""),
      recordLink(first[5], spread(first)), recordLink(second[5], spread(second)),
      signed(gap ? gap.mean : first[0] - second[0]),
      gap ? `[${signed(gap.low)}, ${signed(gap.high)}]` : "-",
      gap ? probability(gap.p) : "-",
      gap ? gap.over : `n = ${first[4]} and ${second[4]}`];
  });
}

function costRow(name, bits, first, second, over) {
  const words = (value) => (Number.isInteger(value) ? value.toLocaleString("en") : figure(value));
  const linked = (each) => (each && each[0] !== null ? recordLink(each[1], words(each[0])) : "-");
  const both = first && second && first[0] && second[0];
  return [name, bitsName(bits).replace(" bits", ""), linked(first), linked(second),
    both ? `x ${figure(first[0] / second[0])}` : "-", "-", "-", over];
}

function costRows(bits, one, two) {
  const cost = ({ point }) => point.seconds && [point.seconds[0], point.seconds[5]];
  const size = ({ point }) => [point.parameters, point.fits];
  const rows = [
    costRow("training s", bits, cost(one), cost(two), "wall seconds, means over seeds"),
    costRow("parameters", bits, size(one), size(two), ""),
  ];
  for (const setting of Object.keys(one.point.latencies)) {
    if (!(setting in two.point.latencies)) continue;
    const latency = ({ point }) => [point.latencies[setting][0], point.latencies[setting][3]];
    rows.push(costRow("query ms", bits, latency(one), latency(two), setting));
  }
  return rows;
}

function compareMethods() {
  const value = (name) => document.getElementById(`comparison-${name}`).value;
  const arena = DATA.arenas[Number(value("arena"))];
  const target = document.getElementById("comparison-answer");
  const [first, second] = ["first", "second"].map((name) => byBits(arena, value(name)));
  const rows = [...first].filter(([bits]) => second.has(bits)).flatMap(([bits, one]) => [
    ...metricRows(arena, bits, one, second.get(bits)), ...costRows(bits, one, second.get(bits))]);
  if (value("first") === value("second")) {
    target.replaceChildren(make("p", {}, "Choose two different methods."));
    return;
  }
  if (!rows.length) {
    target.replaceChildren(make("p", {}, "These two have no code length in common."));
    return;
  }
  const head = ["what", "bits", value("first"), value("second"), "first minus second, or ratio",
    "95 % interval", "p (Holm)", "over"];
  target.replaceChildren(table(head, rows, "Two methods compared"));
}

function refillMethods() {
  const arena = DATA.arenas[Number(document.getElementById("comparison-arena").value)];
  const options = methodsOf(arena).map((name) => [name, name]);
  for (const name of ["first", "second"])
    refill(document.getElementById(`comparison-${name}`), options);
  if (options.length > 1) document.getElementById("comparison-second").value = options[1][0];
}

if (DATA.arenas.length) {
  const form = document.getElementById("comparison-form");
  form.hidden = false;
  form.append(choice("comparison-arena", "Protocol and device", arenaOptions),
    choice("comparison-first", "First", []), choice("comparison-second", "Second", []));
  refillMethods();
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("comparison-arena").addEventListener("change", refillMethods);
  for (const kind of ["input", "change"]) form.addEventListener(kind, compareMethods);
  compareMethods();
}
