//! Certificates made on the spot, and a client that speaks TLS.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::deadline::PATIENCE;

/// The file of a certificate.
pub const CERT_FILE: &str = "cert.pem";
/// The file of its key.
pub const KEY_FILE: &str = "key.pem";

/// A certificate for `localhost` that vouches for itself, and its key.
pub struct Certificate {
    made: rcgen::CertifiedKey<rcgen::KeyPair>,
}

impl Certificate {
    /// Makes one, unlike any other.
    pub fn make() -> Self {
        let names = vec!["localhost".to_owned()];
        Self { made: rcgen::generate_simple_self_signed(names).expect("a certificate") }
    }

    /// Writes it to `cert.pem` and `key.pem` in `folder`.
    pub fn write(&self, folder: &Path) {
        self.write_cert(folder);
        std::fs::write(folder.join(KEY_FILE), self.made.signing_key.serialize_pem())
            .expect("a key file");
    }

    /// Writes the certificate alone.
    pub fn write_cert(&self, folder: &Path) {
        std::fs::write(folder.join(CERT_FILE), self.made.cert.pem()).expect("a certificate file");
    }

    fn der(&self) -> CertificateDer<'static> {
        self.made.cert.der().clone()
    }
}

/// A connection over TLS.
pub struct TlsConnection {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl TlsConnection {
    /// Connects to `host:port` with trust in `certificate` alone, offering `protocols`.
    ///
    /// Errors: the handshake's.
    pub fn open(
        address: &str,
        certificate: &Certificate,
        protocols: &[&str],
    ) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der()).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols =
            protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
        let socket = TcpStream::connect(address).map_err(|error| error.to_string())?;
        socket.set_read_timeout(Some(PATIENCE)).expect("a wait above zero");
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(|error| error.to_string())?;
        }
        Ok(Self { stream })
    }

    /// Returns the protocol that was agreed on.
    pub fn protocol(&self) -> Option<String> {
        self.stream.conn.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned())
    }

    /// Sends bytes and returns what comes until `end` is in it, or the connection ends.
    pub fn exchange(&mut self, bytes: &str, end: &str) -> String {
        self.stream.write_all(bytes.as_bytes()).expect("an open connection");
        let (mut text, mut buffer) = (String::new(), [0; 4_096]);
        while !text.contains(end) {
            match self.stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => text.push_str(&String::from_utf8_lossy(&buffer[..length])),
                Err(error) => panic!("{error} after {text}"),
            }
        }
        text
    }
}
