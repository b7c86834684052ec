use rcgen::{CertifiedKey as Made, generate_simple_self_signed};
use tempfile::TempDir;

use super::*;

fn made() -> Made<rcgen::KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    fn write(&self, cert: &str, key: &str) {
        fs::write(self.cert(), cert).unwrap();
        fs::write(self.key(), key).unwrap();
    }

    fn cert(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    fn load(&self) -> Result<Arc<Certificate>, TlsError> {
        Certificate::load(self.cert(), self.key())
    }
}

#[test]
fn files_that_cannot_be_used_are_refused_by_key_and_path_without_their_contents() {
    let (one, other) = (made(), made());
    let (cert, key) = (one.cert.pem(), one.signing_key.serialize_pem());
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (cert, key, words) in [
        ("", key.as_str(), ["server.tls.cert_file", "cert.pem", "no certificate"]),
        (&key, &key, ["server.tls.cert_file", "cert.pem", "no certificate"]),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", &key, ["server.tls.cert_file", "cert.pem", "PEM"]),
        (broken, &key, ["server.tls.cert_file", "cert.pem", "cannot be read"]),
        (&cert, "", ["server.tls.key_file", "key.pem", "no private key"]),
        (&cert, &cert, ["server.tls.key_file", "key.pem", "no private key"]),
        (
            &cert,
            &other.signing_key.serialize_pem(),
            ["server.tls.key_file", "key.pem", "not the key of the certificate"],
        ),
    ] {
        let files = Files::new();
        files.write(cert, key);
        let error = files.load().unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{words:?}: {error}");
        assert!(!error.contains("AAAA") && !error.contains("BEGIN"), "{error}");
    }
    let error = Files::new().load().unwrap_err().to_string();
    assert!(error.contains("server.tls.cert_file") && error.contains("No such file"), "{error}");
}

#[test]
fn only_http_1_1_is_agreed_on() {
    let (files, made) = (Files::new(), made());
    files.write(&made.cert.pem(), &made.signing_key.serialize_pem());
    let config = files.load().unwrap().server_config().unwrap();
    assert_eq!(config.alpn_protocols, [b"http/1.1".to_vec()]);
}

#[test]
fn new_files_are_used_and_bad_ones_are_not() {
    let (files, first, second) = (Files::new(), made(), made());
    files.write(&first.cert.pem(), &first.signing_key.serialize_pem());
    let certificate = files.load().unwrap();
    let in_use = || certificate.current.load().cert.first().cloned().unwrap();
    let mut seen = look(&certificate.cert_file, &certificate.key_file);
    let mut renew = || seen = certificate.renew(seen);
    renew();
    assert_eq!(in_use(), *first.cert.der());
    // Half of a renewal: the new certificate does not fit the old key.
    fs::write(files.cert(), second.cert.pem() + "\n").unwrap();
    renew();
    assert_eq!(in_use(), *first.cert.der());
    fs::write(files.key(), second.signing_key.serialize_pem() + "\n").unwrap();
    renew();
    assert_eq!(in_use(), *second.cert.der());
    fs::remove_file(files.cert()).unwrap();
    renew();
    assert_eq!(in_use(), *second.cert.der(), "a file that is gone changes nothing");
}
