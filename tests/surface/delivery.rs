//! `deploy/`: what no engine here runs is read as its engine would, and compared with the gateway.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anteroom::telemetry::names::METRICS;
use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    let path = root().join("deploy").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Runs `anteroom check` on a settings file, with these variables alone.
fn check(yaml: &str, env: &[(&str, &str)]) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("config.yaml"), yaml).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_anteroom"));
    command.args(["check", "--config", "config.yaml"]).current_dir(folder.path());
    let output = command.env_clear().envs(env.iter().copied()).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_manifests_of_kubernetes_fit_each_other_and_the_gateway() {
    let text = read("kubernetes/anteroom.yaml");
    let things: Vec<Value> = text
        .split("\n---\n")
        .map(|part| serde_saphyr::from_str(part).expect("a manifest is YAML"))
        .collect();
    let kinds: BTreeSet<&str> = things.iter().filter_map(|thing| thing["kind"].as_str()).collect();
    let expected =
        ["ConfigMap", "Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Service"];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);
    let of = |kind: &str| things.iter().find(|thing| thing["kind"] == kind).expect(kind);
    let deployment = &of("Deployment")["spec"];
    let pod = &deployment["template"];
    let labels = &pod["metadata"]["labels"];
    assert_eq!(&deployment["selector"]["matchLabels"], labels);
    assert_eq!(&of("Service")["spec"]["selector"], labels);
    assert_eq!(&of("PodDisruptionBudget")["spec"]["selector"]["matchLabels"], labels);

    let container = &pod["spec"]["containers"][0];
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let path = container[probe]["httpGet"]["path"].as_str().expect(probe);
        assert!(matches!(path, "/health/ready" | "/health/live"), "{probe} asks {path}");
        assert_eq!(container[probe]["httpGet"]["port"], "api");
    }
    let env: Vec<(&str, &str)> = container["env"]
        .as_array()
        .expect("variables")
        .iter()
        .map(|one| one["name"].as_str().expect("a name"))
        .map(|name| (name, if name.ends_with("_URL") { "" } else { "a-text-of-some-length" }))
        .collect();
    let settings = of("ConfigMap")["data"]["config.yaml"].as_str().expect("settings");
    check(settings, &env);
    let read: Value = serde_saphyr::from_str(settings).expect("settings are YAML");
    for (name, listen) in
        [("api", &read["server"]["listen"]), ("operations", &read["admin"]["listen"])]
    {
        let port = container["ports"]
            .as_array()
            .expect("ports")
            .iter()
            .find(|port| port["name"] == name)
            .expect(name)["containerPort"]
            .to_string();
        assert!(listen.as_str().expect(name).ends_with(&format!(":{port}")), "{listen} {port}");
    }
    let drain = read["server"]["drain_timeout"].as_str().expect("a time").trim_end_matches('s');
    let pause = &container["lifecycle"]["preStop"]["sleep"]["seconds"];
    let grace = pod["spec"]["terminationGracePeriodSeconds"].as_u64().expect("a time");
    assert!(drain.parse::<u64>().expect("seconds") + pause.as_u64().expect("seconds") < grace);

    let scaled = &of("HorizontalPodAutoscaler")["spec"];
    assert_eq!(scaled["scaleTargetRef"]["name"], of("Deployment")["metadata"]["name"]);
    // What it reads is made of a metric of ours by the rule that the document of scaling has.
    let metric = scaled["metrics"][0]["external"]["metric"]["name"].as_str().expect("a metric");
    let scaling = fs::read_to_string(root().join("docs/scaling.md")).expect("the document");
    let rule = scaling.split("metricsQuery: sum(").nth(1).expect("a rule");
    let of = rule.split('{').next().unwrap_or_default();
    assert!(scaling.contains(&format!("as: {metric}\n")), "{metric}");
    assert!(METRICS.iter().any(|known| of == known.name), "{of}");
}

#[test]
fn the_compose_file_names_what_is_there() {
    let text = read("compose/compose.yaml");
    let compose: Value = serde_saphyr::from_str(&text).expect("it is YAML");
    let services = compose["services"].as_object().expect("services");
    for name in ["anteroom", "redis", "postgres", "prometheus", "grafana"] {
        assert!(services.contains_key(name), "{name}");
    }
    for (name, service) in services {
        let image = service["image"].as_str().or_else(|| compose["x-gateway"]["image"].as_str());
        assert!(image.is_some_and(|image| !image.ends_with(":latest")), "{name}");
        let lists = ["volumes"].map(|list| service[list].as_array().cloned().unwrap_or_default());
        for mount in lists.concat() {
            let source =
                mount.as_str().expect("a mount").split(':').next().unwrap_or_default().to_owned();
            let is_there = match source.strip_prefix("../") {
                Some(file) => root().join("deploy").join(file).is_file(),
                None => compose["volumes"].as_object().is_some_and(|all| all.contains_key(&source)),
            };
            assert!(is_there, "{name} mounts {source}");
        }
        for config in service["configs"].as_array().into_iter().flatten() {
            let source = config["source"].as_str().expect("a name");
            let content = compose["configs"][source]["content"].as_str().expect(source);
            let parsed: Result<Value, _> = serde_saphyr::from_str(content);
            assert!(parsed.is_ok(), "{source}");
        }
    }
    let gateway = &compose["x-gateway"];
    let dockerfile = gateway["build"]["dockerfile"].as_str().expect("a path");
    assert!(root().join(dockerfile).is_file(), "{dockerfile}");
    let env: Vec<(&str, &str)> = gateway["environment"]
        .as_object()
        .expect("variables")
        .keys()
        .map(|name| {
            (
                name.as_str(),
                match name.as_str() {
                    "ANTEROOM_ADMIN_LISTEN" => "0.0.0.0:9901",
                    "ANTEROOM_UPSTREAM_URL" | "REDIS_URL" | "DATABASE_URL" => "",
                    _ => "a-text-of-some-length",
                },
            )
        })
        .collect();
    check("", &env);
    // Every variable that has no default stands in the example.
    let example = read("compose/.env.example");
    for part in text.split("${").skip(1) {
        let name = part.split([':', '}']).next().unwrap_or_default();
        assert!(example.contains(&format!("{name}=")), "{name} is not in .env.example");
    }
}

#[test]
fn the_image_is_built_of_what_is_there_and_runs_without_rights() {
    let text = read("docker/Dockerfile");
    let known = [
        "FROM",
        "RUN",
        "WORKDIR",
        "COPY",
        "ENV",
        "VOLUME",
        "EXPOSE",
        "STOPSIGNAL",
        "ENTRYPOINT",
        "CMD",
    ];
    let lines = text.replace("\\\n", " ");
    let lines: Vec<&str> =
        lines.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    for line in &lines {
        let word = line.split(' ').next().unwrap_or_default();
        assert!(known.contains(&word), "{line}");
    }
    let last = lines.iter().rfind(|line| line.starts_with("FROM")).expect("a base");
    assert!(last.ends_with(":nonroot"), "{last}");
    assert!(lines.contains(&"STOPSIGNAL SIGTERM"));
    let env = lines.iter().find_map(|line| line.strip_prefix("ENV ")).expect("variables");
    let env: Vec<(&str, &str)> =
        env.split_whitespace().filter_map(|pair| pair.split_once('=')).collect();
    assert!(env.contains(&("ANTEROOM_LISTEN", "0.0.0.0:8080")), "{env:?}");
    check("", &env);
    let sent: Vec<String> = read("docker/Dockerfile.dockerignore")
        .lines()
        .filter_map(|line| line.strip_prefix('!').map(str::to_owned))
        .collect();
    for path in &sent {
        assert!(root().join(path).exists(), "{path}");
    }
    // What the sources include at compile time, and what cargo reads.
    for path in
        ["Cargo.toml", "Cargo.lock", "config.yaml", "src", "actors", "migrations", "benches"]
    {
        assert!(sent.iter().any(|sent| sent == path), "{path} is not sent to the builder");
    }
}

#[test]
fn the_units_of_systemd_are_hardened_and_start_what_there_is() {
    let unit = read("systemd/anteroom.service");
    let lines: Vec<&str> = unit.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(unit.contains("-m 644 config.yaml"), "a user made by DynamicUser reads it");
    for line in [
        "[Unit]",
        "[Service]",
        "[Install]",
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "CapabilityBoundingSet=",
    ] {
        assert!(lines.contains(&line), "{line}");
    }
    let value = |key: &str| lines.iter().find_map(|line| line.strip_prefix(key)).expect(key);
    let command = value("ExecStart=").split(' ').collect::<Vec<_>>();
    assert_eq!(command[1..], ["serve", "--config", "/etc/anteroom/config.yaml"]);
    let files: usize = value("LimitNOFILE=").parse().expect("a number");
    let settings = anteroom::settings::Settings::default();
    assert!(files >= settings.server.max_connections * 2, "{files}");
    let stop: u64 = value("TimeoutStopSec=").trim_end_matches('s').parse().expect("seconds");
    assert!(stop > settings.server.drain_timeout.get().as_secs() + 5);
    assert!(lines.contains(&"Type=notify"), "a manager that waits for READY=1 is told it");
    // Of one name with the service: systemd passes its sockets in this order, the API's first.
    let sockets = read("systemd/anteroom.socket");
    let listens: Vec<&str> =
        sockets.lines().filter_map(|line| line.strip_prefix("ListenStream=")).collect();
    let defaults = [settings.server.listen, settings.admin.listen].map(|listen| listen.to_string());
    assert_eq!(listens, defaults);
    assert!(!sockets.contains("\nAccept=") && !sockets.contains("\nService="));
    // Where systemd is at hand, it reads the units itself.
    let analyze = Path::new("/usr/bin/systemd-analyze");
    if analyze.exists() {
        let folder = tempfile::tempdir().expect("a folder");
        let binary = env!("CARGO_BIN_EXE_anteroom");
        let unit = unit.replace("/usr/local/bin/anteroom", binary);
        let paths =
            [("anteroom.service", unit), ("anteroom.socket", sockets)].map(|(name, text)| {
                let path = folder.path().join(name);
                fs::write(&path, text).expect("a file");
                path
            });
        let output = Command::new(analyze).arg("verify").args(&paths).output().expect("it runs");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
