//! Which guesses are worth acting on: a ledger of those that were used and those that were wasted.

/// Buckets of confidence.
pub const BUCKETS: usize = 20;

/// Kinds of guesses.
const SOURCES: usize = 4;

/// Warmings of a bucket after which its counts are halved: newer ones count more.
const HALVED_AT: f64 = 200.0;

/// Guesses of a bucket that are watched before any is acted on.
const FREE_TRIES: f64 = 10.0;

/// Of a bucket that does not pay, one guess in so many is still watched: traffic changes.
const ONE_IN: u32 = 4;

/// What is to be done with a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Act on it.
    Act,
    /// Only watch whether it comes true: what is tried out costs nobody anything.
    Try,
    /// Nothing.
    Leave,
}

/// What the record of the next bucket counts for, beside a bucket's own.
const NEXT: f64 = 0.5;

/// Where a guess comes from. Each has a ledger of its own: their confidences mean different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// What follows in a session.
    Sequence,
    /// What is asked for often, and runs out.
    Popular,
    /// The same, where its answer has run out for all levels.
    Expiring,
    /// What is asked for at regular times.
    Period,
}

impl Source {
    /// All sources.
    pub const ALL: [Self; SOURCES] = [Self::Sequence, Self::Popular, Self::Expiring, Self::Period];

    /// Returns the word in metrics and in the operations API.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Sequence => "sequence",
            Self::Popular => "popular",
            Self::Expiring => "expiring",
            Self::Period => "period",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Sequence => 0,
            Self::Popular => 1,
            Self::Expiring => 2,
            Self::Period => 3,
        }
    }
}

/// One bucket of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bucket {
    source: Source,
    number: usize,
}

impl Bucket {
    /// Returns the bucket of a confidence between 0 and 1.
    pub fn of(source: Source, confidence: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast from a float saturates, which is what is wanted"
        )]
        let number = (confidence * 20.0) as usize;
        Self { source, number: number.min(BUCKETS - 1) }
    }

    /// Returns the least confidence in it.
    pub fn from(self) -> f64 {
        f64::from(u8::try_from(self.number).unwrap_or_default()) / 20.0
    }

    /// Returns its source.
    pub const fn source(self) -> Source {
        self.source
    }
}

/// What became of a bucket's warmings; older ones count less.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Record {
    /// Asked for in time.
    pub used: f64,
    /// Not.
    pub wasted: f64,
    /// Guesses turned away since one was tried.
    turned_away: u32,
}

impl Record {
    fn count(&self) -> f64 {
        self.used + self.wasted
    }

    /// Returns the share of warmings that were used, if there were any.
    pub fn precision(&self) -> Option<f64> {
        (self.count() > 0.0).then(|| self.used / self.count())
    }
}

/// The gate, and the ledger it is calibrated by.
#[derive(Debug, Clone)]
pub struct Gate {
    records: [[Record; BUCKETS]; SOURCES],
    /// Warmings whose end is not known yet, by bucket.
    open: [[u32; BUCKETS]; SOURCES],
    /// Least share that is used: of guesses of what follows, and of what is asked for again.
    targets: (f64, f64),
}

impl Gate {
    /// Creates a gate that lets guesses through of whose kind at least such a share is used, between 0
    /// and 1: of guesses of what follows, and of what is asked for again.
    pub const fn new(targets: (f64, f64)) -> Self {
        let none = Record { used: 0.0, wasted: 0.0, turned_away: 0 };
        Self { records: [[none; BUCKETS]; SOURCES], open: [[0; BUCKETS]; SOURCES], targets }
    }

    /// Decides what to do with a guess of this bucket.
    pub fn judge(&mut self, bucket: Bucket) -> Judgement {
        let open = f64::from(self.num_open(bucket));
        let near = self.around(bucket);
        let is_trial = near.count() + open < FREE_TRIES;
        let pays =
            near.count() >= FREE_TRIES && near.used >= self.target_of(bucket.source) * near.count();
        let Some(record) = self.record_mut(bucket) else { return Judgement::Leave };
        if pays {
            return Judgement::Act;
        }
        if is_trial {
            return Judgement::Try;
        }
        record.turned_away += 1;
        if record.turned_away >= ONE_IN {
            record.turned_away = 0;
            return Judgement::Try;
        }
        Judgement::Leave
    }

    /// Takes down that a guess was acted on.
    pub fn began(&mut self, bucket: Bucket) {
        if let Some(open) = self.open_mut(bucket) {
            *open = open.saturating_add(1);
        }
    }

    /// Takes down that nobody will know what became of it.
    pub fn broken_off(&mut self, bucket: Bucket) {
        if let Some(open) = self.open_mut(bucket) {
            *open = open.saturating_sub(1);
        }
    }

    /// Takes down what became of it.
    pub fn ended(&mut self, bucket: Bucket, used: bool) {
        if let Some(open) = self.open_mut(bucket) {
            *open = open.saturating_sub(1);
        }
        let Some(record) = self.record_mut(bucket) else { return };
        if used {
            record.used += 1.0;
        } else {
            record.wasted += 1.0;
        }
        if record.count() >= HALVED_AT {
            record.used /= 2.0;
            record.wasted /= 2.0;
        }
    }

    /// Returns what became of a bucket's warmings.
    pub fn record(&self, bucket: Bucket) -> Record {
        let records = self.records.get(bucket.source.index());
        records.and_then(|records| records.get(bucket.number)).copied().unwrap_or_default()
    }

    /// Returns all buckets that have a record.
    pub fn records(&self) -> impl Iterator<Item = (Bucket, Record)> {
        Source::ALL
            .into_iter()
            .flat_map(|source| (0..BUCKETS).map(move |number| Bucket { source, number }))
            .map(|bucket| (bucket, self.record(bucket)))
            .filter(|(_, record)| record.count() > 0.0)
    }

    const fn target_of(&self, source: Source) -> f64 {
        match source {
            Source::Sequence => self.targets.0,
            Source::Popular | Source::Expiring | Source::Period => self.targets.1,
        }
    }

    /// Returns the record of a bucket and, for less, those of its neighbours: confidences that differ
    /// little mean about the same.
    fn around(&self, bucket: Bucket) -> Record {
        let mut near = Record::default();
        for (number, record) in
            self.records.get(bucket.source.index()).into_iter().flatten().enumerate()
        {
            let weight = match number.abs_diff(bucket.number) {
                0 => 1.0,
                1 => NEXT,
                2 => NEXT * NEXT,
                _ => continue,
            };
            near.used += weight * record.used;
            near.wasted += weight * record.wasted;
        }
        near
    }

    fn num_open(&self, bucket: Bucket) -> u32 {
        let open = self.open.get(bucket.source.index());
        open.and_then(|open| open.get(bucket.number)).copied().unwrap_or_default()
    }

    fn open_mut(&mut self, bucket: Bucket) -> Option<&mut u32> {
        self.open.get_mut(bucket.source.index())?.get_mut(bucket.number)
    }

    fn record_mut(&mut self, bucket: Bucket) -> Option<&mut Record> {
        self.records.get_mut(bucket.source.index())?.get_mut(bucket.number)
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
