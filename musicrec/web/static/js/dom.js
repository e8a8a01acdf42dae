/** Builds elements. Text is always set as text, never parsed as HTML. */

/**
 * Return a new element.
 * @param {string} tag Name of the element.
 * @param {object} [props] Attributes; `on…` are listeners, `class`, `text`, `style` ({name: value}) and `data` ({…}).
 * @param {...(Node|string|null|false|Array)} children What it holds; null and false are passed over.
 */
export function h(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** Return a new SVG element; see `h`. */
export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = value;
    else if (name === "class") element.setAttribute("class", value);
    else if (name === "style") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...shown(children));
  return element;
}

const shown = (children) => children.flat().filter((child) => child !== null && child !== undefined && child !== false);

/** Replace what an element holds. */
export function show(element, ...children) {
  element.replaceChildren(...shown(children));
  return element;
}

const CONTROLS = ":is(button, input, select, textarea, summary, a[href], [tabindex]):not(:disabled)";

/** Draw a part of the page anew. If one of its controls has the focus, the new one of that name or place gets it. */
export function keepFocus(element, redraw) {
  const active = document.activeElement;
  const controls = () => [...element.querySelectorAll(CONTROLS)];
  const nameOf = (control) => control.getAttribute("aria-label") ?? control.textContent;
  const place = active !== element && element.contains(active) ? controls().indexOf(active) : -1;
  redraw();
  if (place < 0 || active.isConnected) return;
  const all = controls();
  const same = nameOf(active) && all.find((one) => one.tagName === active.tagName && nameOf(one) === nameOf(active));
  (same || all[place] || all.at(-1))?.focus({ preventScroll: true });
}

/** Return a function that runs `act` once nobody has called it for `wait_ms`; its `cancel` forgets the last call. */
export function later(act, wait_ms = 150) {
  let timer = 0;
  const run = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(act, wait_ms, ...values);
  };
  run.cancel = () => clearTimeout(timer);
  return run;
}

let ids = 0;
/** Return a new id, for labels. */
export const newId = (name) => `${name}-${++ids}`;

/** Return a button with an icon and a name for screen readers and the pointer. */
export function iconButton(picture, label, act, props = {}) {
  return h("button", { type: "button", "aria-label": label, title: label, onclick: act, ...props,
    class: `icon-button ${props.class ?? ""}` }, picture);
}

/** Return a labelled field: the label above, the control below. */
export function field(label, control, props = {}) {
  control.id ||= newId("field");
  return h("div", { ...props, class: `field ${props.class ?? ""}` }, h("label", { for: control.id, text: label }), control);
}

/** Return a <select>. @param {Array<[string, string]>} options Values and texts. */
export function select(options, chosen, act, props = {}) {
  const list = options.map(([value, text]) => h("option", { value, text, selected: value === chosen }));
  return h("select", { ...props, onchange: (event) => act(event.target.value) }, list);
}
