//! One `CacheActor` per level, and the breaker of the outer two.
