//! Who leads, who joins, who goes alone.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::flight::{Flight, FlightWriter};
use super::reader::Reader;
use crate::model::{BuildKeyHasher, CacheKey};

/// What a request for a key is to do.
pub enum Part {
    /// Start a flight that others may join.
    Lead(FlightWriter, Reader),
    /// Read the flight under way.
    Follow(Reader),
    /// Start a flight of its own that nobody joins.
    Alone(FlightWriter, Reader),
}

/// The flights under way, by key, and the keys that were found not to be shareable.
pub struct FlightTable {
    flights: HashMap<CacheKey, Arc<Flight>, BuildKeyHasher>,
    unshareable: HashMap<CacheKey, Instant, BuildKeyHasher>,
    /// The keys of `unshareable`, oldest first.
    remembered: VecDeque<CacheKey>,
    remember_for: Duration,
    max_remembered: usize,
}

impl FlightTable {
    /// Creates an empty table that remembers up to `max_remembered` keys for `remember_for`.
    pub fn new(remember_for: Duration, max_remembered: usize) -> Self {
        Self {
            flights: HashMap::default(),
            unshareable: HashMap::default(),
            remembered: VecDeque::new(),
            remember_for,
            max_remembered,
        }
    }

    /// Decides what a request for `key` does; `alone` when it already knows that it must.
    pub fn part(&mut self, key: CacheKey, alone: bool, now: Instant) -> Part {
        if alone || self.unshareable.get(&key).is_some_and(|until| *until > now) {
            let (writer, reader) = Flight::lead(key);
            return Part::Alone(writer, reader);
        }
        if let Some(reader) = self.flights.get(&key).and_then(Flight::join) {
            return Part::Follow(reader);
        }
        let (writer, reader) = Flight::lead(key);
        self.flights.insert(key, Arc::clone(writer.flight()));
        Part::Lead(writer, reader)
    }

    /// Forgets `flight`, unless another one flies under its key by now.
    pub fn ended(&mut self, flight: &Arc<Flight>) {
        if self.flights.get(&flight.key).is_some_and(|present| Arc::ptr_eq(present, flight)) {
            self.flights.remove(&flight.key);
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
        let table = FlightTable::new(Duration::from_secs(60), 2);
        (table, ManualClock::new(), CacheKey::new([7; 32]))
    }

    fn lead(table: &mut FlightTable, key: CacheKey, now: Instant) -> (FlightWriter, Reader) {
        match table.part(key, false, now) {
            Part::Lead(writer, reader) => (writer, reader),
            _ => panic!("expected to lead"),
        }
    }

    #[test]
    fn the_first_comer_leads_and_the_others_follow() {
        let (mut table, clock, key) = table();
        let _leader = lead(&mut table, key, clock.now());
        assert!(matches!(table.part(key, false, clock.now()), Part::Follow(_)));
        let other = CacheKey::new([8; 32]);
        assert!(matches!(table.part(other, false, clock.now()), Part::Lead(..)));
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
        assert!(matches!(table.part(key, false, clock.now()), Part::Follow(_)), "kept: joined");
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

    #[test]
    fn a_key_found_not_shareable_is_remembered_for_a_while_and_in_bounds() {
        let (mut table, clock, key) = table();
        let (writer, _reader) = lead(&mut table, key, clock.now());
        writer.open(Head { status: 200, headers: Vec::new(), streamed: false }, false);
        assert!(matches!(table.part(key, false, clock.now()), Part::Lead(..)));
        table.remember_unshareable(key, clock.now());
        assert!(matches!(table.part(key, false, clock.now()), Part::Alone(..)));
        clock.advance(Duration::from_secs(60));
        assert!(!matches!(table.part(key, false, clock.now()), Part::Alone(..)));
        for number in 0..10 {
            table.remember_unshareable(CacheKey::new([number; 32]), clock.now());
        }
        assert_eq!(table.unshareable.len(), 2);
        assert_eq!(table.remembered.len(), 2);
    }
}
