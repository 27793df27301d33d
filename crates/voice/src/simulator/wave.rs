//! A recording: one second of a tone, as a WAV file.

use std::f64::consts::TAU;

pub const CONTENT_TYPE: &str = "audio/wav";
const SAMPLES_PER_SECOND: u32 = 8_000;
const TONE_HERTZ: f64 = 440.0;
const AMPLITUDE: f64 = 8_000.0;
/// 16 bits, one channel.
const BYTES_PER_SAMPLE: u16 = 2;

/// RIFF, PCM, 16 bits, mono, 8 kHz.
pub fn tone() -> Vec<u8> {
    let data_length = SAMPLES_PER_SECOND * u32::from(BYTES_PER_SAMPLE);
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((36 + data_length).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    file.extend(SAMPLES_PER_SECOND.to_le_bytes());
    file.extend(data_length.to_le_bytes());
    file.extend(BYTES_PER_SAMPLE.to_le_bytes());
    file.extend((BYTES_PER_SAMPLE * 8).to_le_bytes());
    file.extend(b"data");
    file.extend(data_length.to_le_bytes());
    for sample in 0..SAMPLES_PER_SECOND {
        let phase = TAU * TONE_HERTZ * f64::from(sample) / f64::from(SAMPLES_PER_SECOND);
        // The amplitude is within 16 bits.
        #[allow(clippy::cast_possible_truncation)]
        file.extend(((AMPLITUDE * phase.sin()) as i16).to_le_bytes());
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_it_holds() {
        let file = tone();
        assert_eq!(file.len(), 44 + 16_000);
        assert_eq!(&file[..4], b"RIFF");
        assert_eq!(file[4..8], u32::try_from(file.len() - 8).unwrap().to_le_bytes());
        assert_eq!(&file[8..16], b"WAVEfmt ");
        assert_eq!(file[40..44], 16_000_u32.to_le_bytes());
        assert!(file[44..].chunks(2).any(|sample| i16::from_le_bytes([sample[0], sample[1]]) > 7_900));
    }
}
