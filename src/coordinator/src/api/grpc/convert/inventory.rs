//! What came of an inventory.

use zephyrfs_proto::coordinator as wire;

use super::super::status::FromAnswer;
use crate::api::saturate::to_i64;
use crate::service::InventoryTaken;

impl FromAnswer<InventoryTaken> for wire::ReportInventoryResponse {
    fn done(taken: InventoryTaken) -> Self {
        Self {
            success: true,
            message: "inventory taken".to_owned(),
            chunks: to_i64(taken.chunks),
            found: to_i64(taken.found),
            missing: to_i64(taken.missing),
            quarantined: to_i64(taken.quarantined),
        }
    }

    fn refused(message: String) -> Option<Self> {
        Some(Self {
            message,
            ..Self::default()
        })
    }
}
