"""Record the features that kaldi-native-fbank makes of the sounds in tests/engines/features.

    PYTHONPATH=tests python scripts/make_features.py tests/engines/features/fbank.npz

Needs kaldi-native-fbank 1.20, which is the last to transform in double precision. It gives nothing
for less than a frame; such sounds are padded with zeros to one, which is our rule.
"""

from __future__ import annotations

import sys
from pathlib import Path

import kaldi_native_fbank as knf
import numpy as np
from engines.features.sounds import sounds

FRAME = 400


def features_of(samples: np.ndarray) -> np.ndarray:
    """With the settings of FunASR's WavFrontend, without dither; float32[frames, 80]."""
    options = knf.FbankOptions()
    options.frame_opts.samp_freq = 16_000
    options.frame_opts.dither = 0.0
    options.frame_opts.window_type = "hamming"
    options.frame_opts.frame_shift_ms = 10.0
    options.frame_opts.frame_length_ms = 25.0
    options.frame_opts.snip_edges = True
    options.mel_opts.num_bins = 80
    options.mel_opts.debug_mel = False
    options.energy_floor = 0.0
    fbank = knf.OnlineFbank(options)
    padded = np.pad(samples, (0, max(0, FRAME - len(samples))))
    fbank.accept_waveform(16_000, (padded * np.float32(1 << 15)).tolist())
    fbank.input_finished()
    return np.stack([fbank.get_frame(index) for index in range(fbank.num_frames_ready)])


def main() -> None:
    made = {name: features_of(samples) for name, samples in sounds().items()}
    path = Path(sys.argv[1])
    np.savez_compressed(path, **made, version=np.array(knf.__version__))
    frames = sum(map(len, made.values()))
    print(f"{frames} frames, {path.stat().st_size:,} B, by kaldi-native-fbank {knf.__version__}")


if __name__ == "__main__":
    main()
