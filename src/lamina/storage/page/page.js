// Sorting and filtering of tables. Without this script the page says the same.
"use strict";

const textOf = (cell) => cell.querySelector("data")?.value ?? cell.textContent;
const byNumber = (one, other) => Number(one) - Number(other);
const byName = (one, other) => one.localeCompare(other, "en", { numeric: true });

const sortBy = (table, head) => {
  const heads = [...head.parentElement.children];
  const column = heads.indexOf(head);
  const numbers = head.classList.contains("number");
  // Of numbers the largest are wanted first, of names the first.
  const first = numbers ? "descending" : "ascending";
  const second = numbers ? "ascending" : "descending";
  const direction = head.getAttribute("aria-sort") === first ? second : first;
  heads.forEach((each) => each.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", direction);
  const sign = direction === "ascending" ? 1 : -1;
  const compare = numbers ? byNumber : byName;
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => [textOf(row.cells[column]), row]);
  rows.sort(([one], [other]) => sign * compare(one, other));
  body.append(...rows.map(([, row]) => row));
};

for (const table of document.querySelectorAll("table[data-sortable]")) {
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sortBy(table, head));
    head.append(button);
  }
}

for (const field of document.querySelectorAll("input[data-filter]")) {
  const rows = [...document.getElementById(field.dataset.filter).tBodies[0].rows];
  const paragraph = field.closest("p");
  const filter = () => {
    const wanted = field.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    paragraph.querySelector("output").value = `${shown} of ${rows.length}`;
  };
  field.addEventListener("input", filter);
  paragraph.hidden = false;
  filter();
}
