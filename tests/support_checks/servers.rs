//! Redis, PostgreSQL, and the processes they are.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::client::Connection;
use crate::support::deadline::PATIENCE;
use crate::support::postgres::{self, Postgres};
use crate::support::process::{Process, family, rss_bytes};
use crate::support::redis::{Redis, Reply};

#[test]
fn redis_answers_is_killed_and_comes_back_empty_on_its_port() {
    let mut redis = Redis::start();
    let url = redis.url();
    assert_eq!(redis.command(&["SET", "name", "value"]), Reply::Line("+OK".to_owned()));
    assert_eq!(redis.command(&["GET", "name"]), Reply::Bytes(Some(b"value".to_vec())));
    assert_eq!(redis.command(&["GET", "absent"]), Reply::Bytes(None));
    assert_eq!(redis.command(&["DEL", "absent"]), Reply::Integer(0));
    assert_eq!(redis.keys("na*"), ["name"]);
    redis.kill9();
    assert!(std::net::TcpStream::connect(redis.address()).is_err());
    redis.restart();
    assert_eq!(redis.url(), url);
    assert_eq!(redis.command(&["DBSIZE"]), Reply::Integer(0));
}

#[test]
fn a_stopped_redis_stays_connected_and_silent() {
    let mut redis = Redis::start();
    redis.stop();
    let mut connection =
        Connection::open(&redis.address()).read_timeout(Duration::from_millis(200));
    connection.write(b"PING\r\n").expect("the kernel takes it");
    let request = crate::support::client::Request::get("/");
    let silence = connection.answer(&request).expect_err("no reply");
    assert_eq!(silence.kind(), std::io::ErrorKind::WouldBlock);
    redis.resume();
    assert_eq!(redis.command(&["PING"]), Reply::Line("+PONG".to_owned()));
}

#[test]
fn postgres_gives_each_test_a_database_of_its_own() {
    let server = postgres::shared();
    let (one, two) = (server.create_database(), server.create_database());
    assert_ne!(one, two);
    let name = one.rsplit('/').next().expect("a name").to_owned();
    server.query(&name, "CREATE TABLE notes (text text)");
    server.query(&name, "INSERT INTO notes VALUES ('kept')");
    assert_eq!(server.query(&name, "SELECT text FROM notes"), "kept");
    let other = two.rsplit('/').next().expect("a name");
    let tables = "SELECT count(*) FROM pg_tables WHERE tablename = 'notes'";
    assert_eq!(server.query(other, tables), "0");
}

#[test]
fn postgres_is_stopped_killed_and_restarted_as_a_whole() {
    let mut server = Postgres::start();
    let url = server.create_database();
    let name = url.rsplit('/').next().expect("a name").to_owned();
    server.stop();
    let connection = std::net::TcpStream::connect(server.address());
    assert!(connection.is_ok(), "the kernel still accepts");
    server.resume();
    server.query(&name, "CREATE TABLE notes (text text)");
    server.kill9();
    assert!(std::net::TcpStream::connect(server.address()).is_err());
    server.restart();
    assert_eq!(server.query(&name, "SELECT count(*) FROM notes"), "0");
}

#[test]
fn a_dropped_process_is_gone() {
    let mut command = Command::new("sleep");
    let mut process = Process::start(command.arg("600").stdout(Stdio::null()));
    let id = process.id();
    assert!(process.ended().is_none() && rss_bytes(id) > 0);
    assert!(family(std::process::id()).contains(&id));
    process.signal(libc::SIGTERM);
    assert!(process.wait(PATIENCE).is_some_and(|status| !status.success()));
    drop(process);
    assert!(!family(std::process::id()).contains(&id));
}

#[test]
#[should_panic(expected = "is in Debian's package imaginary; scripts/test installs it")]
fn a_missing_program_is_named_with_its_package() {
    crate::support::process::program("no-such-program", &[], "imaginary");
}
