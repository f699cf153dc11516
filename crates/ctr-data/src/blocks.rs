//! A text file in blocks of whole lines, so that a file of any size is read in bounded memory.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::DataError;

/// Bytes read at a time. Large enough that parsing in parallel pays, small beside a log of millions of rows.
const BLOCK_BYTES: usize = 32 << 20;

/// Longest line that is read; a longer one is no log, and a gzip bomb ends here.
const LONGEST_LINE_BYTES: usize = 256 << 20;

/// Blocks of a plain or gzip-compressed file.
pub(crate) struct Blocks {
    path: PathBuf,
    reader: Box<dyn Read>,
    /// Start of the line that the last block cut off.
    rest: Vec<u8>,
    is_first: bool,
    block_bytes: usize,
    /// Bytes that may still come out of a compressed file.
    left: u64,
}

/// Text logs shrink to a tenth or a twentieth; a compressed file that grows more than this is a bomb.
const LARGEST_GROWTH: u64 = 200;

/// Small compressed files may grow up to this whatever their size.
const ALWAYS_ADMITTED_BYTES: u64 = 64 << 20;

impl Blocks {
    /// Opens `path`; a name that ends in `.gz` is decompressed.
    pub fn open(path: &Path) -> Result<Blocks, DataError> {
        let file = File::open(path).map_err(DataError::io("read", path))?;
        let size = file.metadata().map_err(DataError::io("read", path))?.len();
        let is_gzip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
        let reader: Box<dyn Read> = if is_gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        let left = if is_gzip { (size * LARGEST_GROWTH).max(ALWAYS_ADMITTED_BYTES) } else { u64::MAX };
        let path = path.to_owned();
        Ok(Blocks { path, reader, rest: Vec::new(), is_first: true, block_bytes: BLOCK_BYTES, left })
    }

    /// The next lines, each with its end; the last of the file may lack it. Nothing at the end of the file. A byte-order
    /// mark is dropped.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, DataError> {
        let mut block = std::mem::take(&mut self.rest);
        loop {
            let had = block.len();
            let read = self.reader.by_ref().take(self.block_bytes as u64).read_to_end(&mut block);
            let read = read.map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof | ErrorKind::InvalidInput | ErrorKind::InvalidData => {
                    let cause = format!("{error}: the file is damaged or cut short; download it again");
                    DataError::io("decompress", &self.path)(std::io::Error::other(cause))
                }
                _ => DataError::io("read", &self.path)(error),
            })?;
            let is_end = read == 0;
            let Some(left) = self.left.checked_sub(read as u64) else {
                let cause = std::io::Error::other(format!("it grows to more than {LARGEST_GROWTH} times its size"));
                return Err(DataError::io("decompress", &self.path)(cause));
            };
            self.left = left;
            if is_end {
                let block = self.without_mark(block);
                return Ok(if block.is_empty() { None } else { Some(block) });
            }
            if let Some(end) = block[had..].iter().rposition(|&byte| byte == b'\n') {
                self.rest = block.split_off(had + end + 1);
                return Ok(Some(self.without_mark(block)));
            }
            if block.len() > LONGEST_LINE_BYTES {
                let cause = std::io::Error::other(format!("a line is longer than {} MiB", LONGEST_LINE_BYTES >> 20));
                return Err(DataError::io("read", &self.path)(cause));
            }
        }
    }

    fn without_mark(&mut self, mut block: Vec<u8>) -> Vec<u8> {
        if std::mem::take(&mut self.is_first) && block.starts_with(b"\xef\xbb\xbf") {
            block.drain(..3);
        }
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the size of the blocks, they hold whole lines, and together the file without its byte-order mark.
    #[test]
    fn blocks_hold_whole_lines_and_add_up_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        let text = "a,b\n1,2\n\n333,4444444\r\n5,6";
        std::fs::write(&path, format!("\u{feff}{text}")).unwrap();
        for block_bytes in 1..40 {
            let mut blocks = Blocks { block_bytes, ..Blocks::open(&path).unwrap() };
            let mut whole = String::new();
            while let Some(block) = blocks.next().unwrap() {
                let block = String::from_utf8(block).unwrap();
                whole += &block;
                assert!(block.ends_with('\n') || whole == text, "{block:?}");
            }
            assert_eq!(whole, text, "{block_bytes}");
        }
    }

    #[test]
    fn a_compressed_file_that_is_cut_short_is_called_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv.gz");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, "a,b\n1,2\n".repeat(1000).as_bytes()).unwrap();
        let whole = gzip.finish().unwrap();
        for bytes in [&whole[..whole.len() / 2], b"no gzip at all".as_slice()] {
            std::fs::write(&path, bytes).unwrap();
            let mut blocks = Blocks::open(&path).unwrap();
            let message = std::iter::from_fn(|| blocks.next().transpose()).find_map(Result::err).unwrap().to_string();
            assert!(message.contains("log.csv.gz") && message.contains("damaged or cut short"), "{message}");
        }
    }
}
