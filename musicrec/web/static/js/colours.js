/** The colours of the page as canvas takes them. */

const probe = document.createElement("i");
probe.hidden = true;
document.body.append(probe);

/** Return a colour of the style sheet, such as that of "--text", as it is now: dark or light. */
export function colour(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

/** Return the colour of a Camelot code, as pills have it. */
export function keyColour(code) {
  Object.assign(probe.dataset, { wheel: code.slice(0, -1), ring: code.at(-1) });
  probe.style.color = "oklch(var(--l) var(--key-c) var(--hue))";
  return getComputedStyle(probe).color;
}

/** Return whether the page is dark. */
export const isDark = () => document.documentElement.dataset.theme === "dark" ||
  (document.documentElement.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
