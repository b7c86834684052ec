//! The charts of the operators' page, in a real browser: what the library was given, and what it drew.

use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::client::Request;
use crate::support::deadline::{PATIENCE, poll};
use crate::support::gateway::{Gateway, prompt};
use crate::support::provider::Provider;

/// Finds a chart by name, the colour that a variable of the style sheet has, and whether a chart shows
/// it within two pixels of a place; then evaluates the script that follows.
const LOOK: &str = "
    const { drawn } = await import('/dashboard/charts.js');
    const chart = (name) => drawn.get(document.getElementById('chart-' + name));
    const colour = (name) => {
        const ctx = new OffscreenCanvas(1, 1).getContext('2d');
        ctx.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--' + name);
        ctx.fillRect(0, 0, 1, 1);
        return [...ctx.getImageData(0, 0, 1, 1).data];
    };
    const shows = (plot, x, y, name) => {
        const wanted = colour(name);
        const { data } = plot.ctx.getImageData(Math.round(x) - 2, Math.round(y) - 2, 5, 5);
        const is = (at) => wanted.every((part, index) => Math.abs(part - data[at + index]) < 20);
        return Array.from({ length: 25 }, (_, pixel) => 4 * pixel).some(is);
    };
    const last = (name, series) => {
        const { plot } = chart(name);
        const at = plot.data[0].length - 1;
        return [plot, plot.valToPos(plot.data[0][at], 'x', true), plot.valToPos(plot.data[series][at], 'y', true)];
    };";

/// What the chart of traffic says where it is pointed at.
const READING: &str = "document.querySelector('#chart-traffic .reading').textContent";

fn look(browser: &mut Browser, script: &str) -> Value {
    browser.evaluate(&format!("(async () => {{{LOOK}\n{script}}})()"))
}

#[track_caller]
fn look_until(browser: &mut Browser, script: &str) {
    browser.wait_for(&format!("(async () => {{{LOOK}\n{script}}})()"));
}

/// Opens the page of a gateway that has answered 16 hits and 4 misses, and waits for lines.
fn opened(gateway: &Gateway) -> Browser {
    for number in 0..4 {
        for _ in 0..5 {
            gateway.chat(prompt(&format!("prompt {number}"))).expect_status(200);
        }
    }
    let mut browser = Browser::start();
    browser.open(&format!("http://{}/dashboard", gateway.operations()));
    look_until(
        &mut browser,
        "return chart('traffic')?.plot.data[0].length > 1 && chart('curve') !== undefined \
         && document.querySelector('[data-n=\"requests.total\"]').textContent === '20'",
    );
    browser
}

/// What the library holds, and the numbers of the page from the same document.
const GIVEN: &str = "
    const named = (name) => {
        const { plot, spec } = chart(name);
        const values = spec.series.map((one, index) => [one.name, plot.data[index + 1].at(-1)]);
        return Object.fromEntries(values.filter((_, index) => plot.series[index + 1].show));
    };
    const told = (name) => JSON.parse(document.querySelector(`[data-n='${name}']`).dataset.v);
    return {
        traffic: named('traffic'), latency: named('latency'), memory: named('memory')['in use'],
        top: chart('memory').plot.scales.y.max, curve: [...chart('curve').plot.data],
        present: chart('curve').spec.mark.at,
        per_second: told('requests.per_second'), resident: told('memory.resident_bytes'),
    };";

#[test]
fn the_charts_are_given_the_numbers_of_the_api() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let mut browser = opened(&gateway);
    let mut seen = (Value::Null, Value::Null);
    // The curve and the times settle within a refresh or two.
    let agreed = poll(PATIENCE, || {
        let told = gateway.operate(&Request::get("/api/v1/performance?window=1m")).json();
        let given = look(&mut browser, GIVEN);
        let same = |given: &Value, told: &Value| given.as_f64() == told.as_f64();
        let times = ["p50", "p95", "p99"].iter().all(|name| {
            let told = &told["response_times"]["all"][format!("{name}_ms")];
            told.is_number() && same(&given["latency"][name], told)
        });
        let points = told["scaling"]["curve"].as_array().cloned().unwrap_or_default();
        let is_column = |column: &Value, member: &str| {
            let column = column.as_array().expect("a column");
            column.len() == points.len()
                && column.iter().zip(&points).all(|(given, point)| same(given, &point[member]))
        };
        let curve = !points.is_empty()
            && is_column(&given["curve"][0], "bytes")
            && is_column(&given["curve"][1], "hit_ratio")
            && same(&given["present"], &told["scaling"]["l1"]["bytes"]);
        let top = same(&given["top"], &told["memory"]["limit_bytes"]);
        seen = (told, given);
        (times && curve && top).then_some(())
    });
    let (told, given) = seen;
    assert!(agreed.is_some(), "{given:#}\n{told:#}");
    let rate = |name: &str| given["traffic"][name].as_f64().unwrap_or_default();
    let (hits, misses) = (rate("hit in L1"), rate("miss"));
    // Outcomes that never came have no line, and all that came add up.
    assert_eq!(given["traffic"].as_object().map(serde_json::Map::len), Some(2), "{given:#}");
    assert!(misses > 0.0 && (hits / misses - 4.0).abs() < 1e-9, "{given:#}");
    let per_second = given["per_second"].as_f64().expect("a rate");
    assert!((hits + misses - per_second).abs() <= 0.01 * per_second, "{given:#}");
    assert!(given["resident"].is_number() && given["memory"] == given["resident"], "{given:#}");
    assert_eq!(browser.errors(), [""; 0]);
}

/// Lines, bands of pressure and the present size are where their numbers are, in the colours of the scheme.
#[test]
fn the_charts_are_drawn_in_light_and_dark_and_on_a_phone() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let mut browser = opened(&gateway);
    const DRAWN: &str = "
        const { plot: memory, spec } = chart('memory');
        const middle = memory.bbox.left + memory.bbox.width / 2;
        const bands = spec.bands.map(({ colour, from, to }) => shows(memory, middle, memory.valToPos((from + to) / 2, 'y', true), colour));
        const { plot: curve, spec: { mark } } = chart('curve');
        const dots = curve.data[0].map((x, at) => shows(curve, curve.valToPos(x, 'x', true), curve.valToPos(curve.data[1][at], 'y', true), 'c1'));
        const down = Array.from({ length: 20 }, (_, step) => curve.bbox.top + curve.bbox.height * step / 20);
        const marked = down.filter((y) => shows(curve, curve.valToPos(mark.at, 'x', true), y, 'text')).length;
        const lines = [shows(...last('traffic', 1), 'c1'), shows(...last('traffic', 4), 'c4'), shows(...last('latency', 1), 'c1'), shows(...last('memory', 1), 'c1')];
        return bands.length === 2 && dots.length > 1 && marked > 9 && [...bands, ...dots, ...lines].every(Boolean);";
    look_until(&mut browser, DRAWN);
    let light = look(&mut browser, "return [colour('c1'), colour('ill-bg')]");
    let dark = json!({"features": [{"name": "prefers-color-scheme", "value": "dark"}]});
    browser.call("Emulation.setEmulatedMedia", dark);
    look_until(&mut browser, DRAWN);
    let dark = look(&mut browser, "return [colour('c1'), colour('ill-bg')]");
    assert!(dark[0] != light[0] && dark[1] != light[1], "{light} {dark}");
    browser.tab_to("#chart-traffic .plot");
    browser.press("End");
    browser.wait_for(&format!("{READING} !== ''"));
    let wide = look(&mut browser, "return chart('traffic').plot.width");
    let phone = json!({"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": true});
    browser.call("Emulation.setDeviceMetricsOverride", phone);
    look_until(
        &mut browser,
        "const all = [...drawn.values()];
         return all.length === 4 && document.documentElement.scrollWidth <= 390
             && all.every(({ area, plot }) => plot.width === area.clientWidth && plot.ctx.canvas.width === 2 * plot.width)",
    );
    look_until(&mut browser, DRAWN);
    // What was pointed at is elsewhere now.
    browser.wait_for(&format!("{READING} === ''"));
    assert_eq!(browser.evaluate("document.querySelectorAll('.u-cursor-pt:not(.u-off)').length"), 0);
    assert!(look(&mut browser, "return chart('traffic').plot.width").as_f64() < wide.as_f64());
    assert_eq!(browser.errors(), [""; 0]);
}

#[test]
fn a_chart_is_made_once_and_read_by_the_keyboard() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let mut browser = opened(&gateway);
    look(&mut browser, "window.first = [...drawn.values()].map(({ plot }) => plot)");
    let before = look(&mut browser, "return chart('traffic').plot.data[0].length");
    look_until(
        &mut browser,
        &format!("return chart('traffic').plot.data[0].length > {before} + 1"),
    );
    let is_same = "[...drawn.values()].every(({ plot }, index) => plot === window.first[index])";
    look_until(
        &mut browser,
        &format!("return {is_same} && document.querySelectorAll('canvas').length === 4"),
    );
    browser.tab_to("#chart-traffic .plot");
    browser.press("End");
    browser.wait_for(&format!("/^now: hit in L1 [\\d.]+, miss [\\d.]+$/.test({READING})"));
    browser.press("ArrowLeft");
    browser.wait_for(&format!("/ ago: hit in L1 /.test({READING})"));
    browser.press("Home");
    browser.press("Escape");
    browser.wait_for(&format!("{READING} === ''"));
    // A curve that is away for a while says why, and comes again.
    look(
        &mut browser,
        "(await import('/dashboard/charts.js')).instead(document.getElementById('chart-curve'), 'away')",
    );
    look_until(&mut browser, "return chart('curve')?.plot.ctx.canvas.isConnected");
    assert_eq!(browser.errors(), [""; 0]);
}

/// No value stands beyond the top, and few far below it.
#[test]
fn every_rate_has_room_under_the_top() {
    let gateway = Gateway::patient().start();
    let mut browser = Browser::start();
    browser.open(&format!("http://{}/dashboard", gateway.operations()));
    let wrong = browser.evaluate(
        "(async () => {
            const { chart, drawn } = await import('/dashboard/charts.js?of-its-own');
            const holder = document.body.appendChild(document.createElement('div'));
            const wrong = [];
            const rates = Array.from({ length: 400 }, (_, step) => 1e-3 * 1.05 ** step);
            for (const rate of [...rates, 9.8, 9.81, 9.99, 10]) {
                const text = (value) => String(value);
                chart(holder, { xs: [1, 2], xRange: [1, 2], xFormat: text, yFormat: text, label: 'a rate',
                    series: [{ name: 'rate', style: 1, values: [0, rate] }] });
                const { min, max } = drawn.get(holder).plot.scales.y;
                if (!(min === 0 && max >= 1.01 * rate && max < 3 * rate)) wrong.push([rate, max]);
            }
            return wrong;
        })()",
    );
    assert_eq!(wrong, json!([]));
    assert_eq!(browser.errors(), [""; 0]);
}

/// Whatever the clock of the gateway does, and however long the page is open.
#[test]
fn the_points_rise_in_time_and_are_bounded() {
    let gateway = Gateway::patient().start();
    let mut browser = Browser::start();
    browser.open(&format!("http://{}/dashboard", gateway.operations()));
    let kept = browser.evaluate(
        "(async () => {
            const { points, remember } = await import('/dashboard/history.js?of-its-own');
            const told = (at) => remember({ at_unix_ms: at, window: { seconds: 60 }, requests: {}, response_times: {}, memory: {} });
            const seen = [];
            const look = () => seen.push([points.length, points[0].at, points.at(-1).at]);
            for (let at = 1; at <= 1000; at += 1) told(at);
            look();
            told(1000);
            look();
            told(900);
            look();
            told(5);
            look();
            return seen;
        })()",
    );
    assert_eq!(kept, json!([[300, 701, 1000], [300, 701, 1000], [200, 701, 900], [1, 5, 5]]));
}
