/** The views of the page. Navigation, keys and addresses follow this list, in its order. */

/** {name in the address: its title, the key after "g", and the module whose `mount` shows it}. */
export const VIEWS = {
  find: { title: "Find", key: "f", load: () => import("./find.js") },
  library: { title: "Library", key: "l", load: () => import("./library.js") },
  map: { title: "Map", key: "m", load: () => import("./map.js") },
  sets: { title: "Sets", key: "s", load: () => import("./sets.js") },
  playlists: { title: "Playlists", key: "p", load: () => import("./playlists.js") },
  history: { title: "History", key: "h", load: () => import("./history.js") },
};
