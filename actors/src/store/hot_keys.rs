//! A file that names the keys asked for most: what the next start brings back to memory first.
//!
//! Lines of hexadecimal digits, the hottest first. Keys are digests, nothing of a request is in them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::model::CacheKey;

/// Most keys in a file.
pub const MOST: usize = 10_000;

/// Length of a line, its end included.
const LINE_BYTES: u64 = 2 * CacheKey::LEN as u64 + 1;

/// Reads at most `most` keys, the hottest first. Lines that are none are left out. Blocks.
///
/// # Errors
///
/// The file cannot be read; one that is not there has no keys.
pub fn read(path: &Path, most: usize) -> io::Result<Vec<CacheKey>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let longest = LINE_BYTES.saturating_mul(MOST as u64);
    let mut keys = Vec::new();
    for line in BufReader::new(file.take(longest)).split(b'\n') {
        if keys.len() >= most.min(MOST) {
            break;
        }
        let line = line?;
        keys.extend(std::str::from_utf8(&line).ok().and_then(CacheKey::from_hex));
    }
    Ok(keys)
}

/// Writes the file anew, the hottest key first; a reader sees the old one or the new one, whole. Blocks.
///
/// # Errors
///
/// The folder or the file cannot be written.
pub fn write(path: &Path, keys: &[CacheKey]) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension("new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    let mut text = String::new();
    for key in keys.iter().take(MOST) {
        text.push_str(&key.to_hex());
        text.push('\n');
    }
    file.write_all(text.as_bytes())?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_in_their_order_and_what_is_none_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("hot.keys");
        assert_eq!(read(&path, 10).unwrap(), []);
        let keys: Vec<CacheKey> = (0..5).map(|n| CacheKey::new([n; CacheKey::LEN])).collect();
        write(&path, &keys).unwrap();
        assert_eq!(read(&path, 10).unwrap(), keys);
        assert_eq!(read(&path, 2).unwrap(), keys[..2]);
        write(&path, &keys[3..]).unwrap();
        let mut text = b"no key\n\xff\n\n".to_vec();
        text.extend(fs::read(&path).unwrap());
        fs::write(&path, text).unwrap();
        assert_eq!(read(&path, 10).unwrap(), keys[3..]);
    }
}
