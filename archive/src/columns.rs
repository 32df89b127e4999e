//! The columns of an archive: how each is typed and encoded.

use crate::row::Row;
use parquet::basic::{
    Compression, Encoding, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel,
};
use parquet::errors::Result;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::{ColumnPath, Type};
use std::sync::Arc;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Number,
    Time,
    Text,
    Bytes,
    /// Sixteen bytes.
    Id,
    /// Sixteen bytes that are a UUID.
    Uuid,
}

/// A column of the file.
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub required: bool,
    encoding: How,
}

/// What its values are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// Few different ones.
    Words,
    /// Each a little more than the last.
    Steps,
    /// Alike in their first bytes.
    Alike,
    /// Random or packed already.
    Plain,
}

/// A value on its way in or out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    Number(i64),
    Bytes(&'a [u8]),
}

const fn column(name: &'static str, kind: Kind, required: bool, encoding: How) -> Column {
    Column { name, kind, required, encoding }
}

/// The columns, in the order of the file.
pub const COLUMNS: [Column; 19] = [
    column("offset", Kind::Number, true, How::Steps),
    column("subject", Kind::Id, false, How::Words),
    column("message_uuid", Kind::Uuid, false, How::Plain),
    column("message_id", Kind::Text, false, How::Plain),
    column("event_time", Kind::Time, true, How::Alike),
    // Times that follow from another but for a little are kept as that little, in milliseconds.
    column("received_after", Kind::Number, true, How::Alike),
    column("sent_skew", Kind::Number, false, How::Alike),
    column("client_rest", Kind::Number, false, How::Words),
    column("consent", Kind::Number, true, How::Words),
    column("schema_version", Kind::Number, true, How::Words),
    column("kind", Kind::Text, true, How::Words),
    column("name", Kind::Text, true, How::Words),
    column("path", Kind::Text, false, How::Words),
    column("referrer_host", Kind::Text, false, How::Words),
    column("source", Kind::Text, false, How::Words),
    column("medium", Kind::Text, false, How::Words),
    column("campaign", Kind::Text, false, How::Words),
    column("block", Kind::Bytes, false, How::Plain),
    column("alone", Kind::Bytes, false, How::Plain),
];

/// A row's values, in the order of the columns.
pub fn values<'a>(row: &'a Row, uuid: Option<&'a [u8; 16]>) -> [Option<Value<'a>>; COLUMNS.len()] {
    let number = |number: i64| Some(Value::Number(number));
    let bytes = |bytes: &'a [u8]| Some(Value::Bytes(bytes));
    let text = |text: &'a Option<String>| text.as_deref().map(|text| Value::Bytes(text.as_bytes()));
    [
        number(row.offset),
        row.subject.as_ref().map(|subject| Value::Bytes(subject)),
        uuid.map(|uuid| Value::Bytes(uuid)),
        if uuid.is_some() { None } else { text(&row.message_id) },
        number(row.event_time),
        number(row.received_at.wrapping_sub(row.event_time)),
        row.sent_at.map(|time| Value::Number(time.wrapping_sub(row.received_at))),
        row.client_time.map(|time| Value::Number(time.wrapping_sub(client_time(row)))),
        number(i64::from(row.consent)),
        number(i64::from(row.schema_version)),
        bytes(row.kind.as_bytes()),
        bytes(row.name.as_bytes()),
        text(&row.path),
        text(&row.referrer_host),
        text(&row.source),
        text(&row.medium),
        text(&row.campaign),
        row.block.as_deref().map(Value::Bytes),
        row.alone.as_deref().map(Value::Bytes),
    ]
}

/// When something happened by the client's clock, where it was sent as it happened.
pub const fn client_time(row: &Row) -> i64 {
    match row.sent_at {
        Some(sent) => row.event_time.wrapping_add(sent.wrapping_sub(row.received_at)),
        None => row.event_time,
    }
}

/// The schema, as other tools see it.
pub fn schema() -> Result<Arc<Type>> {
    let mut fields = Vec::new();
    for Column { name, kind, required, .. } in &COLUMNS {
        let (physical, logical, length) = match kind {
            Kind::Number => (Physical::INT64, None, -1),
            Kind::Time => {
                let time = LogicalType::timestamp(true, TimeUnit::MILLIS);
                (Physical::INT64, Some(time), -1)
            }
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String), -1),
            Kind::Bytes => (Physical::BYTE_ARRAY, None, -1),
            Kind::Id => (Physical::FIXED_LEN_BYTE_ARRAY, None, 16),
            Kind::Uuid => (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Uuid), 16),
        };
        let repetition = if *required { Repetition::REQUIRED } else { Repetition::OPTIONAL };
        let field = Type::primitive_type_builder(name, physical)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .with_length(length);
        fields.push(Arc::new(field.build()?));
    }
    Type::group_type_builder("event").with_fields(fields).build().map(Arc::new)
}

/// How the file is written. Sorted columns keep their statistics, so that other tools skip what they
/// need not read.
pub fn properties() -> Result<WriterProperties> {
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_created_by(concat!("rapport ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(LEVEL)?))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_data_page_size_limit(usize::MAX)
        .set_dictionary_page_size_limit(usize::MAX)
        .set_data_page_row_count_limit(usize::MAX);
    for Column { name, encoding, kind, .. } in &COLUMNS {
        let path = ColumnPath::from(*name);
        let words = *encoding == How::Words;
        builder = builder.set_column_dictionary_enabled(path.clone(), words);
        let encoding = match (encoding, kind) {
            (How::Words, _) => None,
            (How::Steps, _) => Some(Encoding::DELTA_BINARY_PACKED),
            (How::Alike, Kind::Number | Kind::Time) => Some(Encoding::BYTE_STREAM_SPLIT),
            (How::Alike, _) => Some(Encoding::DELTA_BYTE_ARRAY),
            (How::Plain, _) => Some(Encoding::PLAIN),
        };
        if let Some(encoding) = encoding {
            builder = builder.set_column_encoding(path.clone(), encoding);
        }
        if ["offset", "event_time"].contains(name) {
            builder = builder.set_column_statistics_enabled(path, EnabledStatistics::Chunk);
        } else if matches!(kind, Kind::Uuid) || *name == "block" {
            builder = builder.set_column_compression(path, Compression::UNCOMPRESSED);
        }
    }
    Ok(builder.build())
}

const LEVEL: i32 = 9;
