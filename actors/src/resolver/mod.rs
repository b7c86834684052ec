//! Flights: one call for everyone who asks the same.
