//! Who leads, who joins, who goes alone.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::flight::{Flight, Found};
use super::reader::Reader;
use super::writer::FlightWriter;
use crate::model::{BuildKeyHasher, CacheKey, Entry, Labels, Level, Purges, Use, Wants};

/// What a request for a key is to do.
pub enum Part {
    /// Start a flight that others may join.
    Lead(FlightWriter, Reader),
    /// Read the flight under way.
    Follow(Reader),
    /// Start a flight of its own that nobody joins.
    Alone(FlightWriter, Reader),
}

/// How a request may share a flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It joins one, or leads one that others join.
    Together,
    /// It joins one whose answer is not there yet, or leads one that others join: it has conditions
    /// of its own that an answer from before it may not meet.
    UnderWay,
    /// It joins none that began before it, and leads one that others join.
    Anew,
    /// It neither joins nor is joined.
    Alone,
}

/// The flights under way, by key, and the keys that were found not to be shareable.
pub struct FlightTable {
    flights: HashMap<CacheKey, Arc<Flight>, BuildKeyHasher>,
    /// Of flights that refresh: the stale answers that are served meanwhile.
    standing_by: HashMap<CacheKey, (Arc<Entry>, Level), BuildKeyHasher>,
    unshareable: HashMap<CacheKey, Instant, BuildKeyHasher>,
    /// The keys of `unshareable`, oldest first.
    remembered: VecDeque<CacheKey>,
    remember_for: Duration,
    max_remembered: usize,
    purges: Purges,
}

impl FlightTable {
    /// Creates an empty table that remembers up to `max_remembered` keys for `remember_for`. A
    /// flight whose answer `purges` cover is not joined.
    pub fn new(remember_for: Duration, max_remembered: usize, purges: Purges) -> Self {
        Self {
            flights: HashMap::default(),
            standing_by: HashMap::default(),
            unshareable: HashMap::default(),
            remembered: VecDeque::new(),
            remember_for,
            max_remembered,
            purges,
        }
    }

    /// Decides what a request for `key` does; `labels` are what its answer could be purged by.
    pub fn part(&mut self, key: CacheKey, labels: &Labels, how: How, now: Instant) -> Part {
        let is_unshareable = self.unshareable.get(&key).is_some_and(|until| *until > now);
        if how == How::Alone || is_unshareable {
            let (writer, reader) = Flight::lead(key, labels.clone());
            return Part::Alone(writer, reader);
        }
        let may_join = |flight: &&Arc<Flight>| match how {
            How::Together => true,
            How::UnderWay => !flight.has_landed(),
            How::Anew | How::Alone => false,
        };
        if let Some(reader) = self.joinable(&key).filter(may_join).and_then(Flight::join) {
            return Part::Follow(reader);
        }
        let (writer, reader) = Flight::lead(key, labels.clone());
        self.flights.insert(key, Arc::clone(writer.flight()));
        self.standing_by.remove(&key);
        Part::Lead(writer, reader)
    }

    /// Returns the flight of `key`, unless it began before a purge of what it will bring.
    fn joinable(&self, key: &CacheKey) -> Option<&Arc<Flight>> {
        self.flights.get(key).filter(|flight| !self.purges.covers(key, &flight.labels))
    }

    /// Has `stale` served while the flight of `key`, which refreshes it, is under way.
    pub fn stand_by(&mut self, key: CacheKey, stale: (Arc<Entry>, Level)) {
        self.standing_by.insert(key, stale);
    }

    /// Returns the stale answer that `wants` take while the flight of `key` refreshes it.
    pub fn stands_by(&self, key: &CacheKey, wants: &Wants, wall_ms: u64) -> Option<Found> {
        let (entry, level) = self.standing_by.get(key)?;
        let is_taken = !self.purges.covers(key, &entry.labels)
            && matches!(wants.judge(&entry.freshness, wall_ms), Use::Serve | Use::ServeAndRefresh);
        is_taken.then(|| Found { entry: Arc::clone(entry), level: *level, instead_of: None })
    }

    /// Tells whether a flight for `key` is under way that can be joined.
    pub fn is_under_way(&self, key: &CacheKey) -> bool {
        self.joinable(key).is_some()
    }

    /// Forgets `flight`, unless another one flies under its key by now.
    pub fn ended(&mut self, flight: &Arc<Flight>) {
        if self.flights.get(&flight.key).is_some_and(|present| Arc::ptr_eq(present, flight)) {
            self.flights.remove(&flight.key);
            self.standing_by.remove(&flight.key);
        }
    }

    /// Remembers that answers of `key` are their asker's alone.
    pub fn remember_unshareable(&mut self, key: CacheKey, now: Instant) {
        if self.max_remembered == 0 {
            return;
        }
        if self.unshareable.insert(key, now + self.remember_for).is_none() {
            self.remembered.push_back(key);
        }
        while self.remembered.len() > self.max_remembered {
            if let Some(oldest) = self.remembered.pop_front() {
                self.unshareable.remove(&oldest);
            }
        }
    }

    /// Returns how many flights are under way.
    pub fn len(&self) -> usize {
        self.flights.len()
    }

    /// Tells whether no flight is under way.
    pub fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::error::OriginError;
    use crate::origin::Head;
    use crate::resolver::flight::Kept;

    fn table() -> (FlightTable, Arc<ManualClock>, CacheKey) {
        let table = FlightTable::new(Duration::from_secs(60), 2, Purges::default());
        (table, ManualClock::new(), CacheKey::new([7; 32]))
    }

    fn lead(table: &mut FlightTable, key: CacheKey, now: Instant) -> (FlightWriter, Reader) {
        match table.part(key, &Labels::default(), How::Together, now) {
            Part::Lead(writer, reader) => (writer, reader),
            _ => panic!("expected to lead"),
        }
    }

    #[test]
    fn the_first_comer_leads_and_the_others_follow() {
        let (mut table, clock, key) = table();
        let _leader = lead(&mut table, key, clock.now());
        assert!(matches!(
            table.part(key, &Labels::default(), How::Together, clock.now()),
            Part::Follow(_)
        ));
        let other = CacheKey::new([8; 32]);
        assert!(matches!(
            table.part(other, &Labels::default(), How::Together, clock.now()),
            Part::Lead(..)
        ));
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn a_flight_is_not_joined_after_an_end_that_leaves_nothing() {
        let (mut table, clock, key) = table();
        let (writer, _reader) = lead(&mut table, key, clock.now());
        writer.fail(OriginError::Internal { upstream: "u".into() });
        let (writer, _reader) = lead(&mut table, key, clock.now());
        drop(writer);
        let (writer, _reader) = lead(&mut table, key, clock.now());
        writer.open(Head { status: 500, headers: Vec::new(), streamed: false }, true);
        writer.land(Kept::Not("status"), None);
        let (writer, _reader) = lead(&mut table, key, clock.now());
        let flight = Arc::clone(writer.flight());
        writer.land(Kept::For(Duration::from_secs(1)), None);
        assert!(
            matches!(
                table.part(key, &Labels::default(), How::Together, clock.now()),
                Part::Follow(_)
            ),
            "kept: joined"
        );
        table.ended(&flight);
        assert!(table.is_empty());
    }

    #[test]
    fn the_end_of_an_older_flight_does_not_remove_its_successor() {
        let (mut table, clock, key) = table();
        let (first, _reader) = lead(&mut table, key, clock.now());
        let old = Arc::clone(first.flight());
        drop(first);
        let _second = lead(&mut table, key, clock.now());
        table.ended(&old);
        assert_eq!(table.len(), 1);
    }

    /// a fill that began before a purge is nothing for those who ask after it.
    #[test]
    fn a_flight_from_before_a_purge_is_not_joined() {
        let (mut table, clock, key) = table();
        let _leader = lead(&mut table, key, clock.now());
        table.purges.purge(crate::model::Label::ALL, clock.wall_ms());
        let labels = Labels { generation: table.purges.generation(), names: Box::default() };
        let part = table.part(key, &labels, How::Together, clock.now());
        let Part::Lead(_writer, _reader) = part else { panic!("expected to lead") };
        let part = table.part(key, &labels, How::Together, clock.now());
        assert!(matches!(part, Part::Follow(_)), "the new flight is joined");
    }

    #[test]
    fn who_wants_a_new_answer_joins_no_earlier_flight_and_later_ones_join_his() {
        let (mut table, clock, key) = table();
        let (first, _reader) = lead(&mut table, key, clock.now());
        let part = table.part(key, &Labels::default(), How::Anew, clock.now());
        let Part::Lead(second, _reader) = part else { panic!("expected to lead") };
        let part = table.part(key, &Labels::default(), How::Together, clock.now());
        let Part::Follow(_follower) = part else { panic!("expected to follow") };
        table.ended(first.flight());
        assert!(table.is_under_way(&key));
        table.ended(second.flight());
        assert!(!table.is_under_way(&key));
    }

    /// RFC 9111 §5.2.1: the answer of a flight that has landed may be older than a request with
    /// conditions takes.
    #[test]
    fn a_request_with_conditions_joins_no_flight_that_has_landed() {
        let (mut table, clock, key) = table();
        let (writer, _leader) = lead(&mut table, key, clock.now());
        let follows = |table: &mut FlightTable, how| {
            let part = table.part(key, &Labels::default(), how, clock.now());
            matches!(part, Part::Follow(_))
        };
        assert!(follows(&mut table, How::UnderWay));
        writer.land(Kept::For(Duration::from_secs(1)), None);
        assert!(follows(&mut table, How::Together));
        assert!(!follows(&mut table, How::UnderWay));
    }

    #[test]
    fn what_landed_stale_is_joined_by_nobody() {
        let (mut table, clock, key) = table();
        let (writer, _leader) = lead(&mut table, key, clock.now());
        writer.land(Kept::For(Duration::ZERO), None);
        let part = table.part(key, &Labels::default(), How::Together, clock.now());
        assert!(matches!(part, Part::Lead(..)));
    }

    #[test]
    fn a_key_found_not_shareable_is_remembered_for_a_while_and_in_bounds() {
        let (mut table, clock, key) = table();
        let (writer, _reader) = lead(&mut table, key, clock.now());
        writer.open(Head { status: 200, headers: Vec::new(), streamed: false }, false);
        assert!(matches!(
            table.part(key, &Labels::default(), How::Together, clock.now()),
            Part::Lead(..)
        ));
        table.remember_unshareable(key, clock.now());
        assert!(matches!(
            table.part(key, &Labels::default(), How::Together, clock.now()),
            Part::Alone(..)
        ));
        clock.advance(Duration::from_secs(60));
        assert!(!matches!(
            table.part(key, &Labels::default(), How::Together, clock.now()),
            Part::Alone(..)
        ));
        for number in 0..10 {
            table.remember_unshareable(CacheKey::new([number; 32]), clock.now());
        }
        assert_eq!(table.unshareable.len(), 2);
        assert_eq!(table.remembered.len(), 2);
    }
}
