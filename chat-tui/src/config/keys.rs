//! `keys.toml`: which keys the user bound to what, for all profiles and for one.

use std::{fs, io, path::Path};

use anyhow::{Context, anyhow};

use super::{Config, Profile};
use crate::app::keymap::{self, Rebinding};

const NAME: &str = "keys.toml";

/// Reads `keys.toml` beside `config.toml`, and over it the one in the directory of the profile. There need not be any.
pub fn rebindings(profile: Option<&Profile>) -> anyhow::Result<Vec<Rebinding>> {
    let mut all = read(&Config::path()?.with_file_name(NAME))?;
    if let Some(profile) = profile {
        all.extend(read(&profile.directory().join(NAME))?);
    }
    Ok(all)
}

fn read(path: &Path) -> anyhow::Result<Vec<Rebinding>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", path.display()));
        }
    };
    keymap::read(&text).map_err(|why| anyhow!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_is_wrong_is_named_with_its_file() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(NAME);
        assert!(read(&path).unwrap().is_empty());
        fs::write(&path, "[composer]\n\"ctrl-s\" = \"sned\"\n").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
        assert!(error.contains("[composer] \"ctrl-s\""), "{error}");
    }
}
