//! Arbiters, factories, the sentinel, start and stop order.
