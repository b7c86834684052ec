//! L3 on PostgreSQL over TLS: in builds with `postgres-tls`.

use crate::support::gateway::{Gateway, prompt};
use crate::support::postgres::Postgres;
use crate::support::provider::Provider;
use crate::support::tls::{CERT_FILE, Certificate};

/// Returns a fresh database's URL that wants TLS with what `folder` vouches for.
fn url(postgres: &Postgres, folder: &tempfile::TempDir) -> String {
    let url = postgres.create_database().replace("127.0.0.1", "localhost");
    format!("{url}?sslmode=verify-full&sslrootcert={}", folder.path().join(CERT_FILE).display())
}

#[test]
fn answers_and_secret_are_kept_over_connections_that_are_all_encrypted() {
    let (certificate, folder) = (Certificate::make(), tempfile::tempdir().expect("a folder"));
    certificate.write_cert(folder.path());
    let (postgres, provider) = (Postgres::start_with(&certificate), Provider::start());
    let url = url(&postgres, &folder);
    let mut gateway = Gateway::patient().upstream(&provider).database(&url).start();
    let kept = gateway.chat(prompt("over TLS")).expect_status(200);
    gateway.wait_for_writes();
    let connections = postgres.query(
        "postgres",
        "SELECT ssl, count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
         WHERE application_name = 'anteroom' GROUP BY ssl",
    );
    assert!(connections.starts_with("t|") && connections.lines().count() == 1, "{connections}");
    gateway.set_env("ANTEROOM__WARMING__START_ENTRIES", 0);
    gateway.restart();
    let hit = gateway.chat(prompt("over TLS")).expect_status(200);
    assert_eq!((hit.cache(), hit.body), ("HIT L3".to_owned(), kept.body));
    assert_eq!(provider.num_calls(), 1);
}

#[test]
fn a_server_that_nobody_vouches_for_is_not_used_and_callers_are_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    Certificate::make().write_cert(folder.path());
    let (postgres, provider) = (Postgres::start_with(&Certificate::make()), Provider::start());
    let gateway = Gateway::patient().upstream(&provider).database(&url(&postgres, &folder)).start();
    let l3 = gateway.wait_for_state("l3", "degraded");
    let why = l3.to_string();
    assert!(why.contains("certificate"), "{why}");
    gateway.chat(prompt("without L3")).expect_status(200);
    let kept = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'anteroom'";
    assert_eq!(postgres.query("postgres", kept), "0");
}
