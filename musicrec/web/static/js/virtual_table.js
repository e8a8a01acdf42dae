/** A table of any length: only the rows in sight are elements, and rows are fetched a page at a time. */

import { h, show } from "./dom.js";
import { report } from "./toast.js";

const PAGE = 200;
const MOST_PAGES = 50; // that are kept: those next to what is in sight
const AROUND = 8; // rows above and below those in sight
const HEAD = 37; // height of the head, which stays at the top
const MOST_PIXELS = 15_000_000; // browsers cut off what is taller

/**
 * Return the table.
 * @param {{label: string, columns: object[], fetchPage: function(number, number), makeRow: function(object, number),
 *   onsort: function(string), rowHeight: function(): number}} options `fetchPage(offset, limit, signal)` resolves to
 *   {total, tracks}; the signal ends it when its rows have been passed. A column is {name, text, sort, class}.
 */
export function virtualTable({ label, columns, fetchPage, makeRow, onsort, rowHeight }) {
  const space = h("div", { class: "table-space", role: "rowgroup" });
  const head = h("div", { class: "table-head", role: "row", "aria-rowindex": 1 });
  const body = h("div", { class: "table-body", role: "presentation" },
    h("div", { class: "table-head-group", role: "rowgroup" }, head), space);
  const element = h("div", { class: "table", role: "grid", "aria-label": label, "aria-colcount": columns.length }, body);
  let pages = new Map(); // {number of the page: its rows}
  const coming = new Map(); // {number of a page that is fetched: what gives it up}
  let rows = new Map(); // {index: element}
  let total = 0;
  let at = 0; // the row that Tab reaches
  let turn = 0;

  const height = () => rowHeight();
  const scale = () => Math.max(1, (total * height()) / MOST_PIXELS);
  const rowAt = (index) => pages.get(Math.floor(index / PAGE))?.[index % PAGE];

  async function load(page) {
    if (coming.has(page)) return;
    const giveUp = new AbortController();
    coming.set(page, giveUp);
    try {
      const found = await fetchPage(page * PAGE, PAGE, giveUp.signal);
      if (giveUp.signal.aborted) return;
      pages.set(page, found.tracks);
      const far = [...pages.keys()].sort((a, b) => Math.abs(b - page) - Math.abs(a - page));
      for (const one of far.slice(0, Math.max(0, far.length - MOST_PAGES))) pages.delete(one);
      draw();
    } catch (error) {
      report(error);
    } finally {
      if (coming.get(page) === giveUp) coming.delete(page);
    }
  }

  /** Give up pages that are fetched, but those from one number to another. */
  function giveUpBut(first, last) {
    for (const [page, fetched] of coming) {
      if (page >= first && page <= last) continue;
      coming.delete(page);
      fetched.abort();
    }
  }

  /** Return the rows before and after one, as far as they are here without a gap. */
  function around(index) {
    let [first, last] = [Math.floor(index / PAGE), Math.floor(index / PAGE)];
    while (pages.has(first - 1)) first -= 1;
    while (pages.has(last + 1)) last += 1;
    return Array.from({ length: last - first + 1 }, (_, i) => pages.get(first + i) ?? []).flat();
  }

  function draw() {
    const tall = height();
    space.style.height = `${(total * tall) / scale()}px`;
    const top = body.scrollTop * scale(); // of the whole table, in its own pixels
    const from = Math.max(0, Math.floor(top / tall) - AROUND);
    const to = Math.min(total, Math.ceil((top + body.clientHeight) / tall) + AROUND);
    for (const [index, row] of rows) {
      if ((index < from || index >= to) && !row.contains(document.activeElement)) {
        row.remove();
        rows.delete(index);
      }
    }
    giveUpBut(Math.floor(from / PAGE), Math.floor((to - 1) / PAGE));
    for (let index = from; index < to; index += 1) {
      const track = rowAt(index);
      if (!track) {
        load(Math.floor(index / PAGE));
        continue;
      }
      if (!rows.has(index)) {
        const row = makeRow(track, index);
        row.setAttribute("role", "row");
        row.setAttribute("aria-rowindex", index + 2);
        row.addEventListener("focusin", () => reach(index));
        rows.set(index, row);
        const after = [...space.children].find((one) => Number(one.getAttribute("aria-rowindex")) > index + 2);
        space.insertBefore(row, after ?? null);
      }
      const row = rows.get(index);
      row.style.top = `${index * tall - top + body.scrollTop}px`;
      letTab(row, index === at);
    }
    if (!rows.has(at) && rows.size) letTab(rows.get(Math.min(...rows.keys())), true);
  }

  /** Let Tab reach a row and its buttons, or pass it over: only one row is on the way through the page. */
  function letTab(row, on) {
    row.tabIndex = on ? 0 : -1;
    for (const button of row.querySelectorAll(".buttons-cell button")) button.tabIndex = on ? 0 : -1;
  }

  function reach(index) {
    at = index;
    for (const [one, row] of rows) letTab(row, one === at);
  }

  function scrollTo(index) {
    const tall = height();
    const top = (index * tall) / scale();
    if (top < body.scrollTop) body.scrollTop = top;
    else if (top + tall + HEAD > body.scrollTop + body.clientHeight) body.scrollTop = top + tall + HEAD - body.clientHeight;
    draw();
  }

  async function focusRow(index) {
    const to = Math.max(0, Math.min(total - 1, index));
    if (total === 0) return;
    scrollTo(to);
    for (let tries = 0; !rows.has(to) && tries < 100; tries += 1) await new Promise((done) => setTimeout(done, 20));
    rows.get(to)?.focus({ preventScroll: true });
  }

  body.addEventListener("scroll", () => requestAnimationFrame(draw));
  element.addEventListener("keydown", (event) => {
    if (event.target.closest("[role=columnheader]") || event.ctrlKey || event.altKey || event.metaKey) return;
    const many = Math.max(1, Math.floor((body.clientHeight - HEAD) / height()) - 1);
    const to = { ArrowDown: at + 1, j: at + 1, ArrowUp: at - 1, k: at - 1, PageDown: at + many, PageUp: at - many, Home: 0,
      End: total - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    focusRow(to);
  });
  new ResizeObserver(draw).observe(body);

  /** Show the head, with the column by which it is sorted. */
  function setSort(sort, order) {
    show(head, columns.map((column) => h("div", { role: "columnheader", class: column.class ?? "",
      "aria-sort": column.sort && column.sort === sort ? (order === "asc" ? "ascending" : "descending") : null },
    column.sort ? h("button",
      { type: "button", onclick: () => { onsort(column.sort); head.querySelector(`[data-sort="${column.sort}"]`)?.focus(); },
        data: { sort: column.sort } }, column.text,
      h("span", { "aria-hidden": "true", text: column.sort === sort ? (order === "asc" ? "▲" : "▼") : "" }))
      : h("span", { class: "unseen", text: column.text }))));
  }

  /** Fetch everything anew; `keepPlace` stays where it is scrolled to. */
  async function reload({ keepPlace = false } = {}) {
    turn += 1;
    const mine = turn;
    giveUpBut(0, -1);
    const place = keepPlace ? body.scrollTop : 0;
    const page = keepPlace ? Math.floor(((place * scale()) / height()) / PAGE) : 0;
    const found = await fetchPage(page * PAGE, PAGE);
    if (mine !== turn) return null;
    pages = new Map([[page, found.tracks]]);
    for (const row of rows.values()) row.remove();
    rows = new Map();
    total = found.total;
    at = Math.min(keepPlace ? at : 0, Math.max(0, total - 1));
    element.setAttribute("aria-rowcount", total + 1);
    space.style.height = `${(total * height()) / scale()}px`;
    body.scrollTop = place;
    draw();
    return found;
  }

  return { element, body, setSort, reload, draw, focusFirst: () => focusRow(0), shown: () => [...rows.values()], around };
}
