/** The colours of the page as canvas takes them. */

const probe = document.createElement("i");
probe.hidden = true;
document.body.append(probe);

/** Return a colour of the style sheet, such as that of "--text", as it is now: dark or light. */
export function colour(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

/** Return whether the page is dark. */
export const isDark = () => document.documentElement.dataset.theme === "dark" ||
  (document.documentElement.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
