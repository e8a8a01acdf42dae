/** Rows whose order people change: dragged by a grip, or moved place by place. They stand in their new order at once. */

import { announce } from "./toast.js";

const EDGES = [120, 140]; // pixels at the top and the bottom of the window in which a dragged row scrolls the page

/**
 * Let a row be moved among the rows of its list.
 * @param {HTMLElement} element The row.
 * @param {HTMLElement} grip What it is dragged by; the arrow keys move it, too.
 * @param {{list: HTMLElement, rows: string, name: string, done: function(string[], number)}} options `rows` is the
 *   selector of all rows; `done` receives the ids of their tracks in the new order, and the new place from 0.
 * @returns {function(number)} Moves the row by so many places, 1 or -1.
 */
export function movable(element, grip, { list, rows, name, done }) {
  const all = () => [...list.querySelectorAll(rows)];
  const swap = (by) => { // the neighbour makes room, so that the row keeps the focus and the pointer
    const ones = all();
    const other = ones[ones.indexOf(element) + by];
    if (!other) return false;
    if (by < 0) element.after(other);
    else element.before(other);
    all().forEach((one, i) => { one.querySelector(".rank").textContent = i + 1; });
    return true;
  };
  const tell = () => {
    const ones = all();
    done(ones.map((one) => one.dataset.track), ones.indexOf(element));
  };
  const by = (places) => {
    if (!swap(places)) return;
    list.classList.add("sorting");
    announce(`${name}: place ${all().indexOf(element) + 1} of ${all().length}`);
    tell();
  };
  grip.addEventListener("keydown", (event) => {
    const places = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!places) return;
    event.preventDefault();
    event.stopPropagation();
    by(places);
  });
  grip.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    grip.setPointerCapture(event.pointerId);
    list.classList.add("sorting"); // what is between the rows keeps its room, so that nothing jumps
    element.classList.add("dragged");
    const before = all().indexOf(element);
    let at = event.clientY;
    let moved = false;
    const middle = (one) => { const box = one.getBoundingClientRect(); return box.top + box.height / 2; };
    const settle = () => {
      for (;;) {
        const ones = all();
        const place = ones.indexOf(element);
        if (ones[place - 1] && at < middle(ones[place - 1])) swap(-1);
        else if (ones[place + 1] && at > middle(ones[place + 1])) swap(1);
        else return;
      }
    };
    let frame = requestAnimationFrame(function scroll() { // also while the pointer rests
      const step = at < EDGES[0] ? -10 : at > innerHeight - EDGES[1] ? 10 : 0;
      if (step && moved) {
        scrollBy(0, step);
        settle();
      }
      frame = requestAnimationFrame(scroll);
    });
    const move = ({ clientY }) => {
      moved ||= Math.abs(clientY - event.clientY) > 3;
      at = clientY;
      settle();
    };
    const end = () => {
      cancelAnimationFrame(frame);
      grip.removeEventListener("pointermove", move);
      element.classList.remove("dragged");
      if (all().indexOf(element) !== before) tell();
      else list.classList.remove("sorting");
    };
    grip.addEventListener("pointermove", move);
    grip.addEventListener("pointerup", end, { once: true });
    grip.addEventListener("pointercancel", end, { once: true });
  });
  return by;
}
