// Copies commands, links files, and shows the table of queries. Text from data becomes text nodes only, never markup.
"use strict";

const made = (tag, text = "", attributes = {}) => {
  const element = document.createElement(tag);
  if (text !== "") element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

for (const command of document.querySelectorAll("pre")) {
  const box = made("div", "", { class: "command" });
  const button = made("button", "Copy", { type: "button", "aria-label": "Copy the command" });
  command.replaceWith(box);
  box.append(command, button);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command.textContent);
    } catch {
      getSelection().selectAllChildren(command);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
}

// In the folder that `diagnose` writes, the files of the repository are where the page says.
if (/\/metrics\/diagnose\/[^/]*$/.test(location.pathname)) {
  for (const file of document.querySelectorAll("[data-file]")) {
    file.replaceWith(made("a", file.textContent, { href: file.dataset.file }));
  }
}

// A table that is wider than its box shows that there is more.
for (const box of document.querySelectorAll(".scroll")) {
  const tell = () => box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
  new ResizeObserver(tell).observe(box);
  box.addEventListener("scroll", tell, { passive: true });
}

const ROW = 52; // pixels; as in the style of the page
const SPARE = 8; // rows above and below those that are seen
const [ID, TYPE, TEXT, ANSWER, RELEVANT, FIRST, SUSPECTED, WORDS, OVERLAP, RANKS] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const RANGES = [["Words", WORDS], ["Overlap in %", OVERLAP]];

function table(box, data) {
  const { rows, systems, answers, types } = data;
  const answer = (row) => answers[row[ANSWER]] + (row[RELEVANT] > 1 ? ` (and ${row[RELEVANT] - 1} more)` : "");
  const at = (name) => RANKS + systems.indexOf(name);
  const state = { find: "", type: "", outcome: "", label: "", own: data.shown, other: data.other, by: -1, down: false };
  const outcome = (row) => ["loss", "same", "win"][Math.sign(row[at(state.other)] - row[at(state.own)]) + 1];
  const bounds = RANGES.flatMap(([, place]) => [[place, "from", 1], [place, "to", -1]]);
  // The name of a column, its value, which it is sorted by, its style, and what stands behind the value.
  const columns = [
    ["Query", (row) => row[TEXT], "wide"],
    ["Type", (row) => types[row[TYPE]]],
    ["Words", (row) => row[WORDS], "rank"],
    ["Overlap with its answer", (row) => row[OVERLAP] ?? "", "rank", "\u00a0%"],
    ["Relevant answer", answer, "wide"],
    ...systems.map((name, i) => [`Rank ${name}`, (row) => row[RANKS + i], "rank"]),
    [`First answer of ${data.shown}`, (row) => answers[row[FIRST]], "wide"],
    ["Suspected label error", (row) => row[SUSPECTED], "wide"],
    ["Wins and losses", outcome],
  ];
  const shown = ([, value, , unit = ""], row) => (value(row) === "" ? "" : `${value(row)}${unit}`);
  const searched = rows.map((row) => [row[ID], row[TEXT], answer(row), answers[row[FIRST]]].join("\n").toLowerCase());
  let seen = [];

  const controls = made("div", "", { class: "controls" });
  const field = (name, element, key) => {
    const label = made("label", name);
    label.append(element);
    controls.append(label);
    element.addEventListener("input", () => { state[key] = element.value; refresh(); });
  };
  const choice = (options, chosen) => {
    const select = made("select");
    for (const [value, text] of options) select.append(made("option", text, { value }));
    select.value = chosen;
    return select;
  };
  const named = systems.map((name) => [name, name]);
  field("Search", made("input", "", { type: "search", autocomplete: "off" }), "find");
  field("Type", choice([["", "all"], ...types.map((type) => [type, type])], ""), "type");
  field("Wins and losses of", choice(named, state.own), "own");
  field("against", choice(named, state.other), "other");
  const outcomes = [["", "all"], ["win", "wins"], ["loss", "losses"], ["same", "same"]];
  field("Show", choice(outcomes, ""), "outcome");
  field("Labels", choice([["", "all"], ["suspected", "suspected errors"]], ""), "label");
  for (const [name, place] of RANGES) for (const end of ["from", "to"]) {
    field(`${name}, ${end}`, made("input", "", { type: "number", min: "0", class: "bound" }), `${place}${end}`);
  }
  const count = made("p", "", { class: "note", role: "status" });
  const detail = made("dl", "", { class: "detail", "aria-live": "polite" });
  const view = made("div", "", { class: "scroll window", tabindex: "0", role: "region", "aria-label": "All queries" });
  const grid = made("table");
  const head = made("tr");
  const [above, body, below] = ["true", "false", "true"].map((hidden) => made("tbody", "", { "aria-hidden": hidden }));
  for (const space of [above, below]) space.append(made("tr"));
  const thead = made("thead");
  thead.append(head);
  grid.append(thead, above, body, below);
  view.append(grid);
  box.append(controls, count, view, detail);

  columns.forEach(([name, , kind], i) => {
    const cell = made("th", "", { scope: "col", class: kind || "" });
    const sort = made("button", name, { type: "button" });
    sort.addEventListener("click", () => {
      state.down = state.by === i && !state.down;
      state.by = i;
      for (const other of head.children) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      refresh();
    });
    cell.append(sort);
    head.append(cell);
  });

  const collator = new Intl.Collator();
  const compared = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : collator.compare(a, b));
  const isWithin = (row) => bounds.every(([place, end, sign]) => {
    const bound = state[`${place}${end}`];
    return !bound || (row[place] !== null && sign * (row[place] - Number(bound)) >= 0);
  });

  function refresh() {
    const find = state.find.toLowerCase();
    const tally = { win: 0, loss: 0, same: 0 };
    seen = [];
    rows.forEach((row, i) => {
      if (find && !searched[i].includes(find)) return;
      if (state.type && types[row[TYPE]] !== state.type) return;
      if (state.label && !row[SUSPECTED]) return;
      if (!isWithin(row)) return;
      const ended = outcome(row);
      tally[ended] += 1;
      if (!state.outcome || state.outcome === ended) seen.push(row);
    });
    if (state.by >= 0) {
      const value = columns[state.by][1];
      const keyed = seen.map((row) => [value(row), row]).sort((a, b) => compared(a[0], b[0]));
      seen = keyed.map((pair) => pair[1]);
      if (state.down) seen.reverse();
    }
    const beside = `${state.own} against ${state.other}: wins ${tally.win}, losses ${tally.loss}, same ${tally.same}`;
    count.textContent = `${seen.length} of ${rows.length} queries. ${beside}.`;
    grid.setAttribute("aria-rowcount", seen.length + 1);
    view.scrollTop = 0;
    draw(true);
  }

  let drawn = -1;
  function draw(anew) {
    const from = Math.max(0, Math.floor(view.scrollTop / ROW) - SPARE);
    if (!anew && from === drawn) return;
    drawn = from;
    const to = Math.min(seen.length, from + Math.ceil(view.clientHeight / ROW) + 2 * SPARE);
    above.firstChild.style.height = `${from * ROW}px`;
    below.firstChild.style.height = `${(seen.length - to) * ROW}px`;
    body.replaceChildren(...seen.slice(from, to).map((row, i) => line(row, from + i)));
  }

  function line(row, place) {
    const tr = made("tr", "", { "aria-rowindex": place + 2 });
    columns.forEach((column, i) => {
      const [, value, kind] = column;
      const cell = made(i ? "td" : "th", "", i ? { class: kind || "" } : { class: kind, scope: "row" });
      if (i) cell.append(made("span", shown(column, row)));
      else {
        const open = made("button", value(row), { type: "button", dir: "auto" });
        open.addEventListener("click", () => show(row));
        cell.append(open);
      }
      tr.append(cell);
    });
    return tr;
  }

  function show(row) {
    const told = [["Id", row[ID]], ...columns.map((column) => [column[0], shown(column, row)])].filter(([, text]) => text !== "");
    detail.replaceChildren(...told.flatMap(([name, text]) => [made("dt", name), made("dd", String(text), { dir: "auto" })]));
  }

  view.addEventListener("scroll", () => requestAnimationFrame(() => draw(false)), { passive: true });
  refresh();
}

const source = document.getElementById("queries-data");
// After the page is painted: its data may be megabytes.
if (source) requestAnimationFrame(() => setTimeout(() => table(document.querySelector(".queries"), JSON.parse(source.textContent))));
