//! MD5, which is what the publishers of datasets state; it shows a damaged file, not a forged one.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use md5::{Digest, Md5};

use crate::DataError;

/// MD5 of a file, in hexadecimal.
pub(crate) fn md5_of(path: &Path) -> Result<String, DataError> {
    md5_as(path, |hasher, part| hasher.update(part))
}

/// MD5 that the file would have if its lines ended as on Windows.
pub(crate) fn md5_with_windows_line_ends(path: &Path) -> Result<String, DataError> {
    md5_as(path, |hasher, part| {
        for line in part.split_inclusive(|&byte| byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(text) => {
                    hasher.update(text);
                    hasher.update(b"\r\n");
                }
                None => hasher.update(line),
            }
        }
    })
}

fn md5_as(path: &Path, feed: impl Fn(&mut Md5, &[u8])) -> Result<String, DataError> {
    let mut file = File::open(path).map_err(DataError::io("read", path))?;
    let (mut hasher, mut buffer) = (Md5::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer).map_err(DataError::io("read", path))? {
            0 => break,
            read => feed(&mut hasher, &buffer[..read]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_md5sum() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "a,b\n1,2\n").unwrap();
        // printf 'a,b\n1,2\n' | md5sum; printf 'a,b\r\n1,2\r\n' | md5sum
        assert_eq!(md5_of(&path).unwrap(), "e5ebd4c02cefbe7955977c67ada242b7");
        assert_eq!(md5_with_windows_line_ends(&path).unwrap(), "b202f333fba4fd38d4b8e5e693077aab");
    }
}
