//! What the listeners say of themselves holds: routes, examples, and whatever a fuzzer makes of them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anteroom::http::openapi::{DOCS_PATH, OPENAPI_PATH};
use serde_json::{Map, Value, json};

use crate::support::browser::Browser;
use crate::support::client::{Request, Response};
use crate::support::deadline::Deadline;
use crate::support::gateway::Gateway;
use crate::support::process::variable;

/// Both listeners of a gateway with a fast model inside.
fn start() -> Gateway {
    Gateway::patient().env("ANTEROOM__UPSTREAMS__DEFAULT__THINK_TIME_PER_TOKEN", "0ms").start()
}

fn document(address: &str) -> Value {
    Request::get("/openapi.json").send(address).expect_status(200).json()
}

/// One operation of a document.
struct Operation<'d> {
    document: &'d Value,
    method: String,
    path: &'d str,
    about: &'d Value,
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, methods): (&'_ String, &'_ Value)| -> Vec<_> {
        let methods = methods.as_object().expect("methods").keys().cloned().collect::<Vec<_>>();
        methods.into_iter().map(|method| (path.clone(), method)).collect()
    };
    let named: Vec<(String, String)> = paths.iter().flat_map(of_path).collect();
    let operation = |(path, method): (String, String)| {
        let (path, methods) = paths.get_key_value(&path).expect("a path");
        Operation { document, about: &methods[&method], path, method: method.to_uppercase() }
    };
    let asked = named.into_iter().map(operation);
    asked.filter(|one| one.about["x-endless"] != true).collect()
}

impl<'d> Operation<'d> {
    fn find(&self, part: &'d Value) -> &'d Value {
        match part["$ref"].as_str() {
            Some(pointer) => self.document.pointer(&pointer[1..]).expect(pointer),
            None => part,
        }
    }

    fn parameters(&self, place: &'static str) -> impl Iterator<Item = &'d Value> {
        let all = self.about["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().map(|one| self.find(one)).filter(move |one| one["in"] == place)
    }

    fn example(&self) -> Option<&'d Value> {
        let body = &self.about["requestBody"]["content"]["application/json"];
        body.get("example")
    }

    /// The request with the values that `of` gives to its parameters.
    fn request(&self, of: &mut dyn FnMut(&Value) -> Option<String>) -> Request {
        let mut target = self.path.to_owned();
        for one in self.parameters("path") {
            let name = format!("{{{}}}", one["name"].as_str().expect("a name"));
            target = target.replace(&name, &of(one).unwrap_or_default());
        }
        let pair =
            |one: &Value, value: String| format!("{}={value}", one["name"].as_str().unwrap());
        let pairs: Vec<String> =
            self.parameters("query").filter_map(|one| Some(pair(one, of(one)?))).collect();
        if !pairs.is_empty() {
            target = format!("{target}?{}", pairs.join("&"));
        }
        let request = Request::new(&self.method, &target);
        self.parameters("header").fold(request, |request, one| match of(one) {
            Some(value) => request.header(one["name"].as_str().expect("a name"), &value),
            None => request,
        })
    }

    /// Fails where the answer is not one that is described.
    fn check(&self, request: &Request, answer: &Response) {
        let status = answer.status.to_string();
        let described = &self.about["responses"][&status];
        assert!(!described.is_null(), "{status} is not described\n{request}\n{answer}");
        assert_ne!(answer.status, 500, "{request}\n{answer}");
        let kind = answer.header("content-type").unwrap_or_default();
        let described = self.find(described);
        if !kind.starts_with("application/json") || described["content"].is_null() {
            return;
        }
        let own = &described["content"]["application/json"]["schema"];
        let mut schema = json!({"components": self.document["components"], "allOf": [own]});
        // What a type of ours describes, it describes whole.
        if own["$ref"].is_string() {
            schema["unevaluatedProperties"] = json!(false);
        }
        let schema = jsonschema::draft202012::new(&schema).expect("a schema");
        let mistakes: Vec<String> =
            schema.iter_errors(&answer.json()).map(|error| error.to_string()).collect();
        assert!(mistakes.is_empty(), "{mistakes:?}\n{request}\n{answer}");
    }
}

#[test]
fn every_route_is_described() {
    let gateway = start();
    let paths = |address: &str| -> Vec<String> {
        document(address)["paths"].as_object().expect("paths").keys().cloned().collect()
    };
    let (api, of_operations) = (paths(gateway.api()), paths(gateway.operations()));
    let read = |file: &str| {
        let text =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect(file);
        text.split("#[cfg(test)]\nmod").next().unwrap_or_default().to_owned()
    };
    let routes = |file: &str| -> Vec<String> {
        let text = read(file);
        let quoted = text.split('"').skip(1).step_by(2);
        let routes = quoted.filter(|text| text.starts_with('/') && !text.ends_with('/'));
        routes.filter(|route| !route.starts_with("/debug/")).map(str::to_owned).collect()
    };
    let of_both = [OPENAPI_PATH, DOCS_PATH].map(str::to_owned);
    for route in routes("src/http/operations.rs").iter().chain(&of_both) {
        assert!(of_operations.contains(route), "{route} is not described");
    }
    let own = [routes("src/http/api.rs"), vec!["/api/v1/conversations/{id}".to_owned()]].concat();
    for route in own.iter().chain(&of_both) {
        assert!(api.contains(route), "{route} is not described");
    }
    for route in anteroom::settings::Settings::default().routes {
        let described = api.iter().any(|path| match route.path.strip_suffix("/*") {
            Some(prefix) => path.starts_with(prefix),
            None => *path == route.path,
        });
        assert!(described, "{} is not described", route.path);
    }
}

/// Paths of upstreams are the settings' own, and take any method that a route there does.
#[test]
fn nothing_else_is_served_at_paths_that_are_described() {
    let gateway = start();
    for address in [gateway.api(), gateway.operations()] {
        let document = document(address);
        let own = operations(&document).into_iter().filter(|one| !one.path.starts_with("/v1/"));
        for operation in own {
            let described = document["paths"][operation.path].as_object().expect("methods");
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                if described.contains_key(&method.to_lowercase()) {
                    continue;
                }
                let mut text = |one: &Value| one["example"].as_str().map(str::to_owned);
                let mut request = operation.request(&mut text).body("{}");
                request = request.header("content-type", "application/json");
                request.method = method.to_owned();
                let answer = request.send(address);
                assert!(matches!(answer.status, 404 | 405), "{request}\n{answer}");
            }
        }
    }
}

#[test]
fn every_example_is_answered_as_it_is_described() {
    let gateway = start();
    for address in [gateway.api(), gateway.operations()] {
        let document = document(address);
        for operation in operations(&document) {
            let text = |one: &Value| one["example"].as_str().map(str::to_owned);
            let mut request = operation.request(&mut |one| text(one));
            if let Some(example) = operation.example() {
                request =
                    request.header("content-type", "application/json").body(example.to_string());
            }
            let answer = request.send(address);
            operation.check(&request, &answer);
            // The model inside has no embeddings and no messages.
            let is_known = answer.status < 300
                || answer.status == 501
                || matches!(
                    operation.path.split('/').next_back(),
                    Some("{key}" | "{id}" | "session")
                );
            assert!(is_known, "{request}\n{answer}");
            let headers = operation.about["responses"]["200"]["headers"].as_object();
            for name in ["Cache-Status", "X-Cache", "Server-Timing"] {
                let is_promised = headers.is_some_and(|headers| headers.contains_key(name));
                assert!(
                    !is_promised || answer.header(name).is_some(),
                    "{name}\n{request}\n{answer}"
                );
            }
        }
        let page = Request::get("/docs").send(address).expect_status(200);
        assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    }
}

#[test]
fn the_page_shows_every_operation_and_the_members_of_its_bodies() {
    let gateway = start();
    let mut browser = Browser::start();
    for address in [gateway.api(), gateway.operations()] {
        let document = document(address);
        let paths = document["paths"].as_object().expect("paths").values();
        let described: usize =
            paths.map(|methods| methods.as_object().expect("methods").len()).sum();
        browser.open(&format!("http://{address}/docs"));
        browser.wait_for(&format!(
            "document.querySelectorAll('main > details').length === {described}"
        ));
        assert_eq!(browser.errors(), Vec::<String>::new());
    }
    // A member of a choice in a member, in words of each.
    let state = browser.evaluate(
        "[...document.querySelectorAll('tr')].find((row) => \
         row.firstChild.textContent === 'l1.state').children[1].textContent",
    );
    assert_eq!(state, "held | absent | unknown | off");
}

/// Numbers that look like chance and are the same in every run of a seed (xorshift).
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(below.max(1)).unwrap()).unwrap()
    }

    fn of<'v, T>(&mut self, values: &'v [T]) -> &'v T {
        &values[self.next(values.len())]
    }

    fn text(&mut self, signs: &str, most: usize) -> String {
        let signs: Vec<char> = signs.chars().collect();
        (0..self.next(most + 1)).map(|_| *self.of(&signs)).collect()
    }

    fn json(&mut self, depth: usize) -> Value {
        match self.next(if depth == 0 { 7 } else { 9 }) {
            0 => Value::Null,
            1 => json!(self.next(2) == 0),
            2 => json!(self.next(1_000_000)),
            3 => json!(-1),
            4 => json!(1e300),
            5 => json!(self.text("ab/.*\u{e9}\u{1f600}\u{0}\"\\", 12)),
            6 => json!("x".repeat(self.next(5_000))),
            7 => (0..self.next(4)).map(|_| self.json(depth - 1)).collect(),
            _ => {
                let member = |own: &mut Self| (own.text("abkeypath", 6), own.json(depth - 1));
                (0..self.next(4)).map(|_| member(self)).collect::<Map<_, _>>().into()
            }
        }
    }

    /// Changes one place of a value, or takes it away.
    fn change(&mut self, value: &mut Value) {
        match value {
            Value::Object(members) if !members.is_empty() && self.next(4) > 0 => {
                let names: Vec<String> = members.keys().cloned().collect();
                let name = self.of(&names).clone();
                match self.next(3) {
                    0 => drop(members.remove(&name)),
                    1 => drop(members.insert(self.text("abpathbody", 5), self.json(2))),
                    _ => self.change(&mut members[&name]),
                }
            }
            Value::Array(items) if !items.is_empty() && self.next(4) > 0 => {
                let place = self.next(items.len());
                self.change(&mut items[place]);
            }
            value => *value = self.json(2),
        }
    }

    /// A value for a parameter: its example, one of its choices, or anything that HTTP can carry.
    fn value(&mut self, one: &Value) -> Option<String> {
        let is_in = |place: &str| one["in"] == place;
        let choices = one["schema"]["enum"].as_array();
        match self.next(5) {
            0 if !is_in("path") => None,
            0 | 1 => one["example"].as_str().map(str::to_owned),
            2 if choices.is_some() => self.of(choices.unwrap()).as_str().map(str::to_owned),
            _ if is_in("header") => Some(self.text("abc019,;=-\"*() max-age", 30)),
            _ => Some(self.text("abc019-_~.%20%2F%00:@!$&'()*+,;=".trim_end_matches('&'), 40))
                .map(|text| text.replace('%', "%25").replace('&', "%26"))
                .filter(|text| !is_in("path") || !text.is_empty())
                .or_else(|| Some("x".to_owned())),
        }
    }

    fn request(&mut self, operation: &Operation<'_>) -> Request {
        let request = operation.request(&mut |one| self.value(one));
        let Some(example) = operation.example() else { return request };
        let mut body = example.clone();
        let text = match self.next(10) {
            0 => Vec::new(),
            1 => self.text("{}[]\",:0123456789truefalsn\u{e9} ", 60).into_bytes(),
            2 => (0..self.next(40)).map(|_| u8::try_from(self.next(256)).unwrap()).collect(),
            3 => self.json(3).to_string().into_bytes(),
            _ => {
                for _ in 0..self.next(4) {
                    self.change(&mut body);
                }
                body.to_string().into_bytes()
            }
        };
        let kinds = [
            "application/json",
            "application/json",
            "application/json; charset=utf-8",
            "text/plain",
            "a/b/c",
        ];
        let kind = *self.of(&kinds);
        request.header("content-type", kind).body(text)
    }
}

/// Issue: a fuzzer finds no 500 and no undocumented answer. `scripts/soak fuzz` runs it for five
/// minutes; `ANTEROOM_SOAK_SECONDS` says for how long, `ANTEROOM_SOAK_SEED` with which numbers.
#[test]
#[expect(clippy::print_stdout, reason = "the numbers of a soak")]
fn a_fuzzer_finds_nothing_that_is_not_described() {
    let number = |name: &str| variable(name).and_then(|text| text.parse::<u64>().ok());
    let seconds = number("ANTEROOM_SOAK_SECONDS").unwrap_or(5);
    let seed = number("ANTEROOM_SOAK_SEED").unwrap_or(0x9e37_79b9_7f4a_7c15);
    let gateway = start();
    let listeners = [gateway.api(), gateway.operations()].map(|at| (at, document(at)));
    let described: Vec<(&str, Operation<'_>)> = listeners
        .iter()
        .flat_map(|(at, document)| operations(document).into_iter().map(move |one| (*at, one)))
        .collect();
    let (mut chance, mut asked) = (Chance(seed.max(1)), 0_u64);
    let until = Deadline::after(Duration::from_secs(seconds));
    // Each at least once, however slow the machine is.
    while asked < described.len() as u64 * 3 || until.left().is_some() {
        let (address, operation) = chance.of(&described);
        let request = chance.request(operation);
        let answer = request.send(address);
        operation.check(&request, &answer);
        asked += 1;
    }
    println!("{asked} requests with the seed {seed}");
    assert_eq!(gateway.metric("anteroom_handler_panics_total", &[]), Some(0.0));
    gateway.wait_until("well", |health| health["actors"].is_array());
}
