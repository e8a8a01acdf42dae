"""Synthesise a score: seven pitched instruments from wavetables, a drum kit from sines and noise, and a room."""

from dataclasses import dataclass

import numpy as np

from musicrec.data.synthetic.composition import Note, Score, SyntheticTrack, compose

TABLE_SIZE = 4096
ROLE_LEVEL_DB = {"melody": 0.0, "chords": -1.5, "bass": -1.0, "pad": -4.0, "drums": 0.5}


@dataclass(frozen=True)
class Timbre:
    """The sound of an instrument: a bright and a dark spectrum, of which the bright one fades first, as on a string.

    Attributes:
        partials: Amplitudes of the first harmonics.
        slope: Further harmonics have the amplitude harmonic ** -slope; 0 for none.
        bright_decay_s: Time constant of the bright spectrum; 0 if it sustains.
        dark_decay_s: Time constant of the dark spectrum; 0 if it sustains.
        attack_s: Duration of the attack.
        release_s: Duration of the release.
        voices_cents: Detuning of each voice.
        vibrato_cents: Depth of the vibrato.
        tremolo: Depth of the tremolo, 0 to 1.
        breath: Level of the noise.
        pluck: Position of the plucking point on a string, as a share of its length; 0 for none.
        resonances_hz: Resonances of the body.
    """

    partials: tuple[float, ...]
    slope: float
    bright_decay_s: float
    dark_decay_s: float
    attack_s: float
    release_s: float
    voices_cents: tuple[float, ...] = (0.0,)
    vibrato_cents: float = 0.0
    tremolo: float = 0.0
    breath: float = 0.0
    pluck: float = 0.0
    resonances_hz: tuple[float, ...] = ()


TIMBRES = {
    "piano": Timbre((1.0, 0.75, 0.5, 0.4, 0.3), 1.3, 0.28, 1.1, 0.004, 0.12, voices_cents=(-1.5, 1.5)),
    "organ": Timbre(
        (1.0, 0.8, 0.55, 0.5, 0.03, 0.35, 0.02, 0.3), 0.0, 0.0, 0.0, 0.01, 0.05, tremolo=0.2, vibrato_cents=6
    ),
    "strings": Timbre(
        (1.0,),
        1.0,
        0.0,
        0.0,
        0.14,
        0.22,
        voices_cents=(-9.0, -3.0, 4.0, 10.0),
        vibrato_cents=10,
        resonances_hz=(480.0, 1100.0),
    ),
    "bass": Timbre((1.0, 0.8, 0.45, 0.3, 0.2, 0.12, 0.08, 0.05), 0.0, 0.2, 0.7, 0.006, 0.06),
    "synth": Timbre((1.0,), 0.75, 0.16, 0.0, 0.006, 0.08, voices_cents=(-7.0, 7.0)),
    "guitar": Timbre((1.0,), 1.0, 0.14, 0.6, 0.002, 0.07, pluck=0.17, resonances_hz=(220.0, 2100.0)),
    "flute": Timbre((1.0, 0.3, 0.1, 0.04), 0.0, 0.0, 0.0, 0.06, 0.09, vibrato_cents=16, tremolo=0.1, breath=0.1),
}


@dataclass(frozen=True)
class Patch:
    """How the instruments of one artist differ from those of others.

    Attributes:
        tuning_cents: Deviation from 440 Hz tuning.
        tilt: Exponent of the spectral tilt.
        attack_scale: Factor of the attack times.
        decay_scale: Factor of the decay times.
        detune_scale: Factor of the detuning between voices.
        vibrato_hz: Rate of vibrato and tremolo.
        wet: Level of the reverberation relative to the direct sound.
        reverb_s: Length of the reverberation.
        level_db: Levels of the five roles.
    """

    tuning_cents: float
    tilt: float
    attack_scale: float
    decay_scale: float
    detune_scale: float
    vibrato_hz: float
    wet: float
    reverb_s: float
    level_db: tuple[float, ...]


def draw_patch(seed: tuple[int, ...]) -> Patch:
    """Draw the patch of the artist with this seed."""
    rng = np.random.default_rng((*seed, 1))
    return Patch(
        tuning_cents=rng.uniform(-12, 12),
        tilt=rng.uniform(-0.25, 0.25),
        attack_scale=rng.uniform(0.75, 1.3),
        decay_scale=rng.uniform(0.75, 1.35),
        detune_scale=rng.uniform(0.5, 1.5),
        vibrato_hz=rng.uniform(4.6, 6.4),
        wet=rng.uniform(0.05, 0.3),
        reverb_s=rng.uniform(0.2, 0.9),
        level_db=tuple(rng.uniform(-1.5, 1.5, 5)),
    )


def render(track: SyntheticTrack, *, duration_s: float, sample_rate: int) -> tuple[np.ndarray, list[str]]:
    """Compose and synthesise a track.

    Args:
        track: The track.
        duration_s: Seconds to render.
        sample_rate: In Hz.

    Returns:
        The audio as (samples,) int16, mono, and the sorted names of its instruments.
    """
    score = compose(track, duration_s=duration_s)
    return synthesise(score, track, duration_s=duration_s, sample_rate=sample_rate), score.instruments


def synthesise(score: Score, track: SyntheticTrack, *, duration_s: float, sample_rate: int) -> np.ndarray:
    """Synthesise a score.

    Level and brightness follow the energy of the track, with small random deviations.

    Args:
        score: The notes.
        track: The track, for its energy and its seeds.
        duration_s: Seconds to render.
        sample_rate: In Hz.

    Returns:
        The audio as (samples,) int16, mono.
    """
    samples = round(duration_s * sample_rate)
    patch, rng = draw_patch(track.artist_seed), np.random.default_rng((*track.track_seed, 1))
    mix = np.zeros(samples, np.float32)
    for level_db, (role, role_db) in zip(patch.level_db, ROLE_LEVEL_DB.items(), strict=True):
        for (part_role, instrument), notes in score.parts.items():
            if part_role == role:
                bus = _play(instrument, notes, samples, sample_rate, patch, track.energy, rng)
                mix += _levelled(bus, role_db + level_db)
        if role == "drums" and score.drums:
            mix += _levelled(_play_drums(score, samples, sample_rate, track, rng), role_db + level_db)
    mix = _room(mix, sample_rate, patch, track.energy, rng)

    fade = min(samples, int(0.05 * sample_rate))
    mix[samples - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    level_db = -27.0 + 12.0 * track.energy + rng.normal(0.0, 1.0)
    mix *= 10 ** (level_db / 20) / np.sqrt(np.mean(mix**2) + 1e-12)
    mix += rng.standard_normal(samples, dtype=np.float32) * 10 ** ((level_db - rng.uniform(36, 50)) / 20)
    return np.round(0.97 * np.tanh(mix) * 32767).astype(np.int16)  # soft limit, so nothing clips


def _levelled(bus: np.ndarray, level_db: float) -> np.ndarray:
    # The level of the loud parts, not the mean: otherwise a sparse part would become louder than a dense one.
    power = np.square(bus[: len(bus) // 256 * 256]).reshape(-1, 256).mean(axis=1)
    power = np.convolve(power, np.full(32, 1 / 32), "same")
    return bus * np.float32(10 ** (level_db / 20) / np.sqrt(np.quantile(power, 0.9) + 1e-9))


def _play(
    instrument: str,
    notes: list[Note],
    samples: int,
    sample_rate: int,
    patch: Patch,
    energy: float,
    rng: np.random.Generator,
) -> np.ndarray:
    timbre = TIMBRES[instrument]
    bus = np.zeros(samples, np.float32)
    tables = {p: _tables(timbre, _hz(p, patch), sample_rate, patch, energy) for p in {note.pitch for note in notes}}
    for note in notes:
        start = round(note.start_s * sample_rate)
        length = min(round((note.duration_s + timbre.release_s) * sample_rate), samples - start)
        if length > 0:
            tone = _tone(timbre, tables[note.pitch], note, length, sample_rate, patch, rng)
            bus[start : start + length] += note.velocity * tone
    return bus


def _hz(pitch: int, patch: Patch) -> float:
    return 440.0 * 2.0 ** ((pitch - 69 + patch.tuning_cents / 100) / 12)


def _tables(timbre: Timbre, f0_hz: float, sample_rate: int, patch: Patch, energy: float) -> np.ndarray:
    """Return one period of the bright and the dark spectrum (2, TABLE_SIZE), with harmonics up to 0.45 sample_rate."""
    harmonic = np.arange(1, max(2, int(0.45 * sample_rate / f0_hz) + 1))
    amplitude = harmonic.astype(float) ** -timbre.slope if timbre.slope else np.zeros(len(harmonic))
    given = min(len(timbre.partials), len(harmonic))
    amplitude[:given] = timbre.partials[:given]
    if timbre.pluck:
        amplitude *= np.abs(np.sin(np.pi * harmonic * timbre.pluck))
    for resonance_hz in timbre.resonances_hz:
        amplitude *= 1.0 + 1.5 * np.exp(-(np.log2(harmonic * f0_hz / resonance_hz) ** 2) / 0.1)
    amplitude *= harmonic ** (patch.tilt + 0.6 * (energy - 0.5))
    spectra = np.zeros((2, TABLE_SIZE // 2 + 1), complex)
    phase = np.exp(2j * np.pi * np.modf(harmonic**2 * 0.137)[0])  # fixed phases that are not aligned keep the peaks low
    spectra[0, harmonic] = amplitude * phase * (harmonic > 1)
    spectra[1, harmonic] = amplitude * phase * harmonic**-0.7
    return np.fft.irfft(spectra * TABLE_SIZE / 2).astype(np.float32)


def _tone(
    timbre: Timbre,
    tables: np.ndarray,
    note: Note,
    length: int,
    sample_rate: int,
    patch: Patch,
    rng: np.random.Generator,
) -> np.ndarray:
    time_s = np.arange(length, dtype=np.float32) / np.float32(sample_rate)
    f0_hz = _hz(note.pitch, patch)
    wobble = np.sin(np.float32(2 * np.pi * patch.vibrato_hz) * time_s)
    bend_s = np.float32(timbre.vibrato_cents / 1200 * np.log(2) / (2 * np.pi * patch.vibrato_hz)) * wobble
    bright, dark = np.zeros(length, np.float32), np.zeros(length, np.float32)
    for cents in timbre.voices_cents:
        voice_hz = f0_hz * 2 ** (cents * patch.detune_scale / 1200)
        index = (time_s + bend_s) * np.float32(voice_hz * TABLE_SIZE) + np.float32(rng.uniform(0, TABLE_SIZE))
        index = index.astype(np.int32) % TABLE_SIZE
        bright += tables[0][index]
        dark += tables[1][index]
    # High notes decay faster than low ones.
    decay_scale = patch.decay_scale * (440.0 / f0_hz) ** 0.3
    if timbre.bright_decay_s:
        bright *= np.exp(time_s * np.float32(-1 / (timbre.bright_decay_s * decay_scale)))
    if timbre.dark_decay_s:
        dark *= np.exp(time_s * np.float32(-1 / (timbre.dark_decay_s * decay_scale)))
    tone = (bright + dark) / np.float32(np.sqrt(len(timbre.voices_cents)))
    if timbre.tremolo:
        tone *= 1 + np.float32(timbre.tremolo) * wobble
    if timbre.breath:
        tone += np.float32(timbre.breath) * rng.standard_normal(length, dtype=np.float32)
    attack = min(timbre.attack_s * patch.attack_scale, 0.5 * note.duration_s)
    tone *= np.minimum(time_s / np.float32(attack), 1)
    return tone * np.clip(1 - (time_s - np.float32(note.duration_s)) / np.float32(timbre.release_s), 0, 1)


def _play_drums(
    score: Score, samples: int, sample_rate: int, track: SyntheticTrack, rng: np.random.Generator
) -> np.ndarray:
    kit = _kit(np.random.default_rng((*track.artist_seed, 2)), sample_rate)
    bus = np.zeros(samples, np.float32)
    for drum, hits in score.drums.items():
        for start_s, velocity in hits:
            start = round(start_s * sample_rate)
            sound = kit[drum][: max(0, samples - start)]
            bus[start : start + len(sound)] += np.float32(velocity) * sound
    return bus


def _kit(rng: np.random.Generator, sample_rate: int) -> dict[str, np.ndarray]:
    """Draw the drum sounds of an artist, {drum: (samples,) float32}. The order of the draws is fixed."""
    time_s = np.arange(int(0.5 * sample_rate)) / sample_rate

    def thump(low_hz: float, sweep_hz: float, decay_s: float) -> np.ndarray:
        phase = 2 * np.pi * (low_hz * time_s + sweep_hz * 0.03 * (1 - np.exp(-time_s / 0.03)))
        return np.sin(phase) * np.exp(-time_s / decay_s)

    def hiss(low_hz: float, high_hz: float, decay_s: float) -> np.ndarray:
        spectrum = np.fft.rfft(rng.standard_normal(len(time_s)))
        hz = np.fft.rfftfreq(len(time_s), 1 / sample_rate)
        noise = np.fft.irfft(spectrum * ((hz > low_hz) & (hz < high_hz)), len(time_s))
        return noise / (np.abs(noise).max() + 1e-9) * np.exp(-time_s / decay_s)

    drawn = rng.uniform(0.8, 1.25, 9)
    claps = sum(np.roll(hiss(900, 3500, 0.012), int(delay * sample_rate)) for delay in (0.0, 0.011, 0.022))
    kit = {
        "kick": thump(50 * drawn[0], 160 * drawn[1], 0.14 * drawn[2]) + 0.15 * hiss(1000, 5000, 0.004),
        "tom": thump(85 * drawn[1], 60, 0.2 * drawn[2]) + 0.1 * hiss(500, 3000, 0.006),
        "snare": 0.4 * thump(185 * drawn[3], 60, 0.06) + 0.9 * hiss(700, 7000, 0.09 * drawn[4]),
        "clap": 0.6 * claps + 0.5 * hiss(900, 4000, 0.08 * drawn[4]),
        "rim": 0.6 * np.sin(2 * np.pi * 1650 * drawn[5] * time_s) * np.exp(-time_s / 0.012)
        + 0.2 * hiss(2000, 7000, 0.008),
        "hat": 0.35 * hiss(5200 * drawn[6], 8000, 0.025 * drawn[7]),
        "open_hat": 0.4 * hiss(4800 * drawn[6], 8000, 0.11 * drawn[8]),
        "shaker": 0.3 * hiss(3800, 7500, 0.035 * drawn[7]),
    }
    return {name: sound.astype(np.float32) for name, sound in kit.items()}


def _room(mix: np.ndarray, sample_rate: int, patch: Patch, energy: float, rng: np.random.Generator) -> np.ndarray:
    """Add reverberation, a decaying noise tail, and reduce the treble of tracks with little energy."""
    tail = int(patch.reverb_s * sample_rate)
    impulse = rng.standard_normal(tail) * np.exp(-5.0 * np.arange(tail) / tail)
    impulse *= patch.wet / np.sqrt(np.sum(impulse**2))
    impulse[0] = 1.0
    size = 1 << (len(mix) + tail).bit_length()
    cutoff_hz = 1800.0 * 4.0**energy * rng.uniform(0.85, 1.2)
    hz = np.fft.rfftfreq(size, 1 / sample_rate)
    gain = 1 / np.sqrt(1 + (hz / cutoff_hz) ** 2)
    return np.fft.irfft(np.fft.rfft(mix, size) * np.fft.rfft(impulse, size) * gain, size)[: len(mix)].astype(np.float32)
