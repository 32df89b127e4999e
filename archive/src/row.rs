//! One envelope as the archive keeps it.

/// A row: an envelope's open half, and its part of a block or what is sealed of it alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    pub offset: i64,
    /// Absent for a tombstone: its subject was erased before the day was sealed.
    pub subject: Option<[u8; 16]>,
    /// Absent for a tombstone.
    pub message_id: Option<String>,
    pub event_time: i64,
    pub sent_at: Option<i64>,
    pub received_at: i64,
    pub consent: u8,
    pub schema_version: u16,
    pub kind: String,
    pub name: String,
    pub path: Option<String>,
    pub referrer_host: Option<String>,
    pub source: Option<String>,
    pub medium: Option<String>,
    pub campaign: Option<String>,
    pub client_time: Option<i64>,
    /// The sealed halves of this row and those that follow it, on its first row.
    pub block: Option<Vec<u8>>,
    /// The sealed half as it arrived, where it is in no block.
    pub alone: Option<Vec<u8>>,
}
