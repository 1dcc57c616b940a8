const FOUND_AT_MOST = 50;
const SHORT = 4; // entries that still stand on one line
const shownRecords = document.getElementById("records-shown");

// A value with its shared parts in place of their numbers.
function whole(value) {
  if (Array.isArray(value)) return value.map(whole);
  if (value === null || typeof value !== "object") return value;
  if ("$" in value) return whole(DATA.shared[value.$]);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, whole(item)]));
}

function plain(value) {
  if (Array.isArray(value)) return value.map(plain).join(", ");
  if (value !== null && typeof value === "object")
    return Object.entries(value).map(([key, item]) => `${key} ${plain(item)}`).join(", ");
  return value === null ? "none" : String(value);
}

function entries(value) {
  const list = make("dl");
  for (const [key, item] of Object.entries(value)) {
    const nested = item !== null && typeof item === "object" && !Array.isArray(item) &&
      !(Object.keys(item).length <= SHORT && Object.values(item).every((v) => typeof v !== "object"));
    const rows = Array.isArray(item) && item.some((each) => each && typeof each === "object");
    if (nested) {
      list.append(make("details", { open: ["cell", "metrics", "error", "phases", "budget"].includes(key) },
        make("summary", {}, key), entries(item)));
    } else if (rows) {
      list.append(make("details", {}, make("summary", {}, `${key} (${item.length})`),
        entries(Object.fromEntries(item.map((each, number) => [number + 1, plain(each)])))));
    } else {
      const text = plain(item);
      const known = /_record$/.test(key) && text in DATA.records;
      list.append(make("dt", {}, key), make("dd", {}, known ? recordLink([text], text) : text));
    }
  }
  return list;
}

function recordTitle(id) {
  const record = DATA.records[id];
  const fit = record.title ? record : DATA.records[record.fit_record];
  return `${record.kind} ${id}${fit && fit.title ? `: ${fit.title}` : ""}`;
}

function recordPart(id) {
  if (!(id in DATA.records))
    return make("p", { class: "record" }, `Record ${id} is not in this report.`);
  const { title, ...rest } = whole(DATA.records[id]);
  return make("article", { class: "record", "data-record": id },
    make("h3", {}, recordTitle(id)), entries(rest));
}

function showRecords() {
  const found = decodeURIComponent(location.hash).match(/^#record-([0-9a-f,]+)$/);
  if (!found) return;
  const ids = found[1].split(",");
  const back = make("button", { type: "button" }, "Back to where you were");
  back.addEventListener("click", () => history.back());
  const note = make("p", { class: "note" },
    "Numbers are rounded to 6 digits and long histories thinned; the record's file has all.");
  shownRecords.replaceChildren(back, ...ids.map(recordPart), note);
  shownRecords.focus({ preventScroll: true });
  shownRecords.scrollIntoView();
}

function findRecords(text) {
  const target = document.getElementById("records-found");
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) { target.replaceChildren(); return; }
  const all = Object.keys(DATA.records).filter((id) => {
    const title = recordTitle(id).toLowerCase();
    return words.every((word) => title.includes(word));
  });
  const links = all.slice(0, FOUND_AT_MOST)
    .map((id) => make("li", {}, recordLink([id], recordTitle(id))));
  const more = all.length > FOUND_AT_MOST ? `, the first ${FOUND_AT_MOST} shown` : "";
  target.replaceChildren(make("p", {}, `${several(all.length, "record")} found${more}.`),
    make("ul", {}, ...links));
}

const recordsForm = document.getElementById("records-form");
recordsForm.hidden = false;
recordsForm.append(field("records-words", "Find records by id, kind, method, protocol or seed",
  { type: "search", placeholder: "e.g. fit hsc 32 bits" }));
recordsForm.addEventListener("submit", (event) => event.preventDefault());
recordsForm.addEventListener("input", (event) => findRecords(event.target.value));
addEventListener("hashchange", showRecords);
showRecords();
