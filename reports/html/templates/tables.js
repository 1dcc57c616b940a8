const ROWS_WORTH_A_FILTER = 6;

// The number that a cell starts with, or null.
function leadingNumber(text) {
  const found = text.replaceAll(",", "").match(/^[<x ]*([+−-]?\d+(\.\d+)?(e[+-]?\d+)?)/);
  return found ? Number(found[1].replace("−", "-")) : null;
}

function sortRows(found, column, rising) {
  const keyed = [...found.tBodies[0].rows].map((row) => {
    const text = row.cells[column].textContent.trim();
    return { row, text, number: leadingNumber(text) };
  });
  const numeric = found.tHead.rows[0].cells[column].classList.contains("number");
  keyed.sort((a, b) => {
    if (numeric && (a.number === null || b.number === null))
      return (a.number === null) - (b.number === null); // what has no number stays below
    const order = numeric ? a.number - b.number : a.text.localeCompare(b.text, "en");
    return rising ? order : -order;
  });
  found.tBodies[0].append(...keyed.map(({ row }) => row));
}

function makeSortable(found) {
  for (const [column, head] of [...found.tHead.rows[0].cells].entries()) {
    const entries = [...found.tBodies[0].rows].map((row) => row.cells[column]);
    const texts = entries.map((entry) => entry.textContent.trim()).filter((t) => t && t !== "-");
    const numeric = texts.length > 0 && texts.every((text) => leadingNumber(text) !== null);
    head.classList.toggle("number", numeric);
    for (const entry of entries) {
      entry.classList.toggle("number", numeric);
      entry.classList.toggle("long", !numeric && entry.textContent.length > 45);
    }
    const button = make("button", { type: "button" }, head.textContent);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const rising = before ? before !== "ascending" : !numeric;
      for (const other of found.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      sortRows(found, column, rising);
    });
  }
}

function addFilter(found) {
  const rows = [...found.tBodies[0].rows];
  const input = make("input", { type: "search", placeholder: "e.g. hsc" });
  const count = make("span", { role: "status" });
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    count.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
  });
  const label = make("label", { class: "filter" }, "Filter", input, count);
  found.closest(".scroll").before(label);
}

function readyTable(found, filtered = true) {
  makeSortable(found);
  if (filtered && found.tBodies[0].rows.length >= ROWS_WORTH_A_FILTER) addFilter(found);
}

// A table in a closed part of the page is made ready when that is opened.
for (const found of document.querySelectorAll("table.sortable")) {
  const part = found.closest("details");
  if (!part || part.open) readyTable(found);
  else part.addEventListener("toggle", () => readyTable(found), { once: true });
}
