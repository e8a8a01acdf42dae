/** The view History: what you said of tracks, the last first. It can be taken back, the last first. */

import { get, listen } from "./api.js";
import { h, keepFocus, show } from "./dom.js";
import { undo } from "./feedback.js";
import { moment } from "./format.js";
import { icon } from "./icons.js";
import { askById } from "./query_state.js";
import { isEmpty } from "./store.js";
import { report } from "./toast.js";

const WORDS = { liked: "liked", disliked: "never again", rated: "rated", skipped: "not now", paired: "works after", played: "played" };
const SHOWN = 200;

function what(event) {
  const after = event.after_title ? (event.kind === "paired" ? ` works after ${event.after_title}` : `, after ${event.after_title}`) : "";
  return `${event.title || event.track}${after}`;
}

export async function mount(view, { signal }) {
  const list = h("ol", { class: "events plain", "aria-label": "What you said, the last first" });
  const button = h("button", { type: "button", onclick: undo }, icon("undo"), "Undo the last");
  show(view, h("div", { class: "view-head" }, h("h1", { text: "History" }), button), h("div", { class: "card" }, list));
  const read = async () => {
    const { events } = isEmpty() ? { events: [] } : await get("history", { limit: SHOWN }, { signal }); // no library has no history
    button.disabled = !events.some((one) => !one.undone_at);
    keepFocus(list, () =>
      show(list, events.map((event) =>
        h("li", { class: event.undone_at ? "muted" : "" }, h("span", { class: "muted clock", text: moment(event.at) }),
      h("span", { class: `kind ${event.kind}`, text: event.kind === "rated" ? "★".repeat(event.rating) : WORDS[event.kind] ?? event.kind }),
      h("span", { class: "what", text: what(event) }),
      h("button", { type: "button", class: "quiet", "aria-label": `Ask about ${event.title}`,
        onclick: () => { location.hash = "#/find"; askById(event.track); } }, icon("search")))),
    !events.length && h("li",
      { class: "empty-note",
        text: "Nothing yet. What you like, skip, rate and never want again is listed here, and changes what is recommended." })));
  };
  listen("feedback", () => read().catch(report), signal);
  await read();
}
