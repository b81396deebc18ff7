//! The file of the key that signs access tokens: made on the first start, guarded ever after.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use jsonwebtoken::{DecodingKey, EncodingKey};

/// Why the key file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It can be neither read nor made.
    #[error("the key file {path} cannot be used: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Everybody may read it, or others than its owner may write to it.
    #[error(
        "the key file {path} can be read by everybody, or written by others than its owner: run `chmod 600 {path}`"
    )]
    Exposed {
        /// Which.
        path: PathBuf,
    },
    /// It holds something else.
    #[error("the key file {path} holds no Ed25519 private key in PKCS#8 PEM")]
    NotAKey {
        /// Which.
        path: PathBuf,
    },
}

/// An Ed25519 key pair for access tokens.
#[derive(Clone)]
pub(crate) struct SigningKey {
    pub(super) private: EncodingKey,
    pub(super) public: DecodingKey,
    /// Names the key in the header of its tokens.
    pub(super) id: String,
}

impl SigningKey {
    /// Reads the key file, or makes it, readable by its owner alone.
    pub(crate) fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        let io = |source| KeyError::Io {
            path: path.to_owned(),
            source,
        };
        let pem = match File::open(path) {
            Ok(file) => read_guarded(file, path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let pem = new_pem().map_err(io)?;
                create_private(path, &pem).map_err(io)?;
                tracing::info!(path = %path.display(), "made a new key for access tokens");
                pem
            }
            Err(error) => return Err(io(error)),
        };
        Self::from_pem(&pem).ok_or_else(|| KeyError::NotAKey {
            path: path.to_owned(),
        })
    }

    /// A key that lives as long as this process: for databases in memory.
    pub(crate) fn ephemeral() -> io::Result<Self> {
        Self::from_pem(&new_pem()?).ok_or_else(|| io::Error::other("a new key cannot be read"))
    }

    fn from_pem(pem: &str) -> Option<Self> {
        let private = EncodingKey::from_ed_pem(pem.as_bytes()).ok()?;
        let pair = Ed25519KeyPair::from_pkcs8(private.as_bytes()).ok()?;
        let public = pair.public_key().as_ref();
        let id = BASE64_URL_SAFE_NO_PAD.encode(&digest(&SHA256, public).as_ref()[..8]);
        Some(Self {
            public: DecodingKey::from_ed_der(public),
            private,
            id,
        })
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}

fn new_pem() -> io::Result<String> {
    let document = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new())
        .map_err(|_unspecified| io::Error::other("no randomness to be had for a new key"))?;
    let text = BASE64_STANDARD.encode(document.as_ref());
    Ok(format!(
        "-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"
    ))
}

fn read_guarded(file: File, path: &Path) -> Result<String, KeyError> {
    let io = |source| KeyError::Io {
        path: path.to_owned(),
        source,
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata().map_err(io)?.permissions().mode();
        // Those who hand out secrets on a machine often let a group read them.
        if mode & 0o037 != 0 {
            return Err(KeyError::Exposed {
                path: path.to_owned(),
            });
        }
    }
    let mut pem = String::new();
    match file.take(16 * 1024).read_to_string(&mut pem) {
        Ok(_) => Ok(pem),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(KeyError::NotAKey {
            path: path.to_owned(),
        }),
        Err(error) => Err(io(error)),
    }
}

/// Writes the key under another name first, so that a crash never leaves half a key under its own.
fn create_private(path: &Path, pem: &str) -> io::Result<()> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent)?;
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(".{}", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(&unfinished)?;
    file.write_all(pem.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_made_once_and_refused_when_others_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("made/on/demand/jwt.pem");
        let first = SigningKey::load_or_create(&path).unwrap();
        assert_eq!(SigningKey::load_or_create(&path).unwrap().id, first.id);
        #[cfg(unix)]
        {
            use std::{fs::Permissions, os::unix::fs::PermissionsExt};
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
            let refused = SigningKey::load_or_create(&path).unwrap_err();
            assert!(refused.to_string().contains("chmod 600"), "{refused}");
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        }
        std::fs::write(&path, "secret").unwrap();
        let refused = SigningKey::load_or_create(&path).unwrap_err();
        assert!(refused.to_string().contains("PKCS#8 PEM"), "{refused}");
    }
}
