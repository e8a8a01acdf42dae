/** What people say of tracks. Each thing said can be taken back at once. */

import { get, isUpload, listen, post, remove, tell, trackPath } from "./api.js";
import { askText } from "./dialog.js";
import { counted, trackName } from "./format.js";
import { keepSetting, setting } from "./kept.js";
import { learn, setOpinion } from "./store.js";
import { report, toast } from "./toast.js";
import { shortcut } from "./shortcuts.js";

const canBeUndone = () => ({ label: "Undo", run: undo });

async function say(body, text, track, change = null) {
  if (isUpload(track.id)) return toast("An upload is not in the library, so nothing is remembered about it.", { kind: "error" });
  try {
    await post("feedback", body);
    if (change) setOpinion(track.id, change);
    tell("feedback", { kind: body.kind, track });
    toast(`${text}: ${trackName(track)}`, { action: canBeUndone() });
  } catch (error) {
    report(error);
  }
  return undefined;
}

export const like = (track) => say({ kind: "like", track: track.id }, "You like", track, { opinion: "like" });
export const dislike = (track) => say({ kind: "dislike", track: track.id }, "Never again", track, { opinion: "dislike" });
export const rate = (track, stars) => say({ kind: "rate", track: track.id, stars }, `${"★".repeat(stars)} for`, track, { rating: stars });
export const skip = (track, after) =>
  say({ kind: "skip", track: track.id, after: after && !isUpload(after.id) ? after.id : null }, "Not now", track);
export const pair = (track, then) => say({ kind: "pair", track: track.id, then: then.id }, `Remembered after ${trackName(track)}`, then);

/** Take back what was said last. */
export async function undo() {
  try {
    let event;
    do { // what the page noted by itself is taken back on the way
      [event] = (await post("feedback/undo")).undone;
    } while (event?.kind === "played");
    if (!event) return toast("There is nothing to undo.");
    const id = event.track;
    const track = await get(trackPath(id)).catch(() => null);
    if (track) {
      learn([track]);
      tell("opinion", { id });
    }
    tell("feedback", { kind: "undo", track: track ?? { id } });
    toast(`Taken back: ${event.title || (track && trackName(track)) || event.kind}`);
  } catch (error) {
    report(error);
  }
  return undefined;
}

/** Ask for a playlist and add tracks to it; a new name makes a new one. */
export async function addToPlaylist(tracks) {
  try {
    const lists = await get("playlists");
    const last = setting("playlist");
    const name = await askText(`Add ${tracks.length === 1 ? trackName(tracks[0]) : counted(tracks.length)} to a playlist`,
      "Playlist, new or known",
      { value: last, button: "Add", suggestions: lists.map((one) => one.name) });
    if (!name) return;
    keepSetting("playlist", name);
    const place = (lists.find((one) => one.name === name)?.tracks ?? 0) + 1;
    const path = `playlists/${encodeURIComponent(name)}`;
    if (place === 1 && !lists.some((one) => one.name === name)) await post("playlists", { name, tracks: tracks.map((one) => one.id) });
    else await post(`${path}/tracks`, { tracks: tracks.map((one) => one.id) });
    tell("playlists");
    toast(`Added to ${name}: ${tracks.length === 1 ? trackName(tracks[0]) : counted(tracks.length)}`,
      { action: { label: "Undo", run: () => takeOut(name, place, tracks.length) } });
  } catch (error) {
    report(error);
  }
}

async function takeOut(name, place, count) {
  try {
    for (let i = 0; i < count; i++) await remove(`playlists/${encodeURIComponent(name)}/tracks/${place}`);
    tell("playlists");
    toast(`Taken out of ${name} again`);
  } catch (error) {
    report(error);
  }
}

listen("played", (track) => {
  if (!isUpload(track.id)) post("feedback", { kind: "played", track: track.id }).catch(() => {}); // nobody asked for it
});
shortcut("z", "Page", "Undo what you said last", () => { undo(); });
