/** What a view shows while there is no library: how to begin. */

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { store } from "./store.js";

/** Return what a new user sees: there is no library yet. */
export function emptyLibrary() {
  return h("section", { class: "welcome" },
    h("h2", { text: "Start with your music" }),
    h("p", {}, "musicrec listens to a folder of music once: tempo, key, energy, tags, and how it sounds. ",
      "Your files are only read, and nothing leaves this computer."),
    store.session.can_index
      ? h("button", { type: "button", class: "primary large",
        onclick: async () => (await import("./index_folder.js")).indexFolder() }, icon("folder"), "Index a folder")
      : h("p", {}, "Index one in a terminal: ", h("code", { text: "musicrec index ~/Music" })),
    h("ol", { class: "steps" }, h("li", { text: "Index a folder. You can go on while it runs." }),
      h("li", { text: "Drop a track here, or pick one: what goes with it?" }),
      h("li", { text: "Like, skip and rate; build a set; export it for your decks." })));
}
