//! L1's policy: what is held inside one bound in weight, and what goes.
//!
//! Three shelves share the bound. What comes in after a request stands in the *window*, in the order
//! of use; what the window can no longer hold is offered to the *main* shelf, mini-moka, which
//! admits by frequency. Every request is shown to mini-moka's sketch of frequencies, wherever its
//! value stands. Values that nobody has asked for yet wait for their first use on the *warm* shelf,
//! where they displace no more than its share. Nothing here knows of time, levels or HTTP: the
//! gateway, the replay and scaled-down copies run this same code.
//!
//! Keys are digests: their first eight bytes are taken as their hash.

mod account;
mod main_shelf;
mod recency;
mod resizing;
mod share;

use std::hash::Hash;
use std::rc::Rc;

use account::{Account, Held};
use main_shelf::MainShelf;
use recency::Recency;
use share::{WindowShare, scale};

/// Most that the warm shelf may be given of the capacity.
pub const MOST_WARM_SHARE: f64 = 0.5;

/// What became of an insert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is held.
    Yes,
    /// Not admitted: too large, or asked for less often than what it would displace.
    Refused,
    /// One as new is held already, or one that is worth more.
    Present,
}

/// How large the shelves are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Most weight held together.
    pub capacity: u64,
    /// The most that [`Shelves::resize`] may ever make of it.
    pub ceiling: u64,
    /// About how many entries fill `capacity`: what frequencies are kept for. The room for them is
    /// taken at the start, so that of shelves made larger later frequencies are forgotten sooner.
    pub entries: u64,
}

impl Plan {
    /// The plan of shelves that hold `entries` of weight 1 and are never made larger.
    pub const fn of_entries(entries: u64) -> Self {
        Self { capacity: entries, ceiling: entries, entries }
    }
}

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    /// In the order of use, for what came in of late.
    Window,
    /// By frequency.
    Main,
    /// Not asked for yet.
    Warm,
}

/// Values by key, within a bound. Lives on one thread: no lock is the point.
pub struct Shelves<K, V> {
    plan: Plan,
    /// Where the capacity goes, step by step.
    goal: u64,
    window: Recency<K, V>,
    main: MainShelf<K, V>,
    warm: Recency<K, V>,
    warm_share: f64,
    /// The window's share, where it does not adapt.
    fixed_share: f64,
    adaptive: Option<WindowShare>,
    account: Rc<Account>,
    evictions: u64,
}

impl<K: Copy + Eq + Hash, V> Shelves<K, V> {
    /// Creates empty shelves whose window adapts to the traffic, between a tenth and eight tenths of
    /// the capacity. The warm shelf has no room at first.
    pub fn new(plan: Plan) -> Self {
        Self::adaptive(plan, share::COPY_ENTRIES)
    }

    /// Creates empty shelves whose window adapts as that of [`Self::new`], by fewer requests: for copies,
    /// of which there are many.
    pub fn coarse(plan: Plan) -> Self {
        Self::adaptive(plan, share::COARSE_ENTRIES)
    }

    fn adaptive(plan: Plan, copy_entries: f64) -> Self {
        let mut shelves = Self::with_window(plan, share::START);
        shelves.adaptive = Some(WindowShare::new(&shelves.plan, copy_entries));
        shelves
    }

    /// Creates empty shelves whose window keeps its share of the capacity, between 0 and 1.
    pub fn with_window(plan: Plan, share: f64) -> Self {
        let ceiling = plan.ceiling.max(plan.capacity).max(1);
        Self {
            plan: Plan { ceiling, ..plan },
            goal: plan.capacity,
            window: Recency::new(),
            main: MainShelf::new(ceiling, plan.entries),
            warm: Recency::new(),
            warm_share: 0.0,
            fixed_share: share.clamp(0.0, 1.0),
            adaptive: None,
            account: Rc::default(),
            evictions: 0,
        }
    }

    /// Counts a request for `key` and returns what `look` sees in its value, if it is held. What
    /// `look` sees nothing in goes: its time is over.
    pub fn get<R>(&mut self, key: &K, look: impl FnOnce(&V) -> Option<R>) -> Option<R> {
        self.step();
        self.use_warmed(key);
        let held = if self.main.contains(key) {
            self.main.get(key)
        } else {
            let _ = self.main.get(key);
            // On the warm shelf stands only what the window is too small for.
            if self.window.contains(key) { self.window.get(key) } else { self.warm.get(key) }
        };
        let weight = held.map(|held| {
            held.used();
            held.weight
        });
        let seen = held.and_then(|held| look(&held.value));
        if seen.is_none() && weight.is_some() {
            self.remove(key);
        }
        if let Some(adaptive) = &mut self.adaptive {
            let weight = weight.filter(|_| seen.is_some());
            adaptive.asked(key, weight, &self.plan, &self.account);
        }
        seen
    }

    /// Counts `times` requests for `key` that were answered elsewhere, and looks as [`Self::get`] does.
    /// Those who size the window hear of one: that many in a row are hits whatever its size.
    pub fn touch<R>(
        &mut self,
        key: &K,
        times: u32,
        look: impl FnOnce(&V) -> Option<R>,
    ) -> Option<R> {
        for _ in 1..times {
            let _ = self.main.get(key);
        }
        self.get(key, look)
    }

    /// Returns the value of `key` if it is held. In the window and on the warm shelf this is no use
    /// of it; mini-moka knows no look without one.
    pub fn peek(&mut self, key: &K) -> Option<&V> {
        let held = match self.shelf_of(key)? {
            Shelf::Window => self.window.peek(key),
            Shelf::Warm => self.warm.peek(key),
            Shelf::Main => self.main.get(key),
        };
        held.map(|held| &held.value)
    }

    /// Tells where the value of `key` stands, if it is held. No use of it.
    pub fn shelf_of(&mut self, key: &K) -> Option<Shelf> {
        if self.window.contains(key) {
            Some(Shelf::Window)
        } else if self.warm.contains(key) {
            Some(Shelf::Warm)
        } else {
            self.main.contains(key).then_some(Shelf::Main)
        }
    }

    /// Tells whether the value of `key` is held. No use of it.
    pub fn contains(&mut self, key: &K) -> bool {
        self.shelf_of(key).is_some()
    }

    /// Holds a value that was asked for. What stood under its key goes in any case.
    pub fn insert(&mut self, key: K, value: V, weight: u64) -> Stored {
        self.step();
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.came(&key, weight.max(1));
        }
        let was_in_main = self.take_down(&key) == Some(Shelf::Main);
        self.hold(key, value, weight, was_in_main)
    }

    /// Holds another value in the place of the one that is held, without counting a request; refused
    /// where none is held.
    pub fn replace(&mut self, key: K, value: V, weight: u64) -> Stored {
        match self.take_down(&key) {
            None => Stored::Refused,
            Some(Shelf::Warm) => self.hold_warm(key, value, weight),
            Some(shelf) => self.hold(key, value, weight, shelf == Shelf::Main),
        }
    }

    /// Holds a value that nobody has asked for yet, in the room set by [`Self::set_warm_share`]. The
    /// one that has waited longest goes for it. What is held already stays.
    pub fn warm(&mut self, key: K, value: V, weight: u64) -> Stored {
        self.step();
        if self.contains(&key) {
            return Stored::Present;
        }
        self.hold_warm(key, value, weight)
    }

    /// Lets go of the value of `key`, because its time is over; tells whether it was held.
    pub fn remove(&mut self, key: &K) -> bool {
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.left(key);
        }
        let was_held = self.take_down(key).is_some();
        self.make_room();
        was_held
    }

    /// Sets the warm shelf's share of the capacity, from 0 (nothing is taken) to
    /// [`MOST_WARM_SHARE`]. Room it does not fill is the others'.
    pub fn set_warm_share(&mut self, share: f64) {
        self.warm_share = share.clamp(0.0, MOST_WARM_SHARE);
        self.make_room();
    }

    /// Returns the warm shelf's share of the capacity.
    pub const fn warm_share(&self) -> f64 {
        self.warm_share
    }

    /// Returns the window's share of what the warm shelf leaves.
    pub fn window_share(&self) -> f64 {
        self.adaptive.as_ref().map_or(self.fixed_share, WindowShare::now)
    }

    /// Returns the weight held.
    pub fn weight(&self) -> u64 {
        self.account.weight()
    }

    /// Returns the weight held on one shelf.
    pub fn weight_of(&self, shelf: Shelf) -> u64 {
        let (window, warm) = (self.window.weight(), self.warm.weight());
        match shelf {
            Shelf::Window => window,
            Shelf::Warm => warm,
            Shelf::Main => self.weight().saturating_sub(window).saturating_sub(warm),
        }
    }

    /// Returns how many values are held.
    pub fn entries(&self) -> u64 {
        self.account.entries()
    }

    /// Returns the most that may be held now. After [`Self::resize`] to less it falls in steps.
    pub const fn capacity(&self) -> u64 {
        self.plan.capacity
    }

    /// Returns the capacity last asked for.
    pub const fn capacity_wanted(&self) -> u64 {
        self.goal
    }

    /// Returns how many values left to make room.
    pub const fn evictions(&self) -> u64 {
        self.evictions
    }

    /// First use of what was warmed: from now on it stands in the window.
    fn use_warmed(&mut self, key: &K) {
        let room = self.window_room();
        if self.warm.peek(key).is_some_and(|held| held.weight <= room)
            && let Some(held) = self.warm.remove(key)
        {
            self.window.push(*key, held);
            self.make_room();
        }
    }

    fn take_down(&mut self, key: &K) -> Option<Shelf> {
        if self.window.remove(key).is_some() {
            Some(Shelf::Window)
        } else if self.warm.remove(key).is_some() {
            Some(Shelf::Warm)
        } else {
            self.main.remove(key).then_some(Shelf::Main)
        }
    }

    /// Holds what nothing stands under the key of.
    fn hold(&mut self, key: K, value: V, weight: u64, was_in_main: bool) -> Stored {
        // The room that was freed before is the main shelf's now.
        self.make_room();
        let weight = weight.max(1);
        let before = self.entries();
        let held = Held::new(value, weight, &self.account);
        let fits_window = weight <= self.window_room();
        let is_held = if !fits_window || was_in_main && self.main.has_room(weight) {
            self.main.offer(key, held)
        } else {
            self.window.push(key, held);
            true
        };
        self.evictions += (before + u64::from(is_held)).saturating_sub(self.entries());
        self.make_room();
        if is_held { Stored::Yes } else { Stored::Refused }
    }

    fn hold_warm(&mut self, key: K, value: V, weight: u64) -> Stored {
        let weight = weight.max(1);
        if weight > self.warm_room() {
            return Stored::Refused;
        }
        let held = Held::new(value, weight, &self.account);
        self.warm.push(key, held);
        self.make_room();
        Stored::Yes
    }

    fn warm_room(&self) -> u64 {
        part(self.plan.capacity, self.warm_share)
    }

    fn window_room(&self) -> u64 {
        let rest = self.plan.capacity.saturating_sub(self.warm.weight());
        part(rest, self.window_share())
    }

    /// Brings every shelf within its bound. What the window lets go of is offered to the main shelf,
    /// which has all the room that the others leave.
    fn make_room(&mut self) {
        let before = self.entries();
        let warm_room = self.warm_room();
        while self.warm.weight() > warm_room && self.warm.pop_coldest().is_some() {}
        let window_room = self.window_room();
        while self.window.weight() > window_room {
            let Some((key, held)) = self.window.pop_coldest() else { break };
            self.limit_main(window_room);
            self.main.offer(key, held);
        }
        self.limit_main(window_room);
        self.evictions += before.saturating_sub(self.entries());
    }

    /// Gives the main shelf what the others leave, the window not counted beyond its room, which it
    /// is about to be brought within.
    fn limit_main(&mut self, window_room: u64) {
        let window = self.window.weight().min(window_room);
        let others = window.saturating_add(self.warm.weight());
        self.main.set_limit(self.plan.capacity.saturating_sub(others));
    }
}

/// Returns `share` of `whole`, to the nearest unit of weight.
fn part(whole: u64, share: f64) -> u64 {
    if share <= 0.0 { 0 } else { scale(whole, share).min(whole) }
}

#[cfg(test)]
mod tests;
