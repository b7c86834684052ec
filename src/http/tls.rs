//! TLS for callers: the certificate, and its successors.
//!
//! The files are looked at every few seconds. New ones that can be used are used for the next
//! handshake; connections that are open stay as they are.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Pause between two looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Largest file that is read, in bytes.
const MOST_BYTES: u64 = 1024 * 1024;

/// A certificate or a key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("failed to use {key} {}: {reason}", .path.display())]
pub struct TlsError {
    /// Which key of the settings names the file.
    key: &'static str,
    path: PathBuf,
    /// Never holds anything of the file.
    reason: String,
}

/// The certificate in use, and the files it comes from.
#[derive(Debug)]
pub struct Certificate {
    cert_file: PathBuf,
    key_file: PathBuf,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<CertifiedKey>,
    /// What the files were just before they were read: a change from then on is seen.
    loaded: Seen,
}

/// What tells one state of the two files from another.
type Seen = [Option<(Option<SystemTime>, u64, u64)>; 2];

impl Certificate {
    /// Reads both files.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, is not PEM, or does not fit the other one.
    pub fn load(cert_file: PathBuf, key_file: PathBuf) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let loaded = look(&cert_file, &key_file);
        let current = ArcSwap::new(Arc::new(read(&cert_file, &key_file, &provider)?));
        Ok(Arc::new(Self { cert_file, key_file, provider, current, loaded }))
    }

    /// Returns the configuration of the listener: HTTP/1.1 alone, whatever certificate is in use.
    ///
    /// # Errors
    ///
    /// When the library has no TLS version.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, rustls::Error> {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Self>::clone(self);
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    /// Follows the files for as long as the process lives. Each state of them is tried once; what
    /// cannot be used is logged, and the certificate before it stays.
    pub async fn follow(self: Arc<Self>) {
        let mut seen = self.loaded;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let own = Arc::clone(&self);
            let before = seen;
            // A folder on a network may take long to answer.
            let looked = actix_web::web::block(move || own.renew(before)).await;
            if let Ok(state) = looked {
                seen = state;
            }
        }
    }

    /// Reads the files again where they are not what they were; returns what they are.
    fn renew(&self, before: Seen) -> Seen {
        let seen = look(&self.cert_file, &self.key_file);
        if seen == before {
            return before;
        }
        match read(&self.cert_file, &self.key_file, &self.provider) {
            Ok(new) => {
                self.current.store(Arc::new(new));
                tracing::info!(file = %self.cert_file.display(), "the certificate was renewed");
            }
            Err(error) => tracing::warn!(%error, "the certificate in use stays"),
        }
        seen
    }
}

fn look(cert_file: &Path, key_file: &Path) -> Seen {
    let state = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok(), metadata.len(), metadata.ino()))
    };
    [state(cert_file), state(key_file)]
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn read(
    cert_file: &Path,
    key_file: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let cert = |reason: String| TlsError {
        key: "server.tls.cert_file",
        path: cert_file.to_owned(),
        reason,
    };
    let key =
        |reason: String| TlsError { key: "server.tls.key_file", path: key_file.to_owned(), reason };
    let pem = text(cert_file).map_err(|error| cert(error.to_string()))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(|_| cert("it is not PEM".to_owned()))?;
    if chain.is_empty() {
        return Err(cert("it holds no certificate".to_owned()));
    }
    let pem = text(key_file).map_err(|error| key(error.to_string()))?;
    let private = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| {
        let reason = match error {
            pem::Error::NoItemsFound => "it holds no private key",
            _ => "it is not PEM",
        };
        key(reason.to_owned())
    })?;
    let signing = provider
        .key_provider
        .load_private_key(private)
        .map_err(|_| key("its key is of no kind that is known".to_owned()))?;
    let certified = CertifiedKey::new(chain, signing);
    match certified.keys_match() {
        // A key that cannot tell is taken: the handshake will.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok(certified)
        }
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(key("it is not the key of the certificate".to_owned()))
        }
        Err(_) => Err(cert("its certificate cannot be read".to_owned())),
    }
}

fn text(path: &Path) -> io::Result<Vec<u8>> {
    use io::Read as _;
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
