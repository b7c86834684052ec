//! TLS to upstreams: rustls with ring, HTTP/1.1 only.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Returns the configuration for connections to an upstream.
///
/// The authorities in `ca_pem` are trusted beside the public ones.
///
/// Errors: a bundle that is not PEM, or holds no certificate that can be an authority.
pub(super) fn client_config(ca_pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, &'static str> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = ca_pem {
        add_private(&mut roots, pem)?;
    }
    // The provider is passed on, not installed: an installed one is process-wide, and building
    // a configuration without one panics.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| "no TLS version in common with the library")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn add_private(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), &'static str> {
    let public = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| "it is not PEM")?;
        roots.add(certificate).map_err(|_| "a certificate in it cannot be read")?;
    }
    if roots.len() == public { Err("it holds no certificate") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CA: &[u8] = include_bytes!("tests/ca.pem");

    #[test]
    fn only_http_1_1_is_offered() {
        let config = client_config(None).unwrap();
        assert_eq!(config.alpn_protocols, [b"http/1.1".to_vec()]);
    }

    #[test]
    fn every_certificate_of_a_private_bundle_is_added() {
        let mut roots = RootCertStore::empty();
        add_private(&mut roots, &[CA, CA].concat()).unwrap();
        assert_eq!(roots.len(), 2);
    }

    #[test]
    fn a_bundle_without_a_certificate_is_refused() {
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (pem, reason) in [
            ("", "it holds no certificate"),
            ("no certificate", "it holds no certificate"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n", "it is not PEM"),
            (broken, "a certificate in it cannot be read"),
        ] {
            assert_eq!(client_config(Some(pem.as_bytes())).unwrap_err(), reason, "{pem}");
        }
    }
}
