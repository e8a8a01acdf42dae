/** What the page keeps in the browser: settings for good, and work of one person while the tab is open.
 *
 * A browser may refuse to keep anything. Then the page starts anew each time, and says nothing of it.
 */

import { store } from "./store.js";

const nameOf = (name) => `musicrec.${name}`;

/** Return a setting; "" if there is none. */
export function setting(name) {
  try {
    return localStorage.getItem(nameOf(name)) ?? "";
  } catch {
    return "";
  }
}

/** Keep a setting. */
export function keepSetting(name, text) {
  try {
    localStorage.setItem(nameOf(name), text);
  } catch {
    // Without storage, it holds until the page is closed.
  }
}

const user = () => store.session?.user ?? null;

/** Return what this tab keeps of the person who is here; null if there is nothing, or it is of somebody else. */
export function fromTab(name) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(nameOf(name)));
    return kept?.user === user() ? kept.value : null;
  } catch {
    return null;
  }
}

/** Keep something while the tab is open, for the person who is here. @param {object} value As JSON can hold it. */
export function keepInTab(name, value) {
  try {
    sessionStorage.setItem(nameOf(name), JSON.stringify({ user: user(), value }));
  } catch {
    // It is lost when the page is loaded again.
  }
}
