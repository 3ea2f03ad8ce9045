//! The real sources of the configuration: environment, files and host name of this process.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Far more than a configuration needs; guards against a path that leads to something else.
const MAX_FILE_SIZE: u64 = 1 << 20;

/// The environment variables of this process. What is not Unicode in a value is replaced, so that the value
/// is refused where it matters and not overlooked.
pub(crate) fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        })
        .collect()
}

/// The text of the file at `path`.
///
/// # Errors
/// Any error of opening or reading it; `InvalidData` when it is not UTF-8 or larger than 1 MiB.
pub(crate) fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(MAX_FILE_SIZE + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_SIZE {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is larger than 1 MiB",
        ));
    }
    Ok(text)
}

/// The name of this host.
pub(crate) fn host_name() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::{host_name, read_file};

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.yaml");
        assert_eq!(read_file(&path).unwrap_err().kind(), ErrorKind::NotFound);
        std::fs::write(&path, "grpc: {}\n").unwrap();
        assert_eq!(read_file(&path).unwrap(), "grpc: {}\n");
        std::fs::write(&path, vec![b' '; (1 << 20) + 1]).unwrap();
        assert_eq!(read_file(&path).unwrap_err().kind(), ErrorKind::InvalidData);
        std::fs::write(&path, [0xff]).unwrap();
        assert_eq!(read_file(&path).unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn the_host_has_a_name() {
        assert!(!host_name().is_empty());
    }
}
