/** The corner of the page: running jobs, who is here, the theme, help. */

import { listen } from "./api.js";
import { h, iconButton, show } from "./dom.js";
import { icon } from "./icons.js";
import { jobsButton } from "./jobs.js";
import { keepSetting } from "./kept.js";
import { shortcut, showShortcuts } from "./shortcuts.js";
import { store } from "./store.js";
import { announce } from "./toast.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

function switchTheme() {
  const root = document.documentElement;
  const now = root.dataset.theme ?? (dark.matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
  keepSetting("theme", root.dataset.theme);
  dispatchEvent(new Event("themechange"));
  announce(`${root.dataset.theme} colours`);
}

/** Fill the corner. */
export function startTools(element) {
  const people = h("button", { type: "button", class: "quiet person", onclick: async () => (await import("./users.js")).chooseUser() });
  const named = () => {
    const { user, users } = store.session;
    people.hidden = !users;
    people.setAttribute("aria-label", `User: ${user ?? "nobody"}; switch`);
    show(people, icon("user"), h("span", { text: user ?? "Sign in" }));
  };
  named();
  listen("user", named);
  dark.addEventListener("change", () => dispatchEvent(new Event("themechange")));
  show(element, jobsButton(), people,
    iconButton(icon("theme"), "Switch between dark and light", switchTheme),
    iconButton(icon("help"), "Keyboard shortcuts", showShortcuts));
  shortcut("t", "Page", "Dark or light", switchTheme);
}
