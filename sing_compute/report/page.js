"use strict";
(() => {
  const value = (cell) => {
    const data = cell.querySelector("data");
    if (!data) return cell.textContent.trim().toLowerCase();
    const text = data.getAttribute("value");
    if (text === "") return null;
    return text.endsWith("inf") ? (text[0] === "-" ? -Infinity : Infinity) : Number(text);
  };
  const sort = (head) => {
    const table = head.closest("table"), body = table.tBodies[0], place = head.cellIndex;
    const down = head.hasAttribute("aria-sort") ? head.getAttribute("aria-sort") !== "descending" : head.classList.contains("number");
    const rows = [...body.rows].map((row, order) => ({ row, order, key: value(row.cells[place]) }));
    rows.sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.order - b.order;
      const step = a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
      return (down ? -step : step) || a.order - b.order;
    });
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...rows.map((each) => each.row));
  };
  for (const head of document.querySelectorAll("thead th")) {
    const text = head.querySelector(".head"), button = document.createElement("button");
    button.type = "button";
    button.append(...text.cloneNode(true).childNodes);
    text.classList.add("paper");
    text.before(button);
    button.addEventListener("click", () => sort(head));
  }
  for (const data of document.querySelectorAll("td data")) if (data.value !== "") data.title = data.value;
  const sheet = document.getElementById("word");
  if (typeof sheet.showModal === "function") {
    document.addEventListener("click", (event) => {
      const link = event.target.closest("a.why, .facts a");
      if (link) {
        const entry = document.getElementById(link.getAttribute("href").slice(1)).cloneNode(true);
        entry.removeAttribute("id");
        sheet.querySelector("dl").replaceChildren(entry);
        sheet.showModal();
        event.preventDefault();
      } else if (event.target === sheet) sheet.close();
    });
  }
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const part of opened) part.open = true;
  });
  addEventListener("afterprint", () => {
    for (const part of opened) part.open = false;
  });
})();
