//! The file as UTF-8, from any place on.
//!
//! A file in another encoding is decoded from its beginning, and what lies before the place is dropped: the same bytes
//! always decode alike, so that places stay valid, and no second copy of people's data is kept anywhere.

use super::Stop;
use bytes::Bytes;
use encoding_rs::{Decoder, Encoding, UTF_8};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use proto::jobs::ImportOrder;
use storage::{Storage, StorageError};

pub type Text = BoxStream<'static, Result<Bytes, Stop>>;

pub async fn open(storage: &Storage, order: &ImportOrder) -> Result<Text, Stop> {
    let encoding = Encoding::for_label(order.encoding.as_bytes());
    let encoding = encoding.ok_or_else(|| Stop::Unreadable(format!("the encoding {} is not known", order.encoding)))?;
    if encoding != UTF_8 {
        let file = storage.get(&order.key).await.map_err(stop)?.stream;
        return Ok(decoded(file, encoding.new_decoder_with_bom_removal(), order.byte_offset));
    }
    match storage.get_range(&order.key, order.byte_offset..).await {
        Ok(object) => Ok(object.stream.map(|piece| piece.map_err(stop)).boxed()),
        // Nothing is left but to say so.
        Err(StorageError::OutOfRange { size }) if size == order.byte_offset => Ok(stream::empty().boxed()),
        Err(error) => Err(stop(error)),
    }
}

struct Decoding {
    file: BoxStream<'static, Result<Bytes, StorageError>>,
    /// Taken at the end.
    decoder: Option<Decoder>,
    /// Decoded bytes that are still to be dropped.
    skip: u64,
}

fn decoded(file: BoxStream<'static, Result<Bytes, StorageError>>, decoder: Decoder, skip: u64) -> Text {
    let start = Decoding { file, decoder: Some(decoder), skip };
    stream::try_unfold(start, |mut state| async move {
        while let Some(mut decoder) = state.decoder.take() {
            let piece = state.file.next().await.transpose().map_err(stop)?;
            let text = decode(&mut decoder, piece.as_deref());
            state.decoder = piece.map(|_| decoder);
            let dropped = usize::try_from(state.skip).unwrap_or(usize::MAX).min(text.len());
            state.skip -= dropped as u64;
            if dropped < text.len() {
                return Ok(Some((Bytes::from(text).slice(dropped..), state)));
            }
        }
        Ok(None)
    })
    .boxed()
}

/// The next piece, or with `None` what is left at the end. What is no character becomes U+FFFD.
fn decode(decoder: &mut Decoder, piece: Option<&[u8]>) -> String {
    let bytes = piece.unwrap_or_default();
    // Room for all of it, so that one call takes all.
    let mut text = String::with_capacity(decoder.max_utf8_buffer_length(bytes.len()).unwrap_or_default());
    let _ = decoder.decode_to_string(bytes, &mut text, piece.is_none());
    text
}

fn stop(error: StorageError) -> Stop {
    match error {
        StorageError::NotFound { .. } => Stop::Unreadable("the uploaded file is not there any more".to_owned()),
        StorageError::OutOfRange { .. } => Stop::Unreadable("the uploaded file is shorter than it was".to_owned()),
        error => Stop::OutOfReach(runtime::chain(&error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use encoding_rs::{UTF_16LE, WINDOWS_1252};

    const TEXT: &str = "phone;Ünïcode\r\n1;\u{1f9da}\r\n";

    async fn read(file: &[u8], piece: usize, decoder: Decoder, skip: usize) -> String {
        let pieces: Vec<_> = file.chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let text: Vec<_> = decoded(stream::iter(pieces).boxed(), decoder, skip as u64).collect().await;
        let bytes: Vec<u8> = text.into_iter().flat_map(|piece| piece.unwrap().to_vec()).collect();
        String::from_utf8(bytes).unwrap()
    }

    #[tokio::test]
    async fn from_every_place_in_pieces_of_every_size() {
        let file: Vec<u8> = format!("\u{feff}{TEXT}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        for skip in (0..=TEXT.len()).filter(|at| TEXT.is_char_boundary(*at)) {
            for piece in [1, 2, 3, 5, file.len()] {
                let text = read(&file, piece, UTF_16LE.new_decoder_with_bom_removal(), skip).await;
                assert_eq!(text, TEXT[skip..], "{skip} {piece}");
            }
        }
    }

    #[tokio::test]
    async fn windows_1252_has_no_wrong_bytes() {
        let all: Vec<u8> = (1..=255).collect();
        let text = read(&all, 10, WINDOWS_1252.new_decoder_with_bom_removal(), 0).await;
        assert_eq!(text.chars().count(), 255);
        assert!(text.contains('€') && !text.contains('\u{fffd}'));
    }

    #[tokio::test]
    async fn half_a_character_at_the_end_is_not_lost() {
        let text = read(&[b'a', 0, b'b'], 2, UTF_16LE.new_decoder_with_bom_removal(), 0).await;
        assert_eq!(text, "a\u{fffd}");
    }
}
