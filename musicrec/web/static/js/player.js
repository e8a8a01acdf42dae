/** The player: two audio elements, a queue, and the switch between the query (A) and a result (B) at the same place. */

import { address, get, isUpload, tell, trackPath } from "./api.js";
import { trackName } from "./format.js";
import { report, toast } from "./toast.js";

// While one deck plays, the other one holds the track to compare with, so that A/B has no gap.
const decks = [new Audio(), new Audio()];
for (const deck of decks) deck.preload = "auto";
const PREVIEW = "?preview=true";
export let audio = decks[0]; // the deck that is heard

export const player = {
  track: null,
  queue: [],
  compare: null, // {a, b}: the query and the result; the track that plays is one of them
};

const wanted = { share: null, turn: 0 }; // where the next track is to begin, from 0 to 1

/** Return how far the track is, from 0 to 1. */
export function share() {
  const whole = audio.duration || player.track?.duration_s;
  return whole ? audio.currentTime / whole : 0;
}

/**
 * Return the volume at which tracks sound equally loud. Nothing is made louder, as it could clip: the louder ones are
 * brought down to the quietest of those that are compared, or else to a level that most tracks reach.
 */
function matchedVolume(loudness, others = [], usual = -16) {
  const known = others.filter((one) => typeof one === "number");
  if (typeof loudness !== "number") return 1;
  const level = known.length ? Math.min(loudness, ...known) : Math.min(loudness, usual);
  return Math.min(1, 10 ** ((level - loudness) / 20));
}

function setVolume() {
  const { compare, track } = player;
  audio.volume = matchedVolume(track?.loudness, compare ? [compare.a.loudness, compare.b.loudness] : []);
}

/** Tell the system what plays, for its own player and the keys of the keyboard. */
function showOnKeys(track) {
  if (!navigator.mediaSession) return;
  navigator.mediaSession.metadata = new MediaMetadata({ title: track.title || track.name || "", artist: track.artist ?? "",
    album: track.album ?? "" });
}

const holds = (deck, track) => deck.dataset.track === String(track.id) && !deck.error;

function load(deck, track) {
  if (holds(deck, track)) return;
  deck.dataset.track = track.id;
  deck.src = address(trackPath(track.id, "/audio"));
}

/** Load an MP3 in place of a file that this browser does not play, such as Ogg in older Safaris; return whether it is tried. */
function tryPreview(deck) {
  const { track } = deck.dataset;
  if (deck.error?.code !== MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED || deck.src.endsWith(PREVIEW) || isUpload(track)) return false;
  deck.src = address(trackPath(track, `/audio${PREVIEW}`));
  if (deck === audio) deck.play().catch(() => {}); // what goes wrong is told by the event
  return true;
}

/** Return the deck for a track: the one that holds it; else the one that is heard, unless that holds the query. */
function deckFor(track) {
  const query = player.compare?.a;
  return decks.find((one) => holds(one, track)) ?? (query && holds(audio, query) ? decks.find((one) => one !== audio) : audio);
}

async function start(track, from) {
  const turn = ++wanted.turn;
  const before = audio;
  player.track = track;
  audio = deckFor(track);
  wanted.share = from;
  load(audio, track);
  if (audio.readyState >= 1) place();
  setVolume();
  showOnKeys(track);
  tell("player");
  try {
    await audio.play();
  } catch (error) {
    if (turn === wanted.turn && error.name === "NotAllowedError") toast("The browser blocks sound until you press play once.");
  }
  if (before !== audio) before.pause(); // not earlier: it is heard until the other one sounds
  const { compare } = player;
  if (compare && turn === wanted.turn) load(decks.find((one) => one !== audio), track.id === compare.a.id ? compare.b : compare.a);
}

function place() {
  if (wanted.share !== null) audio.currentTime = wanted.share * audio.duration;
  wanted.share = null;
}

/**
 * Play a track.
 * @param {object} track Its row.
 * @param {{queue?: object[], query?: object|null, from?: number}} [options] What follows; what it answers, for A/B; the
 *   share of its length at which it begins.
 */
export function play(track, { queue = player.queue, query = null, from = 0 } = {}) {
  player.queue = queue;
  player.compare = query && query.id !== track.id ? { a: query, b: track } : null;
  return start(track, from);
}

/** Play or pause; a track that is given and does not play yet is played. */
export function toggle(track = null, options = {}) {
  if (track && track.id !== player.track?.id) return play(track, options);
  if (!player.track) return player.queue.length ? play(player.queue[0]) : undefined;
  if (audio.error) return play(player.track, { query: player.compare?.a ?? null });
  return audio.paused ? audio.play().catch(() => {}) : audio.pause();
}

/** Play the track of the queue that is so many places further. */
export function step(places) {
  const at = player.queue.findIndex((one) => one.id === player.track?.id);
  const next = player.queue[at + places];
  if (!next) return toast(places > 0 ? "This was the last track of the list." : "This is the first track of the list.");
  return play(next, { query: player.compare?.a ?? null });
}

/** Switch between the query and the result, at the same relative place. */
export function switchAB(from = share()) {
  const { compare, track } = player;
  if (!compare) return false;
  return start(track.id === compare.b.id ? compare.a : compare.b, from);
}

/** Go to a share of the track, from 0 to 1. */
export function seek(to) {
  const whole = audio.duration || player.track?.duration_s;
  if (whole) audio.currentTime = Math.max(0, Math.min(0.999, to)) * whole;
}

export const seekBy = (seconds) => seek((audio.currentTime + seconds) / (audio.duration || player.track?.duration_s || 1));
export const isRunning = () => !audio.paused && !audio.error;
export const isPlaying = (id) => player.track?.id === id && isRunning();

const NO_OUTPUT = /sink/i; // what Firefox says when a sound card is unplugged: OnMediaSinkAudioError

/** Listen to both decks; only the one that is heard counts. */
const on = (name, act) => { for (const deck of decks) deck.addEventListener(name, () => { if (deck === audio) act(); }); };
on("loadedmetadata", place);
for (const name of ["play", "pause", "ended", "loadedmetadata", "waiting", "playing"]) on(name, () => tell("player"));
on("timeupdate", () => tell("time"));
on("ended", () => {
  tell("played", player.track);
  const at = player.queue.findIndex((one) => one.id === player.track?.id);
  if (at >= 0 && player.queue[at + 1]) step(1);
});
for (const deck of decks) deck.addEventListener("error", () => { if (!tryPreview(deck) && deck === audio) sayWhy(); });

/** Say why the track does not play. */
async function sayWhy() {
  const { track } = player;
  if (!track || !audio.src) return;
  tell("player");
  if (NO_OUTPUT.test(audio.error?.message)) {
    toast("The browser has no sound output. Connect one, and press play again.", { kind: "error" });
    return;
  }
  try {
    const { has } = await get(trackPath(track.id));
    const why = has.audio ? "its file cannot be decoded; it may be damaged" : "its file is not there any more";
    toast(`${trackName(track)} cannot be played: ${why}.`, { kind: "error" });
  } catch (error) {
    report(error); // of the server; nothing is known of the file
  }
}
for (const [name, act] of Object.entries({ play: () => toggle(), pause: () => toggle(), nexttrack: () => step(1),
  previoustrack: () => step(-1) })) {
  navigator.mediaSession?.setActionHandler(name, act);
}
