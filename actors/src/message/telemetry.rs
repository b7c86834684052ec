//! What workers report.

use actix::Message;

use crate::model::SampleBatch;

/// Worker → recorder and those who learn from traffic. An event: what is lost is counted by the
/// worker.
impl Message for SampleBatch {
    type Result = ();
}
