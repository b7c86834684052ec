use actix_web::test::TestRequest;

use super::*;
use crate::http::routes::Routes;
use crate::settings::Settings;

fn chat(change: impl FnOnce(&mut crate::settings::Route)) -> Routes {
    let mut settings = Settings::default();
    settings.routes.truncate(1);
    change(&mut settings.routes[0]);
    Routes::new(&settings)
}

fn request(headers: &[(&str, &str)]) -> HttpRequest {
    let request = TestRequest::default();
    headers.iter().fold(request, |request, header| request.append_header(*header)).to_http_request()
}

/// standard directives mean what they say, in seconds.
#[test]
fn a_request_without_steering_headers_asks_for_nothing_special() {
    let routes = chat(|_| {});
    let plain = request(&[("content-type", "application/json")]);
    assert_eq!(Directives::of(&plain, &routes.all()[0]).unwrap(), Directives::default());
    let all = request(&[
        ("cache-control", "max-age=60, min-fresh=5, max-stale=7"),
        ("x-cache-ttl", " 90 "),
        ("x-cache-namespace", "team a"),
        ("x-cache-tags", "two, one,,one"),
    ]);
    let directives = Directives::of(&all, &routes.all()[0]).unwrap();
    assert_eq!(directives.wants.max_age, Some(Duration::from_secs(60)));
    assert_eq!(directives.wants.min_fresh, Some(Duration::from_secs(5)));
    assert_eq!(directives.wants.max_stale, Some(Duration::from_secs(7)));
    assert_eq!(directives.lifetimes(&routes.all()[0]).lifetime, Duration::from_secs(90));
    assert_eq!((directives.namespace, &directives.tags[..]), ("team a", &["one", "two"][..]));
}

/// many SDKs always send `no-cache`.
#[test]
fn a_route_may_ignore_what_clients_say_in_cache_control() {
    let no_cache = request(&[("cache-control", "no-cache, no-store"), ("x-cache-tags", "t")]);
    let heeds = chat(|_| {});
    let directives = Directives::of(&no_cache, &heeds.all()[0]).unwrap();
    assert!(directives.wants.reload && directives.no_store);
    let ignores = chat(|route| route.ignore_client_cache_control = true);
    let directives = Directives::of(&no_cache, &ignores.all()[0]).unwrap();
    assert_eq!(directives, Directives { tags: vec!["t"], ..Directives::default() });
}

#[test]
fn what_a_header_may_not_hold_is_refused_by_name() {
    let routes = chat(|route| route.max_ttl = crate::settings::HumanDuration::from_secs(100));
    let long = "x".repeat(129);
    let tags: Vec<String> = (0..17).map(|number| format!("t{number}")).collect();
    let tags = tags.join(",");
    for (name, value) in [
        ("x-cache-ttl", "0"),
        ("x-cache-ttl", "101"),
        ("x-cache-ttl", "-1"),
        ("x-cache-ttl", "+1"),
        ("x-cache-ttl", "1.5"),
        ("x-cache-ttl", "5m"),
        ("x-cache-ttl", ""),
        ("x-cache-ttl", "99999999999999999999"),
        ("x-cache-namespace", &long),
        ("x-cache-tags", &long),
        ("x-cache-tags", &tags),
    ] {
        let error = Directives::of(&request(&[(name, value)]), &routes.all()[0]).unwrap_err();
        assert!(error.to_string().contains(name), "{name}: {value}: {error}");
    }
    let twice = request(&[("x-cache-ttl", "1"), ("x-cache-ttl", "2")]);
    assert!(Directives::of(&twice, &routes.all()[0]).is_err());
}
