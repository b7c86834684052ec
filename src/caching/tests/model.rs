//! A cache of the fewest lines that asks the deciders in the order a route does, before an origin
//! that answers from a script.

use std::collections::{BTreeMap, VecDeque};

use crate::caching::*;

/// Some second of the year 2026.
pub(super) const START_MS: u64 = 1_781_524_800_000;

/// Field lines that are kept.
pub(super) type Lines = Vec<(String, Vec<u8>)>;

/// An answer, of the origin or of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) fields: Lines,
    pub(super) body: &'static str,
}

impl Reply {
    pub(super) fn new(status: u16, fields: &[(&str, &str)], body: &'static str) -> Self {
        let line = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
        Self { status, fields: fields.iter().map(line).collect(), body }
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let (_, value) = self.fields.iter().find(|(other, _)| other == name)?;
        std::str::from_utf8(value).ok()
    }
}

/// A request as the origin saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) fields: Lines,
}

impl Seen {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let (_, value) = self.fields.iter().find(|(other, _)| other == name)?;
        std::str::from_utf8(value).ok()
    }
}

#[derive(Debug)]
struct StoredAnswer {
    reply: Reply,
    life: Life,
    selection: Selection,
}

#[derive(Debug, Default)]
struct Target {
    vary: Vary,
    answers: Vec<StoredAnswer>,
}

/// The cache, its clock and its origin.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) sharing: Sharing,
    pub(super) windows: StaleWindows,
    pub(super) heuristic: Heuristic,
    pub(super) now_ms: u64,
    /// What the origin answers next; `None` is a refused connection.
    pub(super) script: VecDeque<Option<Reply>>,
    /// What the origin was asked.
    pub(super) seen: Vec<Seen>,
    /// Targets that are to be refreshed behind their callers' backs.
    pub(super) refreshing: Vec<String>,
    targets: BTreeMap<String, Target>,
}

struct Call<'a> {
    method: &'a str,
    target: &'a str,
    fields: &'a [Field<'a>],
    directives: RequestDirectives,
}

fn borrowed(lines: &Lines) -> impl Fields<'_> {
    lines.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
}

fn owned(fields: Vec<KeptField<'_>>) -> Lines {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect()
}

impl Model {
    pub(super) fn new(sharing: Sharing) -> Self {
        Self {
            sharing,
            windows: StaleWindows::default(),
            heuristic: Heuristic::NONE,
            now_ms: START_MS,
            script: VecDeque::new(),
            seen: Vec::new(),
            refreshing: Vec::new(),
            targets: BTreeMap::new(),
        }
    }

    /// Adds an answer to the script, dated now unless it says otherwise.
    pub(super) fn will_answer(&mut self, mut reply: Reply) {
        if reply.field("date").is_none() {
            let date = format_http_date(self.now_ms).into_bytes();
            reply.fields.push(("date".to_owned(), date));
        }
        self.script.push_back(Some(reply));
    }

    pub(super) fn pass_s(&mut self, seconds: u64) {
        self.now_ms += seconds * 1_000;
    }

    /// Asks, with text for fields.
    pub(super) fn ask(&mut self, method: &str, target: &str, fields: &[(&str, &str)]) -> Reply {
        let fields: Vec<Field<'_>> =
            fields.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let directives = RequestDirectives::parse(fields.iter().copied());
        let call = Call { method, target, fields: &fields, directives };
        match Way::of(method, &directives, false, fields.iter().copied()) {
            Way::GatewayTimeout => Reply::new(504, &[], ""),
            Way::Pass(_) => self.forward(&call, call.fields).unwrap_or_else(bad_gateway),
            Way::WriteThrough => self.write_through(&call),
            Way::Lookup => self.look_up(&call),
        }
    }

    pub(super) fn get(&mut self, target: &str, fields: &[(&str, &str)]) -> Reply {
        self.ask("GET", target, fields)
    }

    fn forward(&mut self, call: &Call<'_>, fields: &[Field<'_>]) -> Option<Reply> {
        let lines = fields.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec()));
        self.seen.push(Seen {
            method: call.method.to_owned(),
            target: call.target.to_owned(),
            fields: lines.collect(),
        });
        self.script.pop_front().expect("the origin was asked once more than the script says")
    }

    fn write_through(&mut self, call: &Call<'_>) -> Reply {
        let Some(reply) = self.forward(call, call.fields) else { return bad_gateway() };
        let origin = "https://origin.example";
        let fields = borrowed(&reply.fields);
        for target in invalidated(call.method, reply.status, origin, call.target, fields) {
            for answer in self.targets.entry(target).or_default().answers.iter_mut() {
                answer.life = answer.life.invalidated();
            }
        }
        reply
    }

    fn look_up(&mut self, call: &Call<'_>) -> Reply {
        let Some(at) = self.selected(call) else {
            if call.directives.only_if_cached {
                return Reply::new(504, &[], "");
            }
            return self.fetch(call);
        };
        let life = self.targets[call.target].answers[at].life;
        match Standing::of(&life, &call.directives, self.windows, self.now_ms) {
            Standing::GatewayTimeout => Reply::new(504, &[], ""),
            Standing::MustValidate(_) => self.validate(call, at),
            Standing::StaleServable(StaleUse::WhileRevalidate) => {
                self.refreshing.push(call.target.to_owned());
                self.send(call, at)
            }
            Standing::Fresh | Standing::StaleServable(_) => self.send(call, at),
        }
    }

    fn selected(&self, call: &Call<'_>) -> Option<usize> {
        let target = self.targets.get(call.target)?;
        let selection = target.vary.selection(call.fields.iter().copied())?;
        target.answers.iter().position(|answer| answer.selection == selection)
    }

    /// Sends a stored answer, or 304 where the client has it.
    fn send(&self, call: &Call<'_>, at: usize) -> Reply {
        let StoredAnswer { reply, life, .. } = &self.targets[call.target].answers[at];
        let chosen = Chosen::of(reply.status, borrowed(&reply.fields), life.received_ms);
        let request = call.fields.iter().copied();
        let mut sent = match answer_to(call.method, request, &chosen, self.now_ms) {
            Answer::Stored => reply.clone(),
            Answer::NotModified => {
                let kept: Vec<Field<'_>> = fields_of_304(borrowed(&reply.fields)).collect();
                let line = |(name, value): Field<'_>| (name.to_owned(), value.to_vec());
                Reply { status: 304, fields: kept.into_iter().map(line).collect(), body: "" }
            }
        };
        if call.method == "HEAD" {
            sent.body = "";
        }
        let age = life.age_s(self.now_ms).to_string().into_bytes();
        sent.fields.push(("age".to_owned(), age));
        sent
    }

    /// Asks the origin for an answer of its own, without the client's conditions.
    fn fetch(&mut self, call: &Call<'_>) -> Reply {
        let plain = without_conditions(call.fields);
        let Some(reply) = self.forward(call, &plain) else { return bad_gateway() };
        self.take_in(call, reply)
    }

    /// Keeps an answer where that is allowed; the client gets it in any case.
    fn take_in(&mut self, call: &Call<'_>, reply: Reply) -> Reply {
        match self.decide(call, call.method, &reply) {
            Storing::Yes { life, vary, directives } => {
                let received_ms = life.received_ms;
                let fields =
                    kept_fields(borrowed(&reply.fields), &directives, self.sharing, received_ms);
                let kept = Reply { fields: owned(fields), ..reply.clone() };
                self.store(call, kept, life, vary);
                let at = self.selected(call).expect("what was just stored");
                // The answer as it came, unless the client has it.
                let sent = self.send(call, at);
                if sent.status == 304 { sent } else { reply }
            }
            Storing::No(_) => reply,
        }
    }

    fn decide(&self, call: &Call<'_>, method: &str, reply: &Reply) -> Storing {
        Storing::decide(&Candidate {
            sharing: self.sharing,
            method,
            request: &call.directives,
            is_authorized: call.fields.iter().any(|(name, _)| *name == "authorization"),
            status: reply.status,
            fields: borrowed(&reply.fields),
            exchange: Exchange { requested_ms: self.now_ms, received_ms: self.now_ms },
            heuristic: self.heuristic,
        })
    }

    fn store(&mut self, call: &Call<'_>, reply: Reply, life: Life, vary: Vary) {
        let target = self.targets.entry(call.target.to_owned()).or_default();
        let newer = std::mem::take(&mut target.vary).followed_by(vary);
        target.vary = newer;
        let selection = target.vary.selection(call.fields.iter().copied());
        let selection = selection.expect("an answer that never matches is not kept");
        target.answers.retain(|answer| answer.selection != selection);
        target.answers.push(StoredAnswer { reply, life, selection });
    }

    /// Asks the origin whether a stored answer is still right.
    fn validate(&mut self, call: &Call<'_>, at: usize) -> Reply {
        let StoredAnswer { reply: stored, life, .. } = &self.targets[call.target].answers[at];
        let (stored, life) = (stored.clone(), *life);
        let validators = Validators::of(borrowed(&stored.fields));
        let mut fields = without_conditions(call.fields);
        fields.extend(conditions(&validators));
        match self.forward(call, &fields) {
            None => self.fail(call, at, &life, bad_gateway()),
            Some(reply) if is_failure(reply.status) => self.fail(call, at, &life, reply),
            Some(reply) if reply.status == 304 => {
                let new = Validators::of(borrowed(&reply.fields));
                if is_identified(&validators, &new) {
                    return self.freshen(call, at, &stored, &reply, None);
                }
                self.remove(call, at);
                self.fetch(call)
            }
            Some(reply) if call.method == "HEAD" => {
                let length = u64::try_from(stored.body.len()).ok();
                let fields = borrowed(&stored.fields);
                let head = borrowed(&reply.fields);
                match HeadEffect::of(stored.status, fields, length, reply.status, head) {
                    HeadEffect::None => reply,
                    HeadEffect::MarkStale => {
                        self.remove(call, at);
                        reply
                    }
                    HeadEffect::Update => {
                        self.freshen(call, at, &stored, &reply, Some(reply.clone()))
                    }
                }
            }
            Some(reply) => {
                self.remove(call, at);
                self.take_in(call, reply)
            }
        }
    }

    fn fail(&self, call: &Call<'_>, at: usize, life: &Life, failure: Reply) -> Reply {
        match stand_in(life, &call.directives, self.windows, self.now_ms) {
            Some(_) => self.send(call, at),
            None => failure,
        }
    }

    /// Updates a stored answer by the fields of `new`, and sends it, or `instead`.
    fn freshen(
        &mut self,
        call: &Call<'_>,
        at: usize,
        stored: &Reply,
        new: &Reply,
        instead: Option<Reply>,
    ) -> Reply {
        let (old, fields) = (borrowed(&stored.fields), borrowed(&new.fields));
        let fields = freshened_fields(old, fields, self.sharing, self.now_ms);
        let updated = Reply { fields: owned(fields), ..stored.clone() };
        match self.decide(call, "GET", &updated) {
            Storing::Yes { life, vary, .. } => {
                self.remove(call, at);
                self.store(call, updated, life, vary);
                let at = self.selected(call).expect("what was just stored");
                instead.unwrap_or_else(|| self.send(call, at))
            }
            Storing::No(_) => {
                if !call.directives.no_store {
                    self.remove(call, at);
                }
                instead.unwrap_or(updated)
            }
        }
    }

    fn remove(&mut self, call: &Call<'_>, at: usize) {
        self.targets.entry(call.target.to_owned()).or_default().answers.remove(at);
    }
}

fn bad_gateway() -> Reply {
    Reply::new(502, &[], "")
}

fn without_conditions<'a>(fields: &[Field<'a>]) -> Vec<Field<'a>> {
    fields.iter().copied().filter(|(name, _)| !is_precondition(name)).collect()
}
