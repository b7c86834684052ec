//! Purges on their way between gateways, over a real Redis and a real file.

mod places;
mod stage;
mod through_redis;
